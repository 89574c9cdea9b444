"""An explanation as a picture: the frames, the same under their heat, and how much each counts."""

import textwrap
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emorec.evaluation.figures import DPI, FAINT, INK
from emorec.explain.explanation import Answer, Explanation, Heard, Seen
from emorec.explain.moments import Importance

FOR, AGAINST = "#c2410c", "#2563a8"
GREY = "#5b6570"
MOST_IN_A_ROW = 10

# inches
WIDTH = 12.0
LEAST_WIDTH = 6.4
LARGEST_SIDE = 2.6
GAP = 0.08
LEFT, RIGHT = 0.95, 0.3
BARS = 0.75
NUMBERS = 0.4
SOUND = 1.5
TITLE_LETTER, LETTER = 0.105, 0.072
"""Width of a letter."""

HEAT = colormaps["inferno"]


def explanation_figure(explanation: Explanation, *, clip: str, truth: str | None) -> Figure:
    """The picture of an explanation.

    Args:
        explanation: What was found out.
        clip: What the clip is called.
        truth: Its true class, or numbers as text; `None` where nobody knows.
    """
    width = _width(explanation)
    title = textwrap.wrap(headline(explanation.answer, truth), int((width - 0.6) / TITLE_LETTER))
    note = textwrap.wrap(f"{clip}  ·  {how_to_read(explanation)}", int((width - 0.6) / LETTER))
    head = 0.2 + 0.27 * len(title) + 0.2 * len(note) + 0.12
    rows = _rows(explanation.seen)
    sound = SOUND + GAP + BARS + NUMBERS if explanation.heard else 0.0
    height = head + sum(row.tall for row in rows) + sound + 0.1
    figure = Figure(figsize=(width, height), dpi=1.2 * DPI, facecolor="white")
    _say(figure, title, note)
    top = head
    for row in rows:
        assert explanation.seen is not None
        _draw_frames(figure, explanation.seen, row, top)
        top += row.tall
    if explanation.heard:
        _draw_sound(figure, explanation.heard, top)
    return figure


def headline(answer: Answer, truth: str | None) -> str:
    """What was said and what is true, in one line.

    >>> headline(Answer(name="sad", value=0.8, predicted="sad", confidence=0.8, is_class=True), "calm")
    'taken for sad (80 %), is calm'
    >>> headline(Answer(name="calm", value=0.1, predicted="sad", confidence=0.8, is_class=True), "calm")
    'what speaks for calm (10 %); taken for sad (80 %), is calm'
    """
    if not answer.is_class:
        true = "" if truth is None else f", is {truth}"
        return f"{answer.name} {answer.value:+.2f}{true}"
    said = f"{answer.predicted} ({answer.confidence:.0%})".replace("%", " %")
    if truth is None:
        line = f"predicted {said}"
    elif truth == answer.predicted:
        line = f"rightly predicted {said}"
    else:
        line = f"taken for {said}, is {truth}"
    if answer.name == answer.predicted:
        return line
    return f"what speaks for {answer.name} ({answer.value:.0%}); ".replace("%", " %") + line


def how_to_read(explanation: Explanation) -> str:
    """What the colours and bars mean."""
    called = {"grad_cam": "Grad-CAM", "occlusion": "occlusion"}
    coloured = []
    if explanation.seen:
        coloured.append(f"where it looked ({called[explanation.seen.method]})")
    if explanation.heard:
        coloured.append("what it listened to (occlusion)")
    parts = [f"coloured: {' and '.join(coloured)}"] if coloured else []
    if explanation.heard or (explanation.seen and explanation.seen.importance is not None):
        name = explanation.answer.name
        moves = (
            f"fall of the log odds of {name}"
            if explanation.answer.is_class
            else f"how far {name} moves towards 0"
        )
        parts.append(f"bars: {moves} without it")
    return ", ".join(parts)


class _Row(NamedTuple):
    """A row of frames: the first of them, width and height of each, height of all, in inches."""

    first: int
    width: float
    height: float
    tall: float


def _rows(seen: Seen | None) -> list[_Row]:
    if seen is None:
        return []
    count = _in_a_row(len(seen.frames))
    height_to_width = seen.frames.shape[1] / seen.frames.shape[2]
    room = (WIDTH - LEFT - RIGHT - (count - 1) * GAP) / count
    width = min(LARGEST_SIDE, LARGEST_SIDE / height_to_width, room)
    height = width * height_to_width
    if seen.importance is None:  # a single frame, beside its map
        return [_Row(0, width, height, height + 0.15)]
    tall = 2 * height + 2 * GAP + BARS + NUMBERS
    return [_Row(first, width, height, tall) for first in range(0, len(seen.frames), count)]


def _width(explanation: Explanation) -> float:
    rows = _rows(explanation.seen)
    if explanation.heard or explanation.seen is None or not rows:
        return WIDTH
    count = max(2, _in_a_row(len(explanation.seen.frames)))
    return max(LEAST_WIDTH, LEFT + count * (rows[0].width + GAP) - GAP + RIGHT)


def _in_a_row(num_frames: int) -> int:
    """As even rows as can be: 16 frames are two rows of 8."""
    return -(-num_frames // -(-num_frames // MOST_IN_A_ROW))


def _say(figure: Figure, title: list[str], note: list[str]) -> None:
    width, height = figure.get_size_inches()
    top = 0.2
    for line in title:
        place = 0.3 / width, 1 - top / height
        figure.text(*place, line, va="top", size=15, weight="bold", color=INK, parse_math=False)
        top += 0.27
    top += 0.04
    for line in note:
        place = 0.3 / width, 1 - top / height
        figure.text(*place, line, va="top", size=9.5, color=GREY, parse_math=False)
        top += 0.2


def _axes(figure: Figure, left: float, top: float, width: float, tall: float) -> Axes:
    """Axes by inches from the upper left corner."""
    whole_width, whole_height = figure.get_size_inches()
    return figure.add_axes(
        (
            left / whole_width,
            1 - (top + tall) / whole_height,
            width / whole_width,
            tall / whole_height,
        )
    )


def _draw_frames(figure: Figure, seen: Seen, row: _Row, top: float) -> None:
    first, wide, high, _ = row
    shown = range(first, min(first + _in_a_row(len(seen.frames)), len(seen.frames)))
    alone = seen.importance is None
    for place, frame in enumerate(shown):
        left = LEFT + place * (wide + GAP)
        picture, over = seen.frames[frame], heated(seen.frames[frame], seen.heat[frame])
        _show(figure, picture, left, top, row)
        if alone:
            _show(figure, over, left + wide + GAP, top, row)
        else:
            _show(figure, over, left, top + high + GAP, row)
    _beside(figure, "frame", top + high / 2)
    if seen.importance is None:
        return
    _beside(figure, "where", top + high + GAP + high / 2)
    width = len(shown) * (wide + GAP) - GAP
    bars = _axes(figure, LEFT, top + 2 * high + 2 * GAP, width, BARS)
    middles = (np.arange(len(shown)) * (wide + GAP) + wide / 2) / wide
    draw_bars(bars, middles, seen.importance[list(shown)], seen.importance, 0.5)
    bars.set_xlim(0, width / wide)
    bars.set_xticks(middles, [f"{frame + 1}" for frame in shown], color=GREY, size=9)
    _beside(figure, "when", top + 2 * high + 2 * GAP + BARS / 2)


def _show(figure: Figure, picture: NDArray[np.uint8], left: float, top: float, row: _Row) -> None:
    axes = _axes(figure, left, top, row.width, row.height)
    axes.imshow(picture, interpolation="lanczos")
    axes.set_axis_off()


LEAST_REACH = 0.001
"""Of a scale of bars: what matters less than that looks small."""


def draw_bars(
    axes: Axes, places: NDArray[np.floating], values: Importance, every: Importance, width: float
) -> None:
    """Bars above a line for what speaks for the answer, below it for what speaks against, each with its number.

    Args:
        axes: Where.
        places: (N,) middles of the bars.
        values: (N,) their heights.
        every: Those of all rows, which are drawn to one scale.
        width: Of a bar.
    """
    low, high = min(0.0, float(every.min())), max(0.0, float(every.max()))
    reach = max(high - low, LEAST_REACH)
    decimals = 2 if reach >= 0.1 else 3 if reach >= 0.01 else 4
    axes.bar(
        places, values, width=width, color=[FOR if value >= 0 else AGAINST for value in values]
    )
    for place, value in zip(places, values, strict=True):
        axes.annotate(
            signed(float(value), decimals),
            (place, max(value, 0.0)),
            (0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            size=8,
            color=INK,
        )
    axes.axhline(0, color=FAINT, linewidth=1)
    axes.set_ylim(low - 0.04 * reach, high + 0.4 * reach)  # numbers stand above
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def signed(value: float, decimals: int) -> str:
    """A number with its sign; 0 has none.

    >>> signed(0.123, 2), signed(-0.0012, 3), signed(0.004, 2)
    ('+0.12', '\N{MINUS SIGN}0.001', '0')
    """
    if abs(value) < 0.5 * 10**-decimals:
        return "0"
    return f"{value:+.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def heated(frame: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W, 3): a frame in grey, darker where it is cold, in colours where it is hot."""
    grey = frame.astype(np.float32).mean(axis=2, keepdims=True) / 255
    grey = np.repeat(0.25 + 0.6 * grey, 3, axis=2)
    colour = HEAT(0.2 + 0.75 * heat)[..., :3]
    share = 0.8 * (heat**0.7)[..., None]
    mixed = (1 - share) * grey + share * colour
    picture: NDArray[np.uint8] = np.round(255 * np.clip(mixed, 0, 1)).astype(np.uint8)
    return picture


def _draw_sound(figure: Figure, heard: Heard, top: float) -> None:
    width = WIDTH - LEFT - RIGHT
    axes = _axes(figure, LEFT, top, width, SOUND)
    extent = (0, heard.seconds, 0, 1)
    axes.imshow(
        heard.spectrogram,
        origin="lower",
        aspect="auto",
        cmap="Greys",
        vmin=-2,
        vmax=3,
        extent=extent,
    )
    colours = HEAT(0.2 + 0.75 * heard.heat)
    colours[..., 3] = 0.8 * heard.heat**0.7
    axes.imshow(colours, origin="lower", aspect="auto", extent=extent)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    _beside(figure, "pitch", top + SOUND / 2)
    bars = _axes(figure, LEFT, top + SOUND + GAP, width, BARS)
    moments = len(heard.importance)
    length = heard.seconds / moments
    middles = (np.arange(moments) + 0.5) * length
    draw_bars(bars, middles, heard.importance, heard.importance, 0.6 * length)
    bars.set_xlim(0, heard.seconds)
    ticks = np.arange(0, heard.seconds + 0.01, 0.5)
    bars.set_xticks(ticks, [f"{tick:g} s" for tick in ticks], color=GREY, size=9)
    _beside(figure, "when", top + SOUND + GAP + BARS / 2)


def _beside(figure: Figure, word: str, middle: float) -> None:
    """A word before a row."""
    width, height = figure.get_size_inches()
    figure.text(0.3 / width, 1 - middle / height, word, va="center", size=9.5, color=GREY)
