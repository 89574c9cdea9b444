"""Figures of a run: confusion matrices, the plane of numbers, clips and spectrograms as the network gets them.

Figures are made without pyplot, so they are safe in threads, need no display and leave nothing behind.
"""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

INK = "#222222"
FAINT = "#b5bcc4"
BACKDROP = "#dee2e6"  # RAVDESS has a white background: the edges of frames have to be visible
DPI = 100

BINS = 40
"""Bins a side. Source: Rangulov & Fahim 2020, section 3 (a histogram of 40 x 40)."""

MAX_FRAMES_SHOWN = 16

# pixels
THUMBNAIL_HEIGHTS = (96, 160)
MAX_SHEET_WIDTH = 2000
MIN_SHEET_WIDTH = 640
MARGIN = 8


def confusion_figure(matrix: ArrayLike, class_names: Sequence[str], title: str) -> Figure:
    """Plot a confusion matrix: counts in the cells, coloured by their share of the true class.

    Args:
        matrix: (K, K) counts; rows are the truth, columns the predictions.
        class_names: K names in label order.
        title: Above it.

    Raises:
        ValueError: When the matrix is not (K, K).
    """
    counts = np.asarray(matrix)
    num_classes = len(class_names)
    if counts.shape != (num_classes, num_classes):
        raise ValueError(f"a matrix of shape {counts.shape} is not one of {num_classes} classes")
    support = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(support, 1)
    rows = [f"{name} ({clips})" for name, clips in zip(class_names, support.flat, strict=True)]
    figure, axes = _square_axes(rows, title)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _print_counts(axes, counts, shares)
    axes.set_xticks(range(num_classes), class_names, rotation=45, ha="right", parse_math=False)
    for label in axes.get_xticklabels():
        label.set_rotation_mode("anchor")
    axes.set_yticks(range(num_classes), rows, parse_math=False)
    axes.set(xlabel="predicted", ylabel="true (clips)")
    axes.set_xticks(np.arange(1, num_classes) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, num_classes) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.spines[:].set_visible(False)
    axes.tick_params(which="both", length=0)
    beside = axes.inset_axes((1.03, 0, 0.04, 1))
    figure.colorbar(image, cax=beside, ticks=[0, 0.5, 1], format="{x:.0%}")
    beside.set_ylabel("share of the true class")
    beside.spines[:].set_visible(False)
    beside.tick_params(length=0)
    return figure


def _square_axes(rows: Sequence[str], title: str) -> tuple[Figure, Axes]:
    """Return a figure just large enough for K x K cells and the texts around them."""
    letter = 0.084  # inches of a letter of 10 points, somewhat more than the average
    side = max(2.2, 0.56 * len(rows))
    left = 0.4 + letter * max(map(len, rows))
    bottom = 0.3 + 0.7 * (left - 0.4)  # the names again, slanted
    width = left + side + 1.2
    lines = textwrap.wrap(title, int(width / (1.1 * letter)))
    height = bottom + side + 0.25 + 0.19 * len(lines)
    figure = Figure(figsize=(width, height), dpi=1.5 * DPI)
    figure.suptitle("\n".join(lines), y=1 - 0.1 / height, size=11, parse_math=False)
    axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
    return figure, axes


def _print_counts(axes: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    size = 11 if counts.max(initial=0) < 1000 else 8
    for (row, column), count in np.ndenumerate(counts):
        dark = shares[row, column] > 0.55
        color = "white" if dark else INK if count else FAINT
        weight = "bold" if row == column else "normal"
        axes.text(
            column, row, f"{count}", ha="center", va="center", color=color, size=size, weight=weight
        )


def plane_figure(points: Mapping[str, ArrayLike], names: Sequence[str], title: str) -> Figure:
    """Plot histograms of numbers in the same plane beside each other, with one colour scale.

    Args:
        points: Label of a panel -> (N, R) numbers of -1 to 1; the first two are plotted, clipped to the border. With
            R = 1 the histogram has one axis.
        names: R names.
        title: Above all panels.
    """
    figure = Figure(figsize=(4.2 * len(points) + 0.8, 4.4), dpi=DPI, layout="constrained")
    figure.suptitle(title, size=11, parse_math=False)
    panels = figure.subplots(1, len(points), squeeze=False)[0]
    each = {what: np.clip(np.asarray(numbers), -1, 1) for what, numbers in points.items()}
    edges = np.linspace(-1, 1, BINS + 1)
    if len(names) == 1:
        for axes, (what, numbers) in zip(panels, each.items(), strict=True):
            axes.hist(numbers[:, 0], bins=edges, color="#4c72b0")
            axes.set(title=f"{what} ({len(numbers):,})", xlabel=names[0], ylabel="clips")
        return figure
    counts = [np.histogram2d(own[:, 0], own[:, 1], bins=(edges, edges))[0] for own in each.values()]
    most = max(float(count.max(initial=0)) for count in counts)
    scale = LogNorm(1, max(most, 2.0))
    for axes, (what, numbers), count in zip(panels, each.items(), counts, strict=True):
        shown = np.ma.masked_equal(count.T, 0)
        image = axes.pcolormesh(edges, edges, shown, norm=scale, cmap="viridis")
        axes.axhline(0, color="#b5bcc4", linewidth=0.8, zorder=0)
        axes.axvline(0, color="#b5bcc4", linewidth=0.8, zorder=0)
        axes.set(title=f"{what} ({len(numbers):,})", xlabel=names[0], ylabel=names[1])
        axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
    figure.colorbar(image, ax=list(panels), label="clips", shrink=0.9, format="{x:,.0f}")
    return figure


def class_counts_figure(
    labels: Mapping[str, ArrayLike], class_names: Sequence[str], title: str
) -> Figure:
    """Plot the number of clips of each class in several sets, such as before and after undersampling.

    Args:
        labels: Name of a set -> (N,) labels.
        class_names: K names in label order.
        title: Above it.
    """
    figure = Figure(figsize=(7.5, 4.2), dpi=DPI, layout="constrained")
    figure.suptitle(title, size=11, parse_math=False)
    axes = figure.subplots()
    width = 0.8 / len(labels)
    for turn, (what, own) in enumerate(labels.items()):
        count = np.bincount(np.asarray(own, dtype=int), minlength=len(class_names))
        places = np.arange(len(class_names)) + (turn - (len(labels) - 1) / 2) * width
        axes.bar(places, count, width, label=f"{what} ({count.sum():,})")
    axes.set_xticks(range(len(class_names)), class_names, rotation=30, ha="right", parse_math=False)
    axes.set(ylabel="clips")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def contact_sheet(clips: NDArray[np.uint8], captions: Sequence[str]) -> Figure:
    """Draw clips below each other, the frames of each side by side under its caption.

    The picture is 640 to 2000 pixels wide.

    Args:
        clips: (N, T, H, W, C) uint8, RGB. Of more than 16 frames, 16 evenly spaced ones are shown.
        captions: N texts.

    Raises:
        ValueError: When the clips are something else, or there are not N captions.
    """
    if clips.dtype != np.uint8 or clips.shape[4:] != (3,) or 0 in clips.shape:
        raise ValueError(f"expected uint8 (N, T, H, W, 3), got {clips.dtype} {clips.shape}")
    if len(captions) != len(clips):
        raise ValueError(f"{len(captions)} captions for {len(clips)} clips")
    strips = [_strip(clip) for clip in clips]
    high, wide, _ = strips[0].shape
    strip_height = float(np.clip(clips.shape[2], *THUMBNAIL_HEIGHTS))
    strip_height = min(strip_height, (MAX_SHEET_WIDTH - 2 * MARGIN) * high / wide)
    strip_width = strip_height * wide / high
    sheet_width = max(strip_width + 2 * MARGIN, MIN_SHEET_WIDTH)
    letter = max(14.0, sheet_width / 80)  # pixels
    texts = [textwrap.fill(caption, int(sheet_width / (0.6 * letter))) for caption in captions]
    text_heights = [1.3 * letter * (text.count("\n") + 1) for text in texts]
    sheet_height = MARGIN + sum(text_heights) + len(clips) * (strip_height + 2 * MARGIN)
    size = sheet_width / DPI, sheet_height / DPI
    figure = Figure(figsize=size, dpi=DPI, facecolor=BACKDROP)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    top = float(MARGIN)
    for strip, text, text_height in zip(strips, texts, text_heights, strict=True):
        axes.text(MARGIN, top, text, va="top", color=INK, size=letter * 72 / DPI, parse_math=False)
        top += text_height
        axes.imshow(strip, extent=(MARGIN, MARGIN + strip_width, top + strip_height, top))
        top += strip_height + 2 * MARGIN
    axes.set(xlim=(0, sheet_width), ylim=(sheet_height, 0), aspect="auto")
    return figure


def spectrogram_sheet(spectrograms: NDArray[np.float32], captions: Sequence[str]) -> Figure:
    """Draw spectrograms, two in a row, low frequencies at the bottom, each under its caption.

    Args:
        spectrograms: (N, bins, windows), each around 0.
        captions: N texts.

    Raises:
        ValueError: When there are not N captions.
    """
    if len(captions) != len(spectrograms):
        raise ValueError(f"{len(captions)} captions for {len(spectrograms)} spectrograms")
    figure = _two_in_a_row(captions, width=9, row_height=2.1)
    for axes, spectrogram in zip(figure.axes, spectrograms, strict=False):
        axes.imshow(spectrogram, origin="lower", aspect="auto", cmap="magma", vmin=-2, vmax=3)
    return figure


def _two_in_a_row(captions: Sequence[str], *, width: float, row_height: float) -> Figure:
    """Return a figure with axes, switched off, under each of N captions, two in a row; sizes in inches."""
    rows = -(-len(captions) // 2)
    figure = Figure(figsize=(width, row_height * rows), dpi=DPI, layout="constrained")
    for axes in figure.subplots(rows, 2, squeeze=False).flat:
        axes.set_axis_off()
    for axes, caption in zip(figure.axes, captions, strict=False):
        axes.set_title(caption, size=9, loc="left", color=INK, parse_math=False)
    return figure


MAX_MESHES = 6
"""Frames of a clip that are drawn as meshes, evenly spaced."""

MAX_CURVES = 6
"""Blendshapes of a clip that are drawn: those that vary most."""


def mesh_sheet(
    landmarks: NDArray[np.float32], triangles: NDArray[np.uint16], captions: Sequence[str]
) -> Figure:
    """Draw the faces of clips as meshes, the frames of a clip side by side, each clip under its caption.

    Args:
        landmarks: (N, T, L, 3), x to the right, y down, at one scale.
        triangles: (M, 3) of the landmarks.
        captions: N texts.
    """
    num_frames = landmarks.shape[1]
    shown = np.linspace(0, num_frames - 1, min(num_frames, MAX_MESHES)).round().astype(int)
    column_width = np.ptp(landmarks[..., 0])
    figure = _two_in_a_row(captions, width=12, row_height=1.35)
    for axes, faces in zip(figure.axes, landmarks, strict=False):
        for column, frame in enumerate(shown):
            x, y = faces[frame, :, 0] + column * column_width, -faces[frame, :, 1]
            axes.triplot(x, y, triangles, linewidth=0.25, color=INK)
        axes.set_aspect("equal")
    return figure


def blendshape_sheet(
    blendshapes: NDArray[np.float32], names: Sequence[str], captions: Sequence[str]
) -> Figure:
    """Draw the blendshapes that vary most in each clip over its frames, two clips in a row.

    Args:
        blendshapes: (N, T, S) from 0 to 1.
        names: S names.
        captions: N texts.
    """
    figure = _two_in_a_row(captions, width=12, row_height=2.1)
    for axes, values in zip(figure.axes, blendshapes, strict=False):
        axes.set_axis_on()
        for position in np.argsort(-np.ptp(values, axis=0))[:MAX_CURVES]:
            axes.plot(np.arange(len(values)) + 1, values[:, position], label=names[position])
        axes.set_ylim(0, 1)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7, frameon=False)
    return figure


def _strip(clip: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return frames (T, H, W, C) side by side with gaps, (H, T * (W + gap) - gap, C)."""
    num_frames, height, width, _ = clip.shape
    shown = np.linspace(0, num_frames - 1, min(num_frames, MAX_FRAMES_SHOWN)).round().astype(int)
    gap = -(-width // 40)
    between = np.full((height, gap, 3), np.round(255 * np.array(to_rgb(BACKDROP))), np.uint8)
    return np.hstack([part for frame in clip[shown] for part in (frame, between)])[:, :-gap]


def figure_to_image(figure: Figure) -> NDArray[np.uint8]:
    """Return the figure as it would be saved, (H, W, 3) uint8, RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
