"""Where a model is right and where it is not: by class, by people, by kind of clip, by confidence, by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emorec.comparison.comparison import Result
from emorec.comparison.curves import Curve, read_curves
from emorec.data.ravdess import RavdessName
from emorec.evaluation.counts import ActorCounts
from emorec.evaluation.breakdown import ACTOR, accuracy_by_group, most_confused, reliability
from emorec.evaluation.groups import Confusion, GroupAccuracy, Grouping, ReliabilityBin, worst
from emorec.evaluation.predictions_file import file_name
from emorec.evaluation.sums import classes


@dataclass(frozen=True)
class ClassFigures:
    """How a class was told from the others; `None` where a figure has no denominator."""

    name: str
    clips: int
    recall: float | None
    precision: float | None
    f1: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Breakdown:
    """A model looked at closely.

    Attributes:
        confusion: (K, K) clips, summed over seeds; rows are the truth.
        num_seeds: How many seeds they are the sum of.
        classes: K, in label order.
        groups: Grouping -> its groups; "actor" is the first.
        worst_actor: Whose clips it got wrong most often.
        confused: The classes most often taken for another.
        reliability: Bins of confidence.
        curves: Of each of its runs, in their order; empty where a run kept none.
    """

    confusion: NDArray[np.int64]
    num_seeds: int
    classes: tuple[ClassFigures, ...]
    groups: Mapping[str, tuple[GroupAccuracy, ...]]
    worst_actor: GroupAccuracy
    confused: tuple[Confusion, ...]
    reliability: tuple[ReliabilityBin, ...]
    curves: tuple[Mapping[str, Curve], ...]


def breakdown_of(result: Result, resamples: int) -> Breakdown:
    """Looks closely at a model."""
    clips = classes(result.pooled)
    confusion = np.sum([ActorCounts.of(seed).confusion.sum(axis=0) for seed in clips], axis=0)
    groups = accuracy_by_group(clips, grouping_of(clips[0].paths), resamples=resamples)
    return Breakdown(
        confusion=confusion,
        num_seeds=len(clips),
        classes=class_figures(confusion, clips[0].class_names, len(clips)),
        groups=groups,
        worst_actor=worst(groups[ACTOR]),
        confused=most_confused(clips),
        reliability=reliability(clips),
        curves=tuple(read_curves(run.folder) for run in result.tested.model.runs),
    )


def grouping_of(paths: Sequence[str]) -> Grouping:
    """What the names of RAVDESS's clips tell of them; nothing of other clips.

    >>> grouping_of(["clips/01-01-03-02-01-02-07.mp4", "clips/other.mp4"])
    {'clips/01-01-03-02-01-02-07.mp4': {'sex': 'male', 'intensity': 'strong', 'statement': 1, 'repetition': 2}}
    """
    grouping: dict[str, Mapping[str, str | int]] = {}
    for path in paths:
        try:
            name = RavdessName.parse(file_name(path).rpartition(".")[0])
        except ValueError:
            continue
        grouping[path] = {
            "sex": name.sex,
            "intensity": name.intensity,
            "statement": name.statement,
            "repetition": name.repetition,
        }
    return grouping


def class_figures(
    confusion: NDArray[np.int64], class_names: Sequence[str], num_seeds: int
) -> tuple[ClassFigures, ...]:
    """Recall, precision and F1 of each class.

    >>> class_figures(np.array([[3, 1], [0, 0]]), ["calm", "sad"], 1)[1]
    ClassFigures(name='sad', clips=0, recall=None, precision=0.0, f1=0.0)
    """
    right, truth, said = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    return tuple(
        ClassFigures(
            name,
            int(truth[k]) // num_seeds,
            _ratio(right[k], truth[k]),
            _ratio(right[k], said[k]),
            _ratio(2 * right[k], truth[k] + said[k]),
        )
        for k, name in enumerate(class_names)
    )


def _ratio(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
