"""The figure of an explanation: frames, saliency maps and bars of importance."""

import textwrap
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emorec.data.landmarks import BLENDSHAPES
from emorec.evaluation.figures import DPI, FAINT, INK
from emorec.explain.explainer import (
    Explanation,
    FaceExplanation,
    FrameExplanation,
    Prediction,
    SoundExplanation,
)
from emorec.explain.importance import Importance
from emorec.text import printable

FOR, AGAINST = "#c2410c", "#2563a8"
GREY = "#5b6570"
MAX_PER_ROW = 10

# all in inches
WIDTH = 12.0
MIN_WIDTH = 6.4
MAX_FRAME_SIDE = 2.6
GAP = 0.08
LEFT, RIGHT = 0.95, 0.3
BARS_HEIGHT = 0.75
TICKS_HEIGHT = 0.4
SPECTROGRAM_HEIGHT = 1.5
FACE_HEIGHT = 3.2
NAMES_WIDTH = 1.1
TITLE_CHARACTER, CHARACTER = 0.105, 0.072

COLORMAP = colormaps["inferno"]
FOR_AND_AGAINST = LinearSegmentedColormap.from_list("for and against", [AGAINST, "white", FOR])

FACE_ROWS = 13
"""Rows of an explained face: the landmarks, and the blendshapes that matter most."""


def explanation_figure(explanation: Explanation, *, clip: str, truth: str | None) -> Figure:
    """Draw an explanation.

    Args:
        explanation: The explanation.
        clip: Name of the clip.
        truth: Its true class, or numbers as text; `None` where unknown.
    """
    width = _width(explanation)
    title = textwrap.wrap(
        headline(explanation.prediction, truth), int((width - 0.6) / TITLE_CHARACTER)
    )
    note = textwrap.wrap(f"{clip}  ·  {legend(explanation)}", int((width - 0.6) / CHARACTER))
    header = 0.2 + 0.27 * len(title) + 0.2 * len(note) + 0.12
    rows = _rows(explanation.frames)
    sound = SPECTROGRAM_HEIGHT + GAP + BARS_HEIGHT + TICKS_HEIGHT if explanation.sound else 0.0
    face = FACE_HEIGHT + TICKS_HEIGHT if explanation.face else 0.0
    height = header + sum(row.total_height for row in rows) + face + sound + 0.1
    figure = Figure(figsize=(width, height), dpi=1.2 * DPI, facecolor="white")
    _draw_header(figure, title, note)
    top = header
    for row in rows:
        assert explanation.frames is not None
        _draw_frames(figure, explanation.frames, row, top)
        top += row.total_height
    if explanation.face:
        _draw_face(figure, explanation.face, top)
        top += face
    if explanation.sound:
        _draw_sound(figure, explanation.sound, top)
    return figure


def headline(prediction: Prediction, truth: str | None) -> str:
    """Return prediction and truth in one line.

    >>> headline(Prediction(name="sad", value=0.8, predicted="sad", confidence=0.8, is_class=True), "calm")
    'predicted sad (80 %), true calm'
    >>> headline(Prediction(name="calm", value=0.1, predicted="sad", confidence=0.8, is_class=True), "calm")
    'evidence for calm (10 %); predicted sad (80 %), true calm'
    """
    if not prediction.is_class:
        true = "" if truth is None else f", true {truth}"
        return f"{prediction.name} {prediction.value:+.2f}{true}"
    predicted = f"{prediction.predicted} ({prediction.confidence:.0%})".replace("%", " %")
    if prediction.is_uncertain:
        line = f"uncertain, most likely {predicted}" + ("" if truth is None else f", true {truth}")
    elif truth is None:
        line = f"predicted {predicted}"
    elif truth == prediction.predicted:
        line = f"correctly predicted {predicted}"
    else:
        line = f"predicted {predicted}, true {truth}"
    if prediction.name == prediction.predicted:
        return line
    return f"evidence for {prediction.name} ({prediction.value:.0%}); ".replace("%", " %") + line


def legend(explanation: Explanation) -> str:
    """Describe the colours and bars."""
    methods = {"grad_cam": "Grad-CAM", "occlusion": "occlusion"}
    colours = []
    if explanation.frames:
        colours.append(f"frame saliency ({methods[explanation.frames.method]})")
    if explanation.face:
        name = explanation.prediction.name
        colours.append(f"what raises (orange) and lowers (blue) {name}, against an average face")
    if explanation.sound:
        colours.append("spectrogram saliency (occlusion)")
    parts = [f"colours: {' and '.join(colours)}"] if colours else []
    name = explanation.prediction.name
    effect = (
        f"drop of the log odds of {name}"
        if explanation.prediction.is_class
        else f"change of {name} towards 0"
    )
    if explanation.sound or (explanation.frames and explanation.frames.importance is not None):
        parts.append(f"bars: {effect} without it")
    if explanation.embedding_importance is not None:
        parts.append(f"{effect} without the sound: {signed(explanation.embedding_importance, 1)}")
    return "; ".join(parts)


class _Row(NamedTuple):
    """A row of frames: position of the first, width and height of each, total height; inches."""

    first: int
    width: float
    height: float
    total_height: float


def _rows(frames: FrameExplanation | None) -> list[_Row]:
    if frames is None:
        return []
    count = _frames_per_row(len(frames.frames))
    height_to_width = frames.frames.shape[1] / frames.frames.shape[2]
    available = (WIDTH - LEFT - RIGHT - (count - 1) * GAP) / count
    width = min(MAX_FRAME_SIDE, MAX_FRAME_SIDE / height_to_width, available)
    height = width * height_to_width
    if frames.importance is None:  # a single frame, with its map to the right
        return [_Row(0, width, height, height + 0.15)]
    total_height = 2 * height + 2 * GAP + BARS_HEIGHT + TICKS_HEIGHT
    return [
        _Row(first, width, height, total_height) for first in range(0, len(frames.frames), count)
    ]


def _width(explanation: Explanation) -> float:
    rows = _rows(explanation.frames)
    if explanation.sound or explanation.face or explanation.frames is None or not rows:
        return WIDTH
    count = max(2, _frames_per_row(len(explanation.frames.frames)))
    return max(MIN_WIDTH, LEFT + count * (rows[0].width + GAP) - GAP + RIGHT)


def _frames_per_row(num_frames: int) -> int:
    """Divide the frames into rows as even as possible: 16 frames are two rows of 8."""
    return -(-num_frames // -(-num_frames // MAX_PER_ROW))


def _draw_header(figure: Figure, title: list[str], note: list[str]) -> None:
    width, height = figure.get_size_inches()
    top = 0.2
    for line in map(printable, title):
        position = 0.3 / width, 1 - top / height
        figure.text(*position, line, va="top", size=15, weight="bold", color=INK, parse_math=False)
        top += 0.27
    top += 0.04
    for line in map(printable, note):
        position = 0.3 / width, 1 - top / height
        figure.text(*position, line, va="top", size=9.5, color=GREY, parse_math=False)
        top += 0.2


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a distance from the upper left corner, in inches."""
    total_width, total_height = figure.get_size_inches()
    return figure.add_axes(
        (
            left / total_width,
            1 - (top + height) / total_height,
            width / total_width,
            height / total_height,
        )
    )


def _draw_frames(figure: Figure, frames: FrameExplanation, row: _Row, top: float) -> None:
    first, width, height, _ = row
    count = len(frames.frames)
    shown = range(first, min(first + _frames_per_row(count), count))
    single = frames.importance is None
    for column, frame in enumerate(shown):
        left = LEFT + column * (width + GAP)
        image = frames.frames[frame]
        overlay = overlay_saliency(image, frames.saliency[frame])
        _draw_image(figure, image, left, top, row)
        if single:
            _draw_image(figure, overlay, left + width + GAP, top, row)
        else:
            _draw_image(figure, overlay, left, top + height + GAP, row)
    _label_row(figure, "frame", top + height / 2)
    if frames.importance is None:
        return
    _label_row(figure, "where", top + height + GAP + height / 2)
    row_width = len(shown) * (width + GAP) - GAP
    bars = _axes(figure, LEFT, top + 2 * height + 2 * GAP, row_width, BARS_HEIGHT)
    centres = (np.arange(len(shown)) * (width + GAP) + width / 2) / width
    draw_bars(bars, centres, frames.importance[list(shown)], frames.importance, 0.5)
    bars.set_xlim(0, row_width / width)
    bars.set_xticks(centres, [f"{frame + 1}" for frame in shown], color=GREY, size=9)
    _label_row(figure, "when", top + 2 * height + 2 * GAP + BARS_HEIGHT / 2)


def _draw_image(
    figure: Figure, image: NDArray[np.uint8], left: float, top: float, row: _Row
) -> None:
    axes = _axes(figure, left, top, row.width, row.height)
    axes.imshow(image, interpolation="lanczos")
    axes.set_axis_off()


MIN_RANGE = 0.001
"""Smallest range of the bars' scale, so that negligible values look small."""


def draw_bars(
    axes: Axes,
    positions: NDArray[np.floating],
    values: Importance,
    all_values: Importance,
    width: float,
) -> None:
    """Draw labelled bars, upwards for support of the prediction and downwards for evidence against it.

    Args:
        axes: Where to draw.
        positions: (N,) centres of the bars.
        values: (N,) their heights.
        all_values: Values of all rows, which share one scale.
        width: Of a bar.
    """
    low, high = min(0.0, float(all_values.min())), max(0.0, float(all_values.max()))
    value_range = max(high - low, MIN_RANGE)
    decimals = 2 if value_range >= 0.1 else 3 if value_range >= 0.01 else 4
    axes.bar(
        positions, values, width=width, color=[FOR if value >= 0 else AGAINST for value in values]
    )
    for position, value in zip(positions, values, strict=True):
        axes.annotate(
            signed(float(value), decimals),
            (position, max(value, 0.0)),
            (0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            size=8,
            color=INK,
        )
    axes.axhline(0, color=FAINT, linewidth=1)
    axes.set_ylim(low - 0.04 * value_range, high + 0.4 * value_range)  # room for the labels
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def signed(value: float, decimals: int) -> str:
    """Format a number with its sign; 0 has none.

    >>> signed(0.123, 2), signed(-0.0012, 3), signed(0.004, 2)
    ('+0.12', '\N{MINUS SIGN}0.001', '0')
    """
    if abs(value) < 0.5 * 10**-decimals:
        return "0"
    return f"{value:+.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def overlay_saliency(frame: NDArray[np.uint8], saliency: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return (H, W, 3): the frame in grey, coloured by its saliency."""
    grey = frame.astype(np.float32).mean(axis=2, keepdims=True) / 255
    grey = np.repeat(0.25 + 0.6 * grey, 3, axis=2)
    colour = COLORMAP(0.2 + 0.75 * saliency)[..., :3]
    alpha = 0.8 * (saliency**0.7)[..., None]
    mixed = (1 - alpha) * grey + alpha * colour
    image: NDArray[np.uint8] = np.round(255 * np.clip(mixed, 0, 1)).astype(np.uint8)
    return image


def _draw_face(figure: Figure, face: FaceExplanation, top: float) -> None:
    """Draw a row for the landmarks and for each of the blendshapes that matter most, a column for each frame."""
    names = [*BLENDSHAPES, "landmarks"]
    order = np.argsort(-np.abs(face.attribution[:-1]).sum(axis=1))[: FACE_ROWS - 1]
    rows = [len(names) - 1, *order.tolist()]
    shown = face.attribution[rows]
    limit = max(float(np.abs(shown).max()), MIN_RANGE)
    axes = _axes(figure, LEFT + NAMES_WIDTH, top, WIDTH - LEFT - NAMES_WIDTH - RIGHT, FACE_HEIGHT)
    axes.imshow(shown, aspect="auto", cmap=FOR_AND_AGAINST, vmin=-limit, vmax=limit)
    axes.set_yticks(range(len(rows)), [names[row] for row in rows], color=INK, size=9)
    num_frames = shown.shape[1]
    axes.set_xticks(range(num_frames), [str(each + 1) for each in range(num_frames)], size=9)
    axes.set_xlabel("frame", color=GREY, size=9)
    axes.tick_params(length=0, colors=GREY)
    axes.spines[:].set_visible(False)
    for row, position in enumerate(rows[1:], start=1):
        for frame, value in enumerate(face.blendshapes[position]):
            axes.text(frame, row, f"{value:.2f}", ha="center", va="center", size=7, color=INK)
    _label_row(figure, "face", top + FACE_HEIGHT / 2)


def _draw_sound(figure: Figure, sound: SoundExplanation, top: float) -> None:
    width = WIDTH - LEFT - RIGHT
    axes = _axes(figure, LEFT, top, width, SPECTROGRAM_HEIGHT)
    extent = (0, sound.seconds, 0, 1)
    axes.imshow(
        sound.spectrogram,
        origin="lower",
        aspect="auto",
        cmap="Greys",
        vmin=-2,
        vmax=3,
        extent=extent,
    )
    colours = COLORMAP(0.2 + 0.75 * sound.saliency)
    colours[..., 3] = 0.8 * sound.saliency**0.7
    axes.imshow(colours, origin="lower", aspect="auto", extent=extent)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    _label_row(figure, "frequency", top + SPECTROGRAM_HEIGHT / 2)
    bars = _axes(figure, LEFT, top + SPECTROGRAM_HEIGHT + GAP, width, BARS_HEIGHT)
    num_spans = len(sound.importance)
    length = sound.seconds / num_spans
    centres = (np.arange(num_spans) + 0.5) * length
    draw_bars(bars, centres, sound.importance, sound.importance, 0.6 * length)
    bars.set_xlim(0, sound.seconds)
    ticks = np.arange(0, sound.seconds + 0.01, 0.5)
    bars.set_xticks(ticks, [f"{tick:g} s" for tick in ticks], color=GREY, size=9)
    _label_row(figure, "when", top + SPECTROGRAM_HEIGHT + GAP + BARS_HEIGHT / 2)


def _label_row(figure: Figure, label: str, middle: float) -> None:
    """Write a label to the left of a row."""
    width, height = figure.get_size_inches()
    figure.text(0.3 / width, 1 - middle / height, label, va="center", size=9.5, color=GREY)
