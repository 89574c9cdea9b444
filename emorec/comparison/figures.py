"""Pictures of models side by side, and of each by itself. Made without pyplot, as those of `emorec.evaluation`."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from emorec.comparison.comparison import Result
from emorec.comparison.curves import Curve
from emorec.evaluation.figures import DPI, FAINT, INK, confusion_figure
from emorec.evaluation.groups import ReliabilityBin

BLUE = "#1f5a94"
RED = "#b00020"
ORANGE = "#c8691c"
GREY = "#7a828b"
GRID = "#e6e9ec"
DASHED = (0, (4, 3))

WIDTH = 7.0  # inches


def shares_figure(matrix: NDArray[np.int64], class_names: Sequence[str], title: str) -> Figure:
    """A confusion matrix with the shares of the true class in the cells, in per cent.

    Args:
        matrix: (K, K) counts; rows are the truth, columns the predictions.
        class_names: K names in label order.
        title: What is above it.
    """
    figure = confusion_figure(matrix, class_names, title)
    support = matrix.sum(axis=1, keepdims=True)
    shares = 100 * matrix / np.maximum(support, 1)
    for text, share, clips in zip(
        figure.axes[0].texts, shares.flat, np.broadcast_to(support, matrix.shape).flat, strict=True
    ):
        text.set_text(f"{share:.0f}" if clips else "")
    figure.axes[0].set_ylabel("true (clips), per cent in rows")
    return figure


def intervals_figure(results: Sequence[Result], chance: float) -> Figure:
    """The UAR of models below each other with both intervals.

    Args:
        results: The models, the first on top.
        chance: The UAR of a guess, 0 to 1.
    """
    figure, axes = _figure(WIDTH, 1.1 + 0.42 * len(results))
    for place, result in enumerate(results):
        color = RED if result.leaks else BLUE
        uar = result.by_actor["uar"]
        for interval, offset, shade, line_width in (
            (uar.interval, -0.1, color, 2.4),
            (result.by_clip["uar"].interval, 0.22, GREY, 1),
        ):
            if interval:
                ends = 100 * interval.low, 100 * interval.high
                axes.plot(ends, [place + offset] * 2, color=shade, lw=line_width)
        axes.plot([100 * uar.value], [place - 0.1], "o", color=color, ms=6.5, zorder=3)
    axes.plot([], [], "o-", color=BLUE, lw=2.4, label="interval over actors")
    axes.plot([], [], color=GREY, lw=1, label="over clips")
    axes.axvline(100 * chance, color=GREY, lw=1, ls=DASHED, label="a guess", zorder=1)
    names = ["\n".join(textwrap.wrap(result.name, 26)[:2]) for result in results]
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set(ylim=(len(names) - 0.4, -0.6), xlabel="UAR, per cent", xlim=(0, 100))
    axes.grid(axis="x", color=GRID, lw=0.8)
    axes.tick_params(length=0)
    figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    return figure


def cost_figure(results: Sequence[Result], lines: Mapping[str, float]) -> Figure:
    """Accuracy against GFLOPs a clip, logarithmic; models of unknown cost are left out.

    Args:
        results: The models, at least one of known cost.
        lines: What else there is to reach: name -> accuracy, 0 to 1.
    """
    known = [result for result in results if result.cost.gflops_per_clip]
    figure, axes = _figure(WIDTH, 4.2)
    for line, value in lines.items():
        crowded = any(0 < other - value < 0.07 for other in lines.values())
        axes.axhline(100 * value, color=GREY, lw=1, ls=DASHED, zorder=1)
        axes.text(
            0.995,
            100 * value + (-0.8 if crowded else 0.8),
            line,
            transform=axes.get_yaxis_transform(),
            color=GREY,
            parse_math=False,
            ha="right",
            va="top" if crowded else "bottom",
            size=8.5,
        )
    estimates = [result.by_actor["accuracy"] for result in known]
    heights = _apart([estimate.value for estimate in estimates], 4.2)
    gflops = [result.cost.gflops_per_clip or 1.0 for result in known]
    # how far the axis reaches, in powers of e: names stand right of their points and need two fifths of it
    reach = max(np.log(max(gflops) / min(gflops)), np.log(3))
    for result, estimate, cost, height in zip(known, estimates, gflops, heights, strict=True):
        color = RED if result.leaks else BLUE
        if estimate.interval:
            ends = 100 * estimate.interval.low, 100 * estimate.interval.high
            axes.plot([cost] * 2, ends, color=color, lw=1.2, alpha=0.55)
        axes.plot([cost], [100 * estimate.value], "o", color=color, ms=7, zorder=3)
        axes.text(
            cost * np.exp(0.03 * reach),
            height,
            result.name,
            ha="left",
            va="center",
            size=9,
            color=INK,
            parse_math=False,
        )
    axes.set_xscale("log")
    # models of like cost lie between two powers of ten, which alone would leave the axis without a number
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(min(gflops) / np.exp(0.08 * reach), max(gflops) * np.exp(0.65 * reach))
    axes.set(ylim=(0, 100), xlabel="GFLOPs a clip", ylabel="accuracy (WAR), per cent")
    axes.grid(color=GRID, lw=0.8)
    return figure


def reliability_figure(bins: Sequence[ReliabilityBin], title: str) -> Figure:
    """How often a network is right at each confidence; on the diagonal it promises what it keeps."""
    figure, axes = _figure(3.9, 4.2)
    for each in bins:
        wide, few = each.high - each.low, each.num_clips
        axes.bar(each.low, each.accuracy, wide, align="edge", color=BLUE, edgecolor="white")
        axes.plot([each.confidence], [each.accuracy], "o", color=ORANGE, ms=3.5)
        axes.text(
            each.low + wide / 2, 1.015, f"{few:.0f}", ha="center", size=6, color=GREY, clip_on=False
        )
    axes.plot([0, 1], [0, 1], color=INK, lw=1, ls=DASHED)
    axes.set(
        xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="confidence", ylabel="share that is right"
    )
    figure.suptitle(title, size=11, parse_math=False)
    axes.set_title("clips in each bin above it", size=8, color=GREY, pad=12)
    return figure


def curves_figure(curves: Sequence[Mapping[str, Curve]], title: str) -> Figure:
    """Loss and accuracy over epochs, a thin line a run and their mean; the mean ends where the first run does."""
    figure = Figure(figsize=(WIDTH, 2.9), dpi=1.5 * DPI, layout="constrained")
    figure.suptitle(title, size=11, parse_math=False)
    for axes, what, scale in zip(
        figure.subplots(1, 2), ("loss", "accuracy"), (1, 100), strict=True
    ):
        for side, color in (("train", GREY), ("val", BLUE)):
            there = [run[f"{side}_{what}"] for run in curves if f"{side}_{what}" in run]
            label = {"train": "training", "val": "validation"}[side]
            _draw(axes, there, scale, color, label)
        axes.set(xlabel="epoch", ylabel=what if scale == 1 else f"{what}, per cent")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(0, 100 if scale == 100 else None)
        axes.grid(color=GRID, lw=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8.5)
    return figure


def _draw(axes: Axes, curves: Sequence[Curve], scale: float, color: str, label: str) -> None:
    if not curves:
        return
    for curve in curves:
        thin = {"lw": 0.8, "alpha": 0.4} if len(curves) > 1 else {"lw": 1.8, "label": label}
        axes.plot(curve.epochs, np.multiply(curve.values, scale), color=color, **thin)
    if len(curves) > 1:
        shared = sorted(set.intersection(*(set(curve.epochs) for curve in curves)))
        values = [dict(zip(curve.epochs, curve.values, strict=True)) for curve in curves]
        mean = [scale * np.mean([each[epoch] for each in values]) for epoch in shared]
        axes.plot(shared, mean, color=color, lw=2, label=f"{label}, mean of {len(curves)}")


def _apart(values: Sequence[float], least: float) -> list[float]:
    """Heights for labels in per cent, near their values and at least so far from each other.

    >>> _apart([0.5, 0.51, 0.9], least=4)
    [48.5, 52.5, 90.0]
    """
    order = np.argsort(values, kind="stable")
    heights = 100 * np.asarray(values, float)[order]
    for _ in range(100):
        gaps = np.diff(heights)
        if (gaps >= least - 1e-6).all():
            break
        for place in np.flatnonzero(gaps < least):
            push = (least - (heights[place + 1] - heights[place])) / 2
            heights[place] -= push
            heights[place + 1] += push
    placed = np.empty_like(heights)
    placed[order] = heights
    return [round(float(height), 3) for height in placed]


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=1.5 * DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    return figure, axes


@contextmanager
def repeatable() -> Iterator[None]:
    """Within it, a figure that is saved as SVG twice gives the same bytes."""
    with mpl.rc_context({"svg.hashsalt": "emorec", "svg.fonttype": "path"}):
        yield
