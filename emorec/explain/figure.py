"""An explanation as a picture: the frames, the same under their heat, and how much each counts."""

import textwrap

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emorec.evaluation.figures import DPI, FAINT, INK
from emorec.explain.explanation import Answer, Explanation, Heard, Seen
from emorec.explain.moments import Importance

FOR, AGAINST = "#c2410c", "#2563a8"
MOST_IN_A_ROW = 10

# inches
FRAME = (1.25, 2.6)
"""The smallest and the largest side of a frame."""
WIDTH = 12.0
GAP = 0.08
LEFT = 0.95
RIGHT = 0.3
BARS = 0.75
NUMBERS = 0.45
SOUND = 1.5
LETTER = 0.105
"""Width of a letter of the title."""

HEAT = colormaps["inferno"]


def explanation_figure(explanation: Explanation, *, clip: str, truth: str | None) -> Figure:
    """The picture of an explanation.

    Args:
        explanation: What was found out.
        clip: What the clip is called.
        truth: Its true class, or numbers as text; `None` where nobody knows.
    """
    title = textwrap.wrap(headline(explanation.answer, truth), int((WIDTH - 0.6) / LETTER))
    note = textwrap.wrap(f"{clip}  ·  {how_to_read(explanation)}", int((WIDTH - 0.6) / 0.072))
    head = 0.2 + 0.27 * len(title) + 0.2 * len(note) + 0.12
    rows = _rows(explanation.seen)
    height = head + sum(row[2] for row in rows) + (_sound_height() if explanation.heard else 0)
    figure = Figure(figsize=(WIDTH, height), dpi=1.2 * DPI, facecolor="white")
    _say(figure, title, note, height)
    top = head
    for first, side, tall in rows:
        assert explanation.seen is not None
        _draw_frames(figure, explanation.seen, first, side, top)
        top += tall
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
    parts = []
    if explanation.seen:
        parts.append(f"coloured: where it looked ({called[explanation.seen.method]})")
    if explanation.heard:
        parts.append("coloured: what it listened to (occlusion)")
    if explanation.heard or (explanation.seen and explanation.seen.importance is not None):
        what = "log odds" if explanation.answer.is_class else "number"
        parts.append(f"bars: fall of the {what} of {explanation.answer.name} without it")
    return ", ".join(parts)


def _rows(seen: Seen | None) -> list[tuple[int, float, float]]:
    """First frame, side of a frame and height, in inches, of each row of frames."""
    if seen is None:
        return []
    count = _in_a_row(len(seen.frames))
    side = min(FRAME[1], (WIDTH - LEFT - RIGHT - (count - 1) * GAP) / count)
    below = 0.15 if seen.importance is None else BARS + NUMBERS
    tall = 2 * side + GAP + below + 0.25
    return [(first, side, tall) for first in range(0, len(seen.frames), count)]


def _in_a_row(num_frames: int) -> int:
    """As even rows as can be: 16 frames are two rows of 8."""
    return -(-num_frames // -(-num_frames // MOST_IN_A_ROW))


def _say(figure: Figure, title: list[str], note: list[str], height: float) -> None:
    top = 0.2
    for line in title:
        figure.text(
            0.3 / WIDTH,
            1 - top / height,
            line,
            va="top",
            size=15,
            weight="bold",
            color=INK,
            parse_math=False,
        )
        top += 0.27
    top += 0.04
    for line in note:
        figure.text(
            0.3 / WIDTH,
            1 - top / height,
            line,
            va="top",
            size=9.5,
            color="#5b6570",
            parse_math=False,
        )
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


def _draw_frames(figure: Figure, seen: Seen, first: int, side: float, top: float) -> None:
    count = _in_a_row(len(seen.frames))
    shown = range(first, min(first + count, len(seen.frames)))
    for place, frame in enumerate(shown):
        left = LEFT + place * (side + GAP)
        for row, picture in enumerate(
            (seen.frames[frame], heated(seen.frames[frame], seen.heat[frame]))
        ):
            axes = _axes(figure, left, top + row * (side + GAP), side, side)
            axes.imshow(picture, interpolation="lanczos")
            axes.set_axis_off()
    _beside(figure, "frame", top + side / 2)
    _beside(figure, "where", top + side + GAP + side / 2)
    if seen.importance is None:
        return
    width = len(shown) * (side + GAP) - GAP
    bars = _axes(figure, LEFT, top + 2 * side + 2 * GAP, width, BARS)
    middles = (np.arange(len(shown)) * (side + GAP) + side / 2) / side
    draw_bars(
        bars, middles, seen.importance[list(shown)], float(np.abs(seen.importance).max()), 0.5
    )
    bars.set_xlim(0, width / side)
    bars.set_xticks(middles, [f"{frame + 1}" for frame in shown], color="#5b6570", size=9)
    _beside(figure, "when", top + 2 * side + 2 * GAP + BARS / 2)


def draw_bars(
    axes: Axes, places: NDArray[np.floating], values: Importance, highest: float, width: float
) -> None:
    """Bars above a line for what speaks for the answer, below it for what speaks against, each with its number."""
    reach = highest if highest > 0 else 1.0
    colours = [FOR if value >= 0 else AGAINST for value in values]
    axes.bar(places, values, width=width, color=colours)
    for place, value in zip(places, values, strict=True):
        axes.annotate(
            f"{value:+.2f}" if abs(value) >= 0.005 else "0",
            (place, max(value, 0.0)),
            (0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            size=8,
            color=INK,
        )
    axes.axhline(0, color=FAINT, linewidth=1)
    low = min(0.0, float(values.min(initial=0)))
    axes.set_ylim(1.1 * low - 0.02 * reach, 1.45 * reach)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def heated(frame: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W, 3): a frame in grey, darker where it is cold, in colours where it is hot."""
    grey = frame.astype(np.float32).mean(axis=2, keepdims=True) / 255
    grey = np.repeat(0.25 + 0.6 * grey, 3, axis=2)
    colour = HEAT(0.2 + 0.75 * heat)[..., :3]
    share = 0.8 * (heat**0.7)[..., None]
    mixed = (1 - share) * grey + share * colour
    picture: NDArray[np.uint8] = np.round(255 * np.clip(mixed, 0, 1)).astype(np.uint8)
    return picture


def _sound_height() -> float:
    return SOUND + BARS + 0.75


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
    highest = float(np.abs(heard.importance).max())
    draw_bars(bars, middles, heard.importance, highest, 0.6 * length)
    bars.set_xlim(0, heard.seconds)
    ticks = np.arange(0, heard.seconds + 0.01, 0.5)
    bars.set_xticks(ticks, [f"{tick:g} s" for tick in ticks], color="#5b6570", size=9)
    _beside(figure, "when", top + SOUND + GAP + BARS / 2)


def _beside(figure: Figure, word: str, middle: float) -> None:
    """A word before a row."""
    _, height = figure.get_size_inches()
    figure.text(0.3 / WIDTH, 1 - middle / height, word, va="center", size=9.5, color="#5b6570")
