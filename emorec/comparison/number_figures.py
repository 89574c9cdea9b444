"""Pictures of models that predict numbers."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from emorec.comparison.figures import BLUE, DASHED, GREY, GRID, ORANGE, RED, WIDTH, empty_axes
from emorec.comparison.number_breakdown import NumberBreakdown
from emorec.evaluation.figures import DPI, INK
from emorec.evaluation.plane import BINS
from emorec.evaluation.regression import NumberPredictions

COLORS = (BLUE, ORANGE, "#3b7d4f", "#7a4a9e", GREY)
MOST_VIDEOS = 80


def scatter_figure(said: NumberPredictions, names: Sequence[str], title: str) -> Figure:
    """What was predicted over what is true, a histogram for each of R numbers; on the diagonal they agree.

    Args:
        said: Of N clips.
        names: R names.
        title: What is above it.
    """
    figure = Figure(figsize=(3.9 * len(names) + 0.5, 4.1), dpi=1.5 * DPI, layout="constrained")
    figure.suptitle(title, size=11, parse_math=False)
    both = np.stack([said.target.numpy(), said.predicted.numpy()])  # (2, N, R)
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for axes, name, (true, predicted) in zip(panels, names, both.transpose(2, 0, 1), strict=True):
        # valence and arousal lie in -1 to 1; other numbers where they lie
        low, high = min(-1.0, true.min()), max(1.0, true.max())
        edges = np.linspace(low, high, BINS + 1)
        counts, _, _ = np.histogram2d(true, np.clip(predicted, low, high), bins=(edges, edges))
        shown = np.ma.masked_equal(counts.T, 0)
        axes.pcolormesh(edges, edges, shown, norm=LogNorm(1, max(counts.max(), 2)), cmap="viridis")
        axes.plot([low, high], [low, high], color=INK, lw=1, ls=DASHED)
        axes.set(aspect="equal", xlim=(low, high), ylim=(low, high))
        axes.set_xlabel(f"{name}, true", parse_math=False)
        axes.set_ylabel("predicted")
        axes.grid(color=GRID, lw=0.8)
    return figure


def videos_figure(
    names: Sequence[str], breakdowns: Sequence[NumberBreakdown], leaking: Sequence[bool]
) -> Figure:
    """The CCC of each video, a point a model; the videos that are hardest for the first model on top.

    Args:
        names: M models.
        breakdowns: Of the same M models.
        leaking: For each of them whether somebody stands on two sides.
    """
    videos = sorted(breakdowns[0].videos, key=lambda video: breakdowns[0].videos[video].ccc)
    videos = videos[:MOST_VIDEOS]
    figure, axes = empty_axes(WIDTH, 1.2 + 0.2 * len(videos))
    for place, (name, breakdown) in enumerate(zip(names, breakdowns, strict=True)):
        color = RED if leaking[place] else COLORS[place % len(COLORS)]
        cccs = [breakdown.videos[video].ccc for video in videos]
        label = textwrap.shorten(name, 40)
        marker = "osD^v"[place % 5]
        axes.plot(cccs, range(len(videos)), marker, color=color, ms=4.5, alpha=0.8, label=label)
    axes.axvline(0, color=GREY, lw=1, ls=DASHED, zorder=1)
    axes.set_yticks(range(len(videos)), videos, parse_math=False, size=7)
    axes.set(xlim=(-1, 1), ylim=(len(videos) - 0.4, -0.6), xlabel="CCC within the video")
    axes.grid(axis="x", color=GRID, lw=0.8)
    axes.tick_params(length=0)
    legend = figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=8.5)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure
