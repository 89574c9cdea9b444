"""`timeline.png`: what a network said over time, a panel a person."""

import itertools
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from emorec.evaluation.figures import FAINT, INK
from emorec.files import whole_file
from emorec.inference.colours import colours_of
from emorec.inference.prediction import UNCERTAIN, WindowPrediction
from emorec.inference.timeline import Timeline

MAX_PANELS = 8
"""Of more people those are shown who are there longest."""

WIDTH = 11.0  # inches
PANEL_HEIGHT = 1.9  # inches
DPI = 110
PAD = 0.09  # inches between panels, titles and what stands above panels

TICKS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 1200, 1800, 3600, 7200),
)
MAX_TICKS = 12

NOBODY = "#e9ecef"
NAMED_SHARE = 0.08
"""Of the picture's width that a stretch with one word takes for the word to be written on it."""

RIBBON = (1.03, 1.16)
"""Where what is predicted stands above the probabilities, as a share of the panel's height."""

Stretch = tuple[float, float, WindowPrediction]
"""Start and end of what a window is shown for, and what was said of it."""


def write_timeline_picture(path: Path, timeline: Timeline) -> None:
    """Draws a timeline; the same one gives the same bytes.

    Raises:
        OSError: When the file can't be written.
    """
    with warnings.catch_warnings(), whole_file(path) as file:
        # a script that the font lacks is shown as boxes
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        timeline_figure(timeline).savefig(file, format="png", dpi=DPI, metadata={"Software": None})


def timeline_figure(timeline: Timeline) -> Figure:
    """Probabilities stacked over time, or numbers as lines; a panel a person."""
    people, left_out = _shown(timeline)
    panels = max(1, len(people))
    rows = -(-(len(timeline.names) + 3) // _legend_columns(timeline.names))
    height = 1.0 + 0.22 * rows + PANEL_HEIGHT * panels
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout=ConstrainedLayoutEngine(h_pad=PAD))
    title = timeline.path.name if timeline.path else "camera"
    more = f" (and {left_out} people who are there more briefly)" if left_out else ""
    figure.suptitle(f"{title}{more}", size=11, x=0.01, ha="left", color=INK, parse_math=False)
    each = figure.subplots(panels, 1, squeeze=False, sharex=True)[:, 0]
    colours = colours_of(timeline.names)
    end = max(timeline.seconds, max((said.end for said in timeline.windows), default=0.0), 0.001)
    persons: list[int | None] = [*people] or [None]
    for axes, person in zip(each, persons, strict=True):
        own = [said for said in timeline.windows if said.person == person and said.values]
        stretches = list(stretches_of(own, timeline.hop_seconds))
        if timeline.says == "classes":
            _draw_classes(axes, stretches, timeline, colours, end)
        else:
            _draw_numbers(axes, stretches, timeline, colours)
        _draw_gaps(axes, timeline)
        axes.set_xlim(0, end)
        label = f"person {person}" if len(people) > 1 else None
        axes.set_ylabel(label or "", color=INK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(FAINT)
        axes.tick_params(color=FAINT, labelcolor=INK, labelsize=9)
    each[-1].xaxis.set_major_locator(MultipleLocator(tick_seconds(end)))
    each[-1].xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock_time(seconds, end)))
    _draw_legend(figure, timeline, colours)
    return figure


def stretches_of(windows: Sequence[WindowPrediction], hop_seconds: float) -> Iterator[Stretch]:
    """What each window of a person is shown for: windows overlap, so up to the middle between their own middles.

    The first and the last of those that follow each other reach to their own ends.

    Args:
        windows: Of one person, in order.
        hop_seconds: Between windows that follow each other.
    """
    middles = [(said.start + said.end) / 2 for said in windows]
    follows = [
        later - earlier < 1.5 * hop_seconds for earlier, later in itertools.pairwise(middles)
    ]
    for place, said in enumerate(windows):
        after = place > 0 and follows[place - 1]
        before = place < len(follows) and follows[place]
        start = (middles[place - 1] + middles[place]) / 2 if after else said.start
        end = (middles[place] + middles[place + 1]) / 2 if before else said.end
        yield start, end, said


def tick_seconds(longest: float) -> float:
    """Between the ticks of an axis of so many seconds: a step that people count in.

    >>> tick_seconds(3.7), tick_seconds(65), tick_seconds(3600)
    (0.5, 10, 300)
    """
    return next((step for step in TICKS if step * MAX_TICKS >= longest), 3600.0 * 6)


def clock_time(seconds: float, longest: float) -> str:
    """A moment as people write it.

    >>> clock_time(75, 600), clock_time(2.5, 3.7), clock_time(3675, 4000)
    ('1:15', '2.5 s', '1:01:15')
    """
    if longest < 60:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _shown(timeline: Timeline) -> tuple[list[int], int]:
    """Who gets a panel, in order, and how many others there are."""
    windows = {person: len(timeline.of_person(person)) for person in timeline.persons}
    longest = sorted(windows, key=lambda person: (-windows[person], person))[:MAX_PANELS]
    return sorted(longest), len(windows) - len(longest)


def _steps(stretches: Sequence[Stretch]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Moments (M,) and values (M, K), two for each stretch and one that is not a number where some time is between."""
    moments: list[float] = []
    values: list[tuple[float, ...]] = []
    for start, end, said in stretches:
        assert said.values is not None
        if moments and start > moments[-1] + 1e-6:
            moments.append(start)
            values.append((np.nan,) * len(said.values))
        moments += [start, end]
        values += [said.values, said.values]
    return np.array(moments), np.array(values)


def _draw_classes(
    axes: Axes,
    stretches: Sequence[Stretch],
    timeline: Timeline,
    colours: Sequence[str],
    end: float,
) -> None:
    axes.set(ylim=(0, 1), yticks=[0, 0.5, 1])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
    if not stretches:
        return
    moments, values = _steps(stretches)
    tops = np.cumsum(values, axis=1)
    tops[:, -1] = np.where(np.isnan(tops[:, -1]), np.nan, 1)  # float32 may sum to a little less
    for column in reversed(range(len(colours))):  # the highest first: the next ones paint over it
        axes.fill_between(moments, tops[:, column], color=colours[column], linewidth=0)
    _draw_ribbon(axes, stretches, timeline, colours, end)


def _draw_ribbon(
    axes: Axes,
    stretches: Sequence[Stretch],
    timeline: Timeline,
    colours: Sequence[str],
    end: float,
) -> None:
    """What is predicted, above the probabilities: in the colour of its class, with its name where there is room."""
    colour_of = dict(zip(timeline.names, colours, strict=True))
    low, high = RIBBON
    across = axes.get_xaxis_transform()
    runs = list(_runs(stretches))
    for unsure in (False, True):  # all at once: there may be thousands
        own = [run for run in runs if (run[2] == UNCERTAIN) == unsure]
        axes.broken_barh(
            [(start, stop - start) for start, stop, _ in own],
            (low, high - low),
            facecolors=[colour_of.get(word, "white") for _, _, word in own],
            edgecolor=FAINT if unsure else "none",
            hatch="////" if unsure else None,
            linewidth=0,
            transform=across,
            clip_on=False,
        )
    for start, stop, word in runs:
        if stop - start > NAMED_SHARE * end:
            axes.text(
                (start + stop) / 2,
                (low + high) / 2,
                word,
                transform=across,
                ha="center",
                va="center",
                size=8,
                color=INK if word == UNCERTAIN else ink_on(colour_of[word]),
                parse_math=False,
            )


def _runs(stretches: Sequence[Stretch]) -> Iterator[tuple[float, float, str]]:
    """Stretches that touch and have the same word, as one."""
    run: tuple[float, float, str] | None = None
    for start, end, said in stretches:
        if run and run[2] == said.predicted and start <= run[1] + 1e-6:
            run = run[0], end, said.predicted
            continue
        if run:
            yield run
        run = start, end, said.predicted
    if run:
        yield run


def ink_on(colour: str) -> str:
    """What can be read on a colour.

    >>> ink_on("#f2c14e"), ink_on("#3d6fb6")
    ('#222222', 'white')
    """
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else "white"


def _draw_numbers(
    axes: Axes, stretches: Sequence[Stretch], timeline: Timeline, colours: Sequence[str]
) -> None:
    axes.axhline(0, color=FAINT, linewidth=0.8)
    largest = max((abs(each) for said in timeline.windows for each in said.values or ()), default=1)
    axes.set_ylim(-1.05 * max(1.0, largest), 1.05 * max(1.0, largest))
    if not stretches:
        return
    moments, values = _steps(stretches)
    for column, colour in enumerate(colours):
        axes.plot(moments, values[:, column], color=colour, linewidth=1.4)


def _draw_gaps(axes: Axes, timeline: Timeline) -> None:
    nobody = [said for said in timeline.windows if said.person is None]
    for start, end, _ in stretches_of(nobody, timeline.hop_seconds):
        axes.axvspan(start, end, color=NOBODY, linewidth=0, zorder=0)
    for hole in timeline.holes:
        axes.axvspan(
            hole.start, hole.end, facecolor="white", edgecolor=INK, hatch="xxx", linewidth=0
        )


def _draw_legend(figure: Figure, timeline: Timeline, colours: Sequence[str]) -> None:
    patches = [
        Patch(color=colour, label=name)
        for name, colour in zip(timeline.names, colours, strict=True)
    ]
    if any(said.predicted == UNCERTAIN for said in timeline.windows):
        patches.append(Patch(facecolor="white", edgecolor=FAINT, hatch="////", label=UNCERTAIN))
    if any(said.person is None for said in timeline.windows):
        patches.append(Patch(color=NOBODY, label="no face"))
    if timeline.holes:
        patches.append(Patch(facecolor="white", edgecolor=INK, hatch="xxx", label="damaged"))
    rows = -(-len(patches) // _legend_columns(timeline.names))
    legend = figure.legend(
        handles=patches,
        loc="outside lower center",
        ncols=-(-len(patches) // rows),
        frameon=False,
        fontsize=9,
        handlelength=1.2,
        columnspacing=1.4,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _legend_columns(names: Sequence[str]) -> int:
    """So many of the names fit beside each other.

    >>> _legend_columns(["valence", "arousal"]), _legend_columns(["a name of thirty-five letters or so"])
    (10, 3)
    """
    pixels = 46 + 8 * max(max(map(len, names), default=1), len(UNCERTAIN))
    return max(1, int(1180 / pixels))
