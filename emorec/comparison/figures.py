"""Pictures of models side by side, and of each by itself. Made without pyplot, as those of `emorec.evaluation`."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from emorec.comparison.comparison import Result
from emorec.comparison.curves import Curve
from emorec.comparison.score import Score
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


def intervals_figure(results: Sequence[Result], chance: float, score: Score) -> Figure:
    """The UAR or CCC of models below each other with their intervals.

    Args:
        results: The models, the first on top.
        chance: The same of a guess.
        score: What they are measured by.
    """
    scale = score.scale
    over_clips = any(result.by_clip for result in results)
    figure, axes = empty_axes(WIDTH, 1.1 + 0.42 * len(results))
    for place, result in enumerate(results):
        color = RED if result.leaks else BLUE
        reached = result.by_actor[score.figure]
        clips = result.by_clip.get(score.figure)
        for interval, offset, shade, line_width in (
            (reached.interval, -0.1, color, 2.4),
            (clips.interval if clips else None, 0.22, GREY, 1),
        ):
            if interval:
                ends = scale * interval.low, scale * interval.high
                axes.plot(ends, [place + offset] * 2, color=shade, lw=line_width)
        axes.plot([scale * reached.value], [place - 0.1], "o", color=color, ms=6.5, zorder=3)
    axes.plot([], [], "o-", color=BLUE, lw=2.4, label="interval over actors")
    if over_clips:
        axes.plot([], [], color=GREY, lw=1, label="over clips")
    axes.axvline(scale * chance, color=GREY, lw=1, ls=DASHED, label="a guess", zorder=1)
    names = ["\n".join(textwrap.wrap(result.name, 26)[:2]) for result in results]
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set(ylim=(len(names) - 0.4, -0.6), xlabel=_with_unit(score, score.title))
    axes.set_xlim(scale * score.least, scale)
    axes.grid(axis="x", color=GRID, lw=0.8)
    axes.tick_params(length=0)
    figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    return figure


def cost_figure(results: Sequence[Result], lines: Mapping[str, float], score: Score) -> Figure:
    """Accuracy or CCC against GFLOPs a clip, logarithmic; models of unknown cost are left out.

    Args:
        results: The models, at least one of known cost.
        lines: What else there is to reach: name -> the same figure.
        score: What they are measured by.
    """
    scale, drawn = score.scale, score.against_cost
    label = 4.2 * scale * (1 - score.least) / 100  # the height of a name
    known = [result for result in results if result.cost.gflops_per_clip]
    figure, axes = empty_axes(WIDTH, 4.2)
    for line, value in lines.items():
        crowded = any(0 < other - value < 0.07 for other in lines.values())
        axes.axhline(scale * value, color=GREY, lw=1, ls=DASHED, zorder=1)
        axes.text(
            0.995,
            scale * value + (-0.2 if crowded else 0.2) * label,
            line,
            transform=axes.get_yaxis_transform(),
            color=GREY,
            parse_math=False,
            ha="right",
            va="top" if crowded else "bottom",
            size=8.5,
        )
    estimates = [result.by_actor[drawn] for result in known]
    heights = _apart([scale * estimate.value for estimate in estimates], label)
    gflops = [result.cost.gflops_per_clip or 1.0 for result in known]
    # how far the axis reaches, in powers of e: names stand right of their points and need two fifths of it
    reach = max(np.log(max(gflops) / min(gflops)), np.log(3))
    for result, estimate, cost, height in zip(known, estimates, gflops, heights, strict=True):
        color = RED if result.leaks else BLUE
        if estimate.interval:
            ends = scale * estimate.interval.low, scale * estimate.interval.high
            axes.plot([cost] * 2, ends, color=color, lw=1.2, alpha=0.55)
        axes.plot([cost], [scale * estimate.value], "o", color=color, ms=7, zorder=3)
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
    axes.set(ylim=(scale * score.least, scale), xlabel="GFLOPs a clip")
    axes.set_ylabel(_with_unit(score, score.merit[drawn]))
    axes.grid(color=GRID, lw=0.8)
    return figure


def reliability_figure(bins: Sequence[ReliabilityBin], title: str) -> Figure:
    """How often a network is right at each confidence; on the diagonal it promises what it keeps."""
    figure, axes = empty_axes(3.9, 4.2)
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


def curves_figure(
    curves: Sequence[Mapping[str, Curve]], title: str, score: Literal["accuracy", "ccc"]
) -> Figure:
    """Loss and accuracy or CCC over epochs, a thin line a run and their mean, which ends where the first run does."""
    figure = Figure(figsize=(WIDTH, 2.9), dpi=1.5 * DPI, layout="constrained")
    figure.suptitle(title, size=11, parse_math=False)
    for axes, what, scale in zip(
        figure.subplots(1, 2), ("loss", score), (1, 100 if score == "accuracy" else 1), strict=True
    ):
        for side, color in (("train", GREY), ("val", BLUE)):
            there = [run[f"{side}_{what}"] for run in curves if f"{side}_{what}" in run]
            label = {"train": "training", "val": "validation"}[side]
            _draw(axes, there, scale, color, label)
        axes.set(
            xlabel="epoch",
            ylabel={"loss": what, "accuracy": "accuracy, per cent", "ccc": "CCC"}[what],
        )
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


def _with_unit(score: Score, title: str) -> str:
    return f"{title}, {score.unit}" if score.unit else title


def _apart(values: Sequence[float], least: float) -> list[float]:
    """Heights for labels, near their values and at least so far from each other.

    >>> _apart([50, 51, 90], least=4)
    [48.5, 52.5, 90.0]
    """
    order = np.argsort(values, kind="stable")
    heights = np.asarray(values, float)[order]
    for _ in range(100):
        gaps = np.diff(heights)
        if (gaps >= least * (1 - 1e-6)).all():
            break
        for place in np.flatnonzero(gaps < least):
            push = (least - (heights[place + 1] - heights[place])) / 2
            heights[place] -= push
            heights[place + 1] += push
    placed = np.empty_like(heights)
    placed[order] = heights
    return [round(float(height), 3) for height in placed]


def empty_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many inches with one pair of axes, as all pictures of a report have them."""
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
