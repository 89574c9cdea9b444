"""The figures of a report: models side by side, and each by itself. Drawn without pyplot, as in `emorec.evaluation`."""

import base64
import io
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from emorec.evaluation.figures import BINS, DPI, FAINT, INK, confusion_figure, plane_figure
from emorec.evaluation.task import Task
from emorec.report.breakdown import Breakdown
from emorec.report.comparison import Comparison, ModelResult

BLUE = "#1f5a94"
RED = "#b00020"
ORANGE = "#c8691c"
GREY = "#7a828b"
GRID = "#e6e9ec"
DASHED = (0, (4, 3))
MODEL_COLORS = (BLUE, ORANGE, "#3b7d4f", "#7a4a9e", GREY)

WIDTH = 7.0  # inches
MAX_VIDEOS = 80


@dataclass(frozen=True, slots=True)
class ReportFigure:
    """A figure of the report, saved.

    Attributes:
        name: Of its files, without suffix.
        alt: What it shows, in a sentence.
        svg: Content of the SVG file; the same bytes each time.
        png: Content of the PNG file.
        model: Position of the model that it shows; `None` for all.
        wide: Whether it takes the whole width of the page.
    """

    name: str
    alt: str
    svg: bytes
    png: bytes
    model: int | None = None
    wide: bool = False

    @classmethod
    def of(
        cls, name: str, alt: str, figure: Figure, model: int | None = None, wide: bool = False
    ) -> Self:
        """Save a figure."""
        svg, png = io.BytesIO(), io.BytesIO()
        with mpl.rc_context({"svg.hashsalt": "emorec", "svg.fonttype": "path"}):
            figure.savefig(svg, format="svg", metadata={"Date": None})
        figure.savefig(png, format="png")
        return cls(name, alt, svg.getvalue(), png.getvalue(), model, wide)

    @property
    def data_url(self) -> str:
        """The SVG as the source of an image."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg).decode()}"


def report_figures(
    comparison: Comparison, breakdowns: Sequence[Breakdown]
) -> Iterator[ReportFigure]:
    """Draw the figures in the order of the report.

    Args:
        comparison: M models.
        breakdowns: Of the same M models.
    """
    task, results = comparison.task, comparison.results
    yield ReportFigure.of(
        f"{task.score}_intervals",
        f"{task.score_title} of every model with its intervals",
        intervals_figure(task, results, comparison.trivial[task.score]),
    )
    metric = task.cost_metric
    people = {
        each.name: each.scores[metric]
        for each in comparison.references
        if each.kind == "people" and metric in each.scores
    }
    if any(result.cost["gflops_per_clip"] for result in results):
        yield ReportFigure.of(
            f"{metric}_against_cost",
            f"{task.headings[metric]} of every model against its GFLOPs a clip",
            cost_figure(task, results, people),
        )
    if task.kind == "numbers":
        yield ReportFigure.of(
            "ccc_by_video",
            "CCC of every model in each video",
            videos_figure(results, breakdowns),
        )
    slugs = file_slugs([result.name for result in results])
    for model, (slug, result, breakdown) in enumerate(zip(slugs, results, breakdowns, strict=True)):
        for what, alt, figure, wide in _model_figures(task, result, breakdown):
            yield ReportFigure.of(f"{slug}_{what}", f"{result.name}: {alt}", figure, model, wide)


def _model_figures(
    task: Task, result: ModelResult, breakdown: Breakdown
) -> Iterator[tuple[str, str, Figure, bool]]:
    """Draw the figures of a model: end of the name, description, figure, and whether it is wide."""
    name, table, seeds = result.name, result.tables[0], len(result.tables)
    matrix, metric = breakdown.confusion, task.cost_metric
    if matrix is not None:
        title = f"{name}: clips" + (f", sum of {seeds} seeds" if seeds > 1 else "")
        counts = confusion_figure(matrix, task.names, title)
        yield "confusion_counts", "confusion matrix, clips", counts, False
        title = "per cent of the true class"
        shares = shares_figure(matrix, task.names, f"{name}: {title}")
        yield "confusion_shares", f"confusion matrix, {title}", shares, False
        title = f"{name}: ECE {task.format(result.scores['ece'].value)} %"
        bins = reliability_figure(breakdown.reliability, title)
        yield "reliability", "reliability diagram", bins, False
    else:
        title = f"{name}, first seed" if seeds > 1 else name
        true, predicted = task.target(table), task.output(table)
        plane = plane_figure({"truth": true, "prediction": predicted}, task.names, title)
        yield "plane", "distribution of labels and of predictions", plane, True
        scatter = scatter_figure(true, predicted, task.names, title)
        yield "scatter", "predictions against labels", scatter, True
    if curves := [run for run in breakdown.curves if not run.empty]:
        score = "CCC" if metric == "ccc" else metric
        alt = f"training and validation loss and {score} by epoch"
        yield "curves", alt, curves_figure(task, curves, name), True


def file_slugs(names: Sequence[str]) -> list[str]:
    """Turn names into unique parts of file names.

    >>> file_slugs(["CNNLSTM, 10 frames", "CNNLSTM (10 frames)", "x/../y"])
    ['CNNLSTM_10_frames', 'CNNLSTM_10_frames_2', 'x_.._y']
    """
    slugs: list[str] = []
    for name in names:
        short = re.sub(r"[^A-Za-z0-9.+-]+", "_", name).strip("_.")[:80] or "model"
        taken = {slug.casefold() for slug in slugs}
        number = 1
        slug = short
        while slug.casefold() in taken:
            number += 1
            slug = f"{short}_{number}"
        slugs.append(slug)
    return slugs


def shares_figure(matrix: NDArray[np.int64], class_names: Sequence[str], title: str) -> Figure:
    """Draw a confusion matrix whose cells are per cent of the true class.

    Args:
        matrix: (K, K) counts; rows are the truth, columns the predictions.
        class_names: K names in label order.
        title: Above it.
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


def intervals_figure(task: Task, results: Sequence[ModelResult], trivial: float) -> Figure:
    """Draw the UAR or CCC of models below each other with their intervals.

    Args:
        task: What the models predict.
        results: The models, the first on top.
        trivial: The same score of trivial predictions.
    """
    scale = 100 if task.percent else 1
    over_clips = any(result.clip_scores for result in results)
    figure, axes = empty_axes(WIDTH, 1.1 + 0.42 * len(results))
    for row, result in enumerate(results):
        color = RED if result.leaks else BLUE
        score = result.scores[task.score]
        clips = result.clip_scores.get(task.score)
        for interval, offset, shade, line_width in (
            (score.interval, -0.1, color, 2.4),
            (clips.interval if clips else None, 0.22, GREY, 1),
        ):
            if interval:
                ends = scale * interval.low, scale * interval.high
                axes.plot(ends, [row + offset] * 2, color=shade, lw=line_width)
        axes.plot([scale * score.value], [row - 0.1], "o", color=color, ms=6.5, zorder=3)
    axes.plot([], [], "o-", color=BLUE, lw=2.4, label="interval over actors")
    if over_clips:
        axes.plot([], [], color=GREY, lw=1, label="over clips")
    axes.axvline(scale * trivial, color=GREY, lw=1, ls=DASHED, label=_trivial_label(task), zorder=1)
    names = ["\n".join(textwrap.wrap(result.name, 26)[:2]) for result in results]
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set(ylim=(len(names) - 0.4, -0.6), xlabel=_with_unit(task, task.score_title))
    axes.set_xlim(scale * task.bounds(task.score)[0], scale)
    axes.grid(axis="x", color=GRID, lw=0.8)
    axes.tick_params(length=0)
    figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    return figure


def _trivial_label(task: Task) -> str:
    return "majority class" if task.kind == "classes" else "mean of the labels"


def cost_figure(task: Task, results: Sequence[ModelResult], lines: Mapping[str, float]) -> Figure:
    """Draw accuracy or CCC against GFLOPs a clip, logarithmic; models of unknown cost are left out.

    Args:
        task: What the models predict.
        results: The models, at least one of known cost.
        lines: Reference -> its score, drawn as a horizontal line.
    """
    scale, metric = 100 if task.percent else 1, task.cost_metric
    least = task.bounds(metric)[0]
    label_height = 4.2 * scale * (1 - least) / 100
    plotted = [result for result in results if result.cost["gflops_per_clip"]]
    figure, axes = empty_axes(WIDTH, 4.2)
    for line, value in lines.items():
        crowded = any(0 < other - value < 0.07 for other in lines.values())
        axes.axhline(scale * value, color=GREY, lw=1, ls=DASHED, zorder=1)
        axes.text(
            0.995,
            scale * value + (-0.2 if crowded else 0.2) * label_height,
            line,
            transform=axes.get_yaxis_transform(),
            color=GREY,
            parse_math=False,
            ha="right",
            va="top" if crowded else "bottom",
            size=8.5,
        )
    estimates = [result.scores[metric] for result in plotted]
    heights = _spread_labels([scale * estimate.value for estimate in estimates], label_height)
    gflops = [result.cost["gflops_per_clip"] or 1.0 for result in plotted]
    # the axis' extent in powers of e: names are right of their points and need two fifths of it
    extent = max(np.log(max(gflops) / min(gflops)), np.log(3))
    for result, estimate, cost, height in zip(plotted, estimates, gflops, heights, strict=True):
        color = RED if result.leaks else BLUE
        if estimate.interval:
            ends = scale * estimate.interval.low, scale * estimate.interval.high
            axes.plot([cost] * 2, ends, color=color, lw=1.2, alpha=0.55)
        axes.plot([cost], [scale * estimate.value], "o", color=color, ms=7, zorder=3)
        axes.text(
            cost * np.exp(0.03 * extent),
            height,
            result.name,
            ha="left",
            va="center",
            size=9,
            color=INK,
            parse_math=False,
        )
    axes.set_xscale("log")
    # models of similar cost lie between two powers of ten, which alone would leave the axis without a tick
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(min(gflops) / np.exp(0.08 * extent), max(gflops) * np.exp(0.65 * extent))
    axes.set(ylim=(scale * least, scale), xlabel="GFLOPs a clip")
    axes.set_ylabel(_with_unit(task, task.headings[metric]))
    axes.grid(color=GRID, lw=0.8)
    return figure


def reliability_figure(bins: pd.DataFrame, title: str) -> Figure:
    """Draw a reliability diagram: the accuracy at each confidence; on the diagonal the two are equal."""
    figure, axes = empty_axes(3.9, 4.2)
    for each in bins.itertuples():
        width = each.high - each.low
        axes.bar(each.low, each.accuracy, width, align="edge", color=BLUE, edgecolor="white")
        axes.plot([each.confidence], [each.accuracy], "o", color=ORANGE, ms=3.5)
        axes.text(
            each.low + width / 2,
            1.015,
            f"{each.clips:.0f}",
            ha="center",
            size=6,
            color=GREY,
            clip_on=False,
        )
    axes.plot([0, 1], [0, 1], color=INK, lw=1, ls=DASHED)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="confidence", ylabel="accuracy")
    figure.suptitle(title, size=11, parse_math=False)
    axes.set_title("clips in each bin above it", size=8, color=GREY, pad=12)
    return figure


def curves_figure(task: Task, curves: Sequence[pd.DataFrame], title: str) -> Figure:
    """Draw loss and accuracy or CCC by epoch: a thin line a run and their mean, which ends where the first run does."""
    figure = Figure(figsize=(WIDTH, 2.9), dpi=1.5 * DPI, layout="constrained")
    figure.suptitle(title, size=11, parse_math=False)
    score = task.cost_metric
    titles = {"loss": "loss", "accuracy": "accuracy, per cent", "ccc": "CCC"}
    for axes, metric, scale in zip(
        figure.subplots(1, 2), ("loss", score), (1, 100 if task.percent else 1), strict=True
    ):
        for subset, label, color in (("train", "training", GREY), ("val", "validation", BLUE)):
            column = f"{subset}_{metric}"
            runs = [scale * run[column].dropna() for run in curves if column in run]
            _plot_runs(axes, runs, color, label)
        axes.set(xlabel="epoch", ylabel=titles[metric])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(0, 100 if scale == 100 else None)
        axes.grid(color=GRID, lw=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8.5)
    return figure


def _plot_runs(axes: Axes, runs: Sequence[pd.Series], color: str, label: str) -> None:
    for run in runs:
        thin = {"lw": 0.8, "alpha": 0.4} if len(runs) > 1 else {"lw": 1.8, "label": label}
        axes.plot(run.index, run, color=color, **thin)
    if len(runs) > 1:
        mean = pd.concat(runs, axis=1).dropna().mean(axis=1)
        axes.plot(mean.index, mean, color=color, lw=2, label=f"{label}, mean of {len(runs)}")


def scatter_figure(
    target: NDArray[np.floating], predicted: NDArray[np.floating], names: Sequence[str], title: str
) -> Figure:
    """Draw predictions against labels, a histogram for each of R numbers; on the diagonal the two are equal.

    Args:
        target: (N, R) labels.
        predicted: (N, R) predictions.
        names: R names.
        title: Above it.
    """
    figure = Figure(figsize=(3.9 * len(names) + 0.5, 4.1), dpi=1.5 * DPI, layout="constrained")
    figure.suptitle(title, size=11, parse_math=False)
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for axes, name, x, y in zip(panels, names, target.T, predicted.T, strict=True):
        # valence and arousal are in -1 to 1; other numbers may not be
        low, high = min(-1.0, x.min()), max(1.0, x.max())
        edges = np.linspace(low, high, BINS + 1)
        counts, _, _ = np.histogram2d(x, np.clip(y, low, high), bins=(edges, edges))
        nonzero = np.ma.masked_equal(counts.T, 0)
        axes.pcolormesh(
            edges, edges, nonzero, norm=LogNorm(1, max(counts.max(), 2)), cmap="viridis"
        )
        axes.plot([low, high], [low, high], color=INK, lw=1, ls=DASHED)
        axes.set(aspect="equal", xlim=(low, high), ylim=(low, high))
        axes.set_xlabel(f"{name}, true", parse_math=False)
        axes.set_ylabel("predicted")
        axes.grid(color=GRID, lw=0.8)
    return figure


def videos_figure(results: Sequence[ModelResult], breakdowns: Sequence[Breakdown]) -> Figure:
    """Draw the CCC of each video, a point a model; the videos that are hardest for the first model on top.

    Args:
        results: M models.
        breakdowns: Of the same M models.
    """
    videos = breakdowns[0].groups["video"].ccc.sort_values(kind="stable").index[:MAX_VIDEOS]
    figure, axes = empty_axes(WIDTH, 1.2 + 0.2 * len(videos))
    for number, (result, breakdown) in enumerate(zip(results, breakdowns, strict=True)):
        axes.plot(
            breakdown.groups["video"].ccc[videos],
            range(len(videos)),
            "osD^v"[number % 5],
            color=RED if result.leaks else MODEL_COLORS[number % len(MODEL_COLORS)],
            ms=4.5,
            alpha=0.8,
            label=textwrap.shorten(result.name, 40),
        )
    axes.axvline(0, color=GREY, lw=1, ls=DASHED, zorder=1)
    axes.set_yticks(range(len(videos)), list(videos), parse_math=False, size=7)
    axes.set(xlim=(-1, 1), ylim=(len(videos) - 0.4, -0.6), xlabel="CCC within the video")
    axes.grid(axis="x", color=GRID, lw=0.8)
    axes.tick_params(length=0)
    legend = figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=8.5)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _with_unit(task: Task, title: str) -> str:
    return f"{title}, per cent" if task.percent else title


def _spread_labels(values: Sequence[float], distance: float) -> list[float]:
    """Return heights for labels near their values, at least a distance apart.

    >>> _spread_labels([50, 51, 90], distance=4)
    [48.5, 52.5, 90.0]
    """
    order = np.argsort(values, kind="stable")
    heights = np.asarray(values, float)[order]
    for _ in range(100):
        gaps = np.diff(heights)
        if (gaps >= distance * (1 - 1e-6)).all():
            break
        for lower in np.flatnonzero(gaps < distance):
            push = (distance - (heights[lower + 1] - heights[lower])) / 2
            heights[lower] -= push
            heights[lower + 1] += push
    spread = np.empty_like(heights)
    spread[order] = heights
    return [round(float(height), 3) for height in spread]


def empty_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of a size in inches with one pair of axes in the report's style."""
    figure = Figure(figsize=(width, height), dpi=1.5 * DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    return figure, axes
