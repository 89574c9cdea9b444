"""The figures of a test as a card shows them: plain tables of text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from emorec.card.tested import Tested
from emorec.comparison.breakdown import class_figures, grouping_of
from emorec.comparison.score import score_of
from emorec.comparison.wording import UNKNOWN, points, span
from emorec.evaluation.counts import ActorCounts
from emorec.evaluation.breakdown import ACTOR, accuracy_by_group, most_confused, reliability
from emorec.evaluation.groups import Confusion, GroupAccuracy, ReliabilityBin
from emorec.evaluation.intervals import Estimate, figures_with_intervals
from emorec.evaluation.predicted import Predicted
from emorec.evaluation.predictions_file import PredictedClips

CLASS = "class"
TOGETHER = ("sex", "intensity")
"""What is looked at together, as one group alone may hide what two do."""

NAMES = {"uar": "UAR", "accuracy": "accuracy (WAR)", "macro_f1": "macro-F1", "ece": "ECE"}

MOST_ROWS = 24
"""Of a table of people or videos; RAVDESS has so many actors."""

Row = tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassTables:
    """Of a classifier.

    Attributes:
        figures: Name, per cent, interval.
        classes: Class, clips, recall, its interval, precision, F1.
        confusion: A line a true class: how often each class was said.
        confused: What is most often taken for what.
        groups: Grouping -> group, clips, actors, accuracy, interval.
        reliability: Confidence, mean confidence, share that is right, clips.
        calibrated: Whether `reliability` is that of the calibrated probabilities.
    """

    figures: tuple[Row, ...]
    classes: tuple[Row, ...]
    confusion: tuple[Row, ...]
    confused: tuple[Confusion, ...]
    groups: Mapping[str, tuple[Row, ...]]
    reliability: tuple[Row, ...]
    calibrated: bool


def class_tables(predicted: PredictedClips, metrics: Mapping[str, Any]) -> ClassTables:
    """The tables of a classifier's test."""
    names = predicted.class_names
    confusion = ActorCounts.of(predicted).confusion.sum(axis=0)
    groups = accuracy_by_group([predicted], _grouping(predicted))
    recalls = {each.group: each.accuracy for each in groups[CLASS]}
    calibrated = predicted.calibrated and replace(predicted, predictions=predicted.calibrated)
    figures = [
        (NAMES[name], points(it.value), span(it.interval) or UNKNOWN)
        for name, it in figures_with_intervals([predicted]).items()
    ]
    if calibrated:
        it = figures_with_intervals([calibrated])["ece"]
        name = f"ECE, calibrated at temperature {metrics['temperature']:.2f}"
        figures.append((name, points(it.value), span(it.interval) or UNKNOWN))
    none = Estimate(0, None)
    return ClassTables(
        figures=tuple(sorted(figures, key=lambda row: row[0] != NAMES["uar"])),
        classes=tuple(
            (
                each.name,
                str(each.clips),
                points(each.recall),
                span(recalls.get(each.name, none).interval) or UNKNOWN,
                points(each.precision),
                points(each.f1),
            )
            for each in class_figures(confusion, names, 1)
        ),
        confusion=tuple(
            (name, *map(str, row)) for name, row in zip(names, confusion.tolist(), strict=True)
        ),
        confused=most_confused([predicted]),
        groups={name: tuple(map(_group, rows)) for name, rows in groups.items() if name != CLASS},
        reliability=tuple(map(_bin, reliability([calibrated or predicted]))),
        calibrated=calibrated is not None,
    )


def _grouping(predicted: PredictedClips) -> dict[str, dict[str, str | int]]:
    """What is known of each clip: its class, what its name tells, and that together."""
    names, targets = predicted.class_names, predicted.predictions.target.tolist()
    told = grouping_of(predicted.paths)
    grouping: dict[str, dict[str, str | int]] = {}
    for path, target in zip(predicted.paths, targets, strict=True):
        known = dict(told.get(path, {}))
        if set(TOGETHER) <= set(known):
            both = ", ".join(str(known[name]) for name in TOGETHER)
            known[" and ".join(TOGETHER)] = both
        grouping[path] = {**known, CLASS: names[target]}
    return grouping


def _group(group: GroupAccuracy) -> Row:
    interval = span(group.accuracy.interval) or UNKNOWN
    value = points(group.accuracy.value)
    return group.group, str(group.num_clips), str(group.num_actors), value, interval


def _bin(each: ReliabilityBin) -> Row:
    between = f"{points(each.low)} to {points(each.high)}"
    return between, points(each.confidence), points(each.accuracy), f"{each.num_clips:.0f}"


def number_rows(predicted: Predicted) -> list[Row]:
    """Figure, value and interval: CCC first, of each number too."""
    score = score_of(predicted)
    figures = figures_with_intervals([predicted])
    return [
        (title, score.shown(figures[name].value), score.span(figures[name].interval) or UNKNOWN)
        for name, title in score.merit.items()
    ]


def worst_rows(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows of groups; where there are too many to read, those of the lowest accuracy."""
    if len(rows) <= MOST_ROWS:
        return rows
    return sorted(rows, key=lambda row: float(row[3]))[:MOST_ROWS]


def video_rows(metrics: Mapping[str, Any]) -> list[Row]:
    """Video, clips and CCC, the worst first; a video whose truth never varies has none."""
    videos = metrics.get("per_video", {})
    rows = sorted(videos.items(), key=lambda it: (it[1]["ccc"] or 0, it[0]))[:MOST_ROWS]
    return [
        (name, str(it["num_clips"]), UNKNOWN if it["ccc"] is None else f"{it['ccc']:.3f}")
        for name, it in rows
    ]


def headline(tested: Tested) -> str:
    """The figure to quote, with its interval and how many clips and people it is of, in half a sentence."""
    predicted = tested.predicted
    score = score_of(predicted)
    figure = figures_with_intervals([predicted])[score.figure]
    between = score.span(figure.interval)
    interval = f" (95 % interval {between})" if between else ""
    whom = f"{len(predicted.paths):,} clips of {tested.whom}"
    value = score.shown(figure.value)
    if not isinstance(predicted, PredictedClips):
        return f"mean CCC {value}{interval} on {whom}"
    guess = points(1 / len(predicted.class_names))
    return f"UAR {value} %{interval} on {whom}, where guessing gives {guess} %"


def measured_groupings(groups: Mapping[str, Sequence[Row]]) -> str:
    """What the figures are told by, as a list in words."""
    return ", ".join(name for name in groups if name != ACTOR) or "actor alone"
