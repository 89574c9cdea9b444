"""`timeline.png`: the predictions of a video over time, a panel for each person; and the colour of each class."""

import warnings
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, DrawingArea
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, PercentFormatter

from emorec.data.landmarks import CONTOUR_STARTS
from emorec.inference.timeline import (
    NO_FACE,
    UNCERTAIN,
    Timeline,
    Window,
    display_intervals,
    format_time,
    format_unfamiliar,
)
from emorec.io import atomic_write
from emorec.text import printable

EMOTION_COLORS = {
    "neutral": "#8d99ae",
    "calm": "#5fb49c",
    "happy": "#f2c14e",
    "sad": "#3d6fb6",
    "angry": "#c8372d",
    "fearful": "#7b4ea3",
    "disgust": "#6f9a37",
    "surprised": "#ef8a3c",
    "excited": "#e76fa0",
    "frustrated": "#8c564b",
    "other": "#4a4e57",
    "valence": "#3d6fb6",
    "arousal": "#c8372d",
}
SYNONYMS = {
    "happiness": "happy",
    "sadness": "sad",
    "anger": "angry",
    "fear": "fearful",
    "disgusted": "disgust",
    "surprise": "surprised",
    "excitement": "excited",
    "frustration": "frustrated",
}
OTHER_COLORS = (
    *("#17becf", "#bcbd22", "#e377c2", "#1b7837", "#a6761d", "#08519c", "#fb6a4a", "#54278f"),
    *("#66c2a4", "#fed976", "#525252", "#9ebcda"),
)
"""For classes without a colour of their own, in order."""

UNCERTAIN_COLOR = "#c9ced6"
"""For "uncertain" and "no face"."""

DARK, LIGHT = "#222222", "white"

MAX_PANELS = 8
"""Of more persons, those with the most windows are shown."""

WIDTH = 11.0  # inches
PANEL_HEIGHT = 1.9  # inches
DPI = 110
PADDING = 0.09  # inches between panels

SECOND = 1 / 86_400
"""In days, the unit of Matplotlib's date axes."""

FAINT = "#b5bcc4"
NO_FACE_COLOR = "#e9ecef"

MAX_STEPS = 600
"""Of the probabilities: at least two pixels wide; more would take memory and look like noise."""

LABELLED_SHARE = 0.08
"""Share of the width from which on a label is written on the ribbon."""

RIBBON = (1.03, 1.16)
"""Bottom and top of the ribbon of predicted labels, as a share of the panel's height."""

FACE_HEIGHT = 26  # points
"""Of the lines of faces above the ribbon."""

FACE_SHARE = 0.035
"""Least distance of two faces, as a share of the width."""

Interval = tuple[float, float, Window]
"""Start and end of the interval in which a window is displayed, in days, and the window."""


def plot_timeline(path: Path, timeline: Timeline) -> None:
    """Plot a timeline as a PNG file, reproducibly.

    Raises:
        OSError: When the file can't be written.
    """
    with warnings.catch_warnings(), atomic_write(path) as file:
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # drawn as boxes
        timeline_figure(timeline).savefig(file, format="png", dpi=DPI, metadata={"Software": None})


def timeline_figure(timeline: Timeline) -> Figure:
    """Return a figure of stacked probabilities, or of numbers as lines, with a panel for each person."""
    persons = most_present(timeline)
    num_hidden = len(timeline.persons) - len(persons)
    num_panels = max(1, len(persons))
    has_contours = any(window.contours for window in timeline.windows)
    panel_height = PANEL_HEIGHT + (FACE_HEIGHT / 72 if has_contours else 0)
    handles = legend_handles(timeline)
    legend_rows = -(-len(handles) // legend_columns(timeline.names))
    figure = Figure(
        figsize=(WIDTH, 1.0 + 0.22 * legend_rows + panel_height * num_panels),
        dpi=DPI,
        layout=ConstrainedLayoutEngine(h_pad=PADDING),
    )
    title = printable(timeline.path.name) if timeline.path else "camera"
    more = f" (and {num_hidden} more persons with fewer windows)" if num_hidden else ""
    adapted = f", adapted to each person by {timeline.adapted_by}" if timeline.adapted_by else ""
    unfamiliar = f": {it}" if (it := format_unfamiliar(timeline)) else ""
    figure.suptitle(
        f"{title}{more}{adapted}{unfamiliar}",
        size=11,
        x=0.01,
        ha="left",
        color=DARK,
        parse_math=False,
    )
    panels = figure.subplots(num_panels, 1, squeeze=False, sharex=True)[:, 0]
    end = max(timeline.seconds, max((each.end for each in timeline.windows), default=0.0), 0.001)
    for index, axes in enumerate(panels):
        intervals = intervals_of(timeline, persons[index]) if persons else []
        if timeline.task == "classes":
            _plot_probabilities(axes, intervals, timeline, end * SECOND)
        else:
            _plot_numbers(axes, intervals, timeline)
        _mark_unfamiliar(axes, intervals)
        _plot_faces(axes, intervals, end * SECOND)
        _shade_gaps(axes, timeline)
        axes.set_xlim(0, end * SECOND)
        if len(persons) > 1:
            axes.set_ylabel(f"person {persons[index]}", color=DARK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(FAINT)
        axes.tick_params(color=FAINT, labelcolor=DARK, labelsize=9)
    panels[-1].xaxis.set_major_locator(AutoDateLocator(maxticks=15))  # type: ignore[no-untyped-call]
    panels[-1].xaxis.set_major_formatter(
        FuncFormatter(lambda days, _: format_time(round(days / SECOND, 3), end))
    )
    legend = figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=-(-len(handles) // legend_rows),
        frameon=False,
        fontsize=9,
        handlelength=1.2,
        columnspacing=1.4,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def most_present(timeline: Timeline) -> list[int]:
    """Return the persons that get a panel, sorted."""
    num_windows = {person: len(timeline.of_person(person)) for person in timeline.persons}
    return sorted(
        sorted(num_windows, key=lambda person: (-num_windows[person], person))[:MAX_PANELS]
    )


def intervals_of(timeline: Timeline, person: int | None) -> list[Interval]:
    """Return the display intervals of a person's windows, in days; `None`: of the windows without a face."""
    windows = timeline.of_person(person)
    return [
        (start * SECOND, end * SECOND, window)
        for start, end, window in display_intervals(windows, timeline.hop_seconds)
    ]


def _steps(
    intervals: Sequence[Interval],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return times (M,) and values (M, K): two points for each interval, and NaN between separate ones.

    Of a long video, several intervals have their mean in common.
    """
    num_joined = -(-len(intervals) // MAX_STEPS)
    steps: list[tuple[float, float, list[tuple[float, ...]]]] = []
    for start, end, window in intervals:
        assert window.values is not None
        touches = bool(steps) and start <= steps[-1][1] + 1e-6 * SECOND
        if touches and len(steps[-1][2]) < num_joined:
            first, _, joined = steps[-1]
            steps[-1] = first, end, [*joined, window.values]
        else:
            steps.append((start, end, [window.values]))
    times: list[float] = []
    values: list[npt.NDArray[np.float64]] = []
    for start, end, joined in steps:
        mean = np.mean(joined, axis=0)
        if times and start > times[-1] + 1e-6 * SECOND:
            times.append(start)
            values.append(np.full_like(mean, np.nan))
        times += [start, end]
        values += [mean, mean]
    return np.array(times), np.array(values)


def _plot_probabilities(
    axes: Axes, intervals: Sequence[Interval], timeline: Timeline, end: float
) -> None:
    axes.set(ylim=(0, 1), yticks=[0, 0.5, 1])
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    if not intervals:
        return
    times, values = _steps(intervals)
    colors = colors_of(timeline.names)
    # an edge of the same colour hides the seams between the areas
    axes.stackplot(times, values.T, colors=colors, edgecolor=colors, linewidth=0.3)
    _plot_ribbon(axes, intervals, dict(zip(timeline.names, colors, strict=True)), end)


def _plot_ribbon(
    axes: Axes, intervals: Sequence[Interval], color_of: dict[str, str], end: float
) -> None:
    """Plot the predicted labels above the probabilities: in the colour of the class, named where there is space."""
    bottom, top = RIBBON
    above = axes.get_xaxis_transform()
    axes.set_title(" ", size=9, pad=14)  # reserves the space: the layout ignores the ribbon
    runs: list[tuple[float, float, str]] = []
    for start, stop, window in intervals:
        touches = bool(runs) and start <= runs[-1][1] + 1e-6 * SECOND
        if touches and runs[-1][2] == window.predicted:
            runs[-1] = (runs[-1][0], stop, window.predicted)
        else:
            runs.append((start, stop, window.predicted))
    for uncertain in (False, True):  # one collection each: there may be thousands of runs
        own = [run for run in runs if (run[2] == UNCERTAIN) == uncertain]
        axes.broken_barh(
            [(start, stop - start) for start, stop, _ in own],
            (bottom, top - bottom),
            facecolors=[color_of.get(label, "white") for _, _, label in own],
            edgecolor=FAINT if uncertain else "none",
            hatch="////" if uncertain else None,
            linewidth=0,
            transform=above,
            clip_on=False,
        )
    for start, stop, label in runs:
        if stop - start > LABELLED_SHARE * end:
            axes.text(
                (start + stop) / 2,
                (bottom + top) / 2,
                label,
                transform=above,
                ha="center",
                va="center",
                size=8,
                color=text_color(color_of.get(label, "#ffffff")),
                parse_math=False,
            )


def _mark_unfamiliar(axes: Axes, intervals: Sequence[Interval]) -> None:
    """Draw a dark line below the ribbon where a window is unlike the training clips."""
    axes.broken_barh(
        [(start, stop - start) for start, stop, window in intervals if window.unfamiliar],
        (1.0, RIBBON[0] - 1.0),
        facecolor=DARK,
        linewidth=0,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
    )


def _plot_faces(axes: Axes, intervals: Sequence[Interval], end: float) -> None:
    """Draw the lines of the face in the middle of a window above the ribbon, of as many windows as fit."""
    last = -end
    for start, stop, window in intervals:
        middle = (start + stop) / 2
        if not window.contours or middle - last < FACE_SHARE * end:
            continue
        last = middle
        _, contour = window.contours[len(window.contours) // 2]
        points = contour - contour.mean(axis=0)
        points = points * (FACE_HEIGHT / max(float(np.ptp(points[:, 1])), 1.0))
        area = DrawingArea(1, FACE_HEIGHT)
        for line in np.split(points, CONTOUR_STARTS[1:-1]):
            x, y = line.T
            area.add_artist(Line2D(x, FACE_HEIGHT / 2 - y, color=DARK, linewidth=0.5))
        box = AnnotationBbox(
            area,
            (middle, RIBBON[1]),
            xycoords=axes.get_xaxis_transform(),
            box_alignment=(0.5, 0),
            frameon=False,
            annotation_clip=False,
            pad=0.3,
        )
        axes.add_artist(box)


def _plot_numbers(axes: Axes, intervals: Sequence[Interval], timeline: Timeline) -> None:
    axes.axhline(0, color=FAINT, linewidth=0.8)
    values = [abs(value) for each in timeline.windows for value in each.values or ()]
    limit = 1.05 * max([1.0, *values])
    axes.set_ylim(-limit, limit)
    if not intervals:
        return
    times, numbers = _steps(intervals)
    for column, color in enumerate(colors_of(timeline.names)):
        axes.plot(times, numbers[:, column], color=color, linewidth=1.4)


def _shade_gaps(axes: Axes, timeline: Timeline) -> None:
    for start, end, _ in intervals_of(timeline, None):
        axes.axvspan(start, end, color=NO_FACE_COLOR, linewidth=0, zorder=0)
    for gap in timeline.gaps:
        axes.axvspan(
            gap.start * SECOND,
            gap.end * SECOND,
            facecolor="white",
            edgecolor=DARK,
            hatch="xxx",
            linewidth=0,
        )


def legend_handles(timeline: Timeline) -> list[Patch]:
    """Return a patch for each class or number, and for what else is in the plot."""
    patches = [
        Patch(color=color, label=name)
        for name, color in zip(timeline.names, colors_of(timeline.names), strict=True)
    ]
    if any(each.predicted == UNCERTAIN for each in timeline.windows):
        patches.append(Patch(facecolor="white", edgecolor=FAINT, hatch="////", label=UNCERTAIN))
    if any(each.unfamiliar for each in timeline.windows):
        patches.append(Patch(color=DARK, label="unfamiliar"))
    if any(each.person is None for each in timeline.windows):
        patches.append(Patch(color=NO_FACE_COLOR, label=NO_FACE))
    if timeline.gaps:
        patches.append(Patch(facecolor="white", edgecolor=DARK, hatch="xxx", label="damaged"))
    return patches


def legend_columns(names: Sequence[str]) -> int:
    """Return how many legend entries fit in a row.

    >>> legend_columns(["valence", "arousal"]), legend_columns(["a name of thirty-five letters or so"])
    (10, 3)
    """
    pixels = 46 + 8 * max(max(map(len, names), default=1), len(UNCERTAIN))
    return max(1, int(1180 / pixels))


def colors_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the colour of each class.

    >>> colors_of(["sad", "Sadness", "bored"])
    ('#3d6fb6', '#3d6fb6', '#17becf')
    """
    others = cycle(OTHER_COLORS)
    emotions = [SYNONYMS.get(name.lower(), name.lower()) for name in names]
    return tuple(EMOTION_COLORS.get(emotion) or next(others) for emotion in emotions)


def rgb(color: str) -> tuple[int, int, int]:
    """Return red, green and blue.

    >>> rgb("#ff8000")
    (255, 128, 0)
    """
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def text_color(background: str) -> str:
    """Return a readable text colour.

    >>> text_color("#f2c14e"), text_color("#3d6fb6")
    ('#222222', 'white')
    """
    red, green, blue = rgb(background)
    return DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else LIGHT
