"""Where a model fails: with whom, on what kind of clip, what it takes for what, and how wrong its confidence is."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from emorec.evaluation.counts import counts_of_seeds
from emorec.evaluation.intervals import RESAMPLES, Estimate, figures_with_intervals
from emorec.evaluation.metrics import CALIBRATION_BINS
from emorec.evaluation.predictions_file import PredictedClips
from emorec.evaluation.same_clips import in_one_order

Grouping: TypeAlias = Mapping[str, Mapping[str, str | int]]
"""Path of a clip -> name of a grouping -> the clip's group in it, such as {"sex": "female", "statement": 2}."""

ACTOR = "actor"


@dataclass(frozen=True)
class GroupAccuracy:
    """How many of a group's clips are right.

    Attributes:
        grouping: What the clips are grouped by, such as "sex".
        group: Which of its groups this is, such as "female".
        accuracy: Share that is right (WAR), the mean over seeds; its interval is one over the group's actors.
        num_clips: Clips of the group.
        num_actors: Their actors.
    """

    grouping: str
    group: str
    accuracy: Estimate
    num_clips: int
    num_actors: int


@dataclass(frozen=True)
class Confusion:
    """One class that is taken for another.

    Attributes:
        truth: The class it is.
        taken_for: The class it is taken for.
        num_clips: How often, the mean over seeds.
        share: The same as a share of the clips of the true class.
    """

    truth: str
    taken_for: str
    num_clips: float
    share: float


@dataclass(frozen=True)
class ReliabilityBin:
    """The clips whose confidence lies in [low, high).

    Attributes:
        low: Its lowest confidence.
        high: Where the next bin begins.
        confidence: The mean confidence of its clips.
        accuracy: The share of them that is right.
        num_clips: How many they are, the mean over seeds; more than 0.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    num_clips: float


def accuracy_by_group(
    predicted: Sequence[PredictedClips],
    groups: Grouping | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, tuple[GroupAccuracy, ...]]:
    """Accuracy by actor, and by whatever else is known of the clips.

    Args:
        predicted: Seeds of a model, all folds together.
        groups: What is known, by the paths of the first seed. A clip that is not mentioned, or not in some
            grouping, is left out there; "actor" is always the actor of the predictions.
        resamples: For the intervals.
        seed: For the intervals.

    Returns:
        Grouping -> its groups, numbers before words, in ascending order; "actor" is the first.

    Raises:
        ValueError: When there are no predictions.
        UserError: When the seeds predict other clips, there is no clip, or a clip's truth is not known.
    """
    seeds = in_one_order(predicted)
    rows: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, (path, actor) in enumerate(zip(seeds[0].paths, seeds[0].actors, strict=True)):
        known = dict((groups or {}).get(path, {}))
        for grouping, group in ({ACTOR: actor} | known | {ACTOR: actor}).items():
            rows[grouping][str(group)].append(row)

    def accuracy(grouping: str, group: str) -> GroupAccuracy:
        clips = [each.at(rows[grouping][group]) for each in seeds]
        figures = figures_with_intervals(clips, resamples=resamples, seed=seed)
        people = set(clips[0].actors)
        return GroupAccuracy(grouping, group, figures["accuracy"], len(clips[0].paths), len(people))

    return {
        grouping: tuple(accuracy(grouping, group) for group in sorted(members, key=_numbers_first))
        for grouping, members in rows.items()
    }


def worst(groups: Sequence[GroupAccuracy]) -> GroupAccuracy:
    """The group of lowest accuracy; of equal ones the first.

    Raises:
        ValueError: When there is no group.
    """
    return min(groups, key=lambda group: group.accuracy.value)


def most_confused(predicted: Sequence[PredictedClips], limit: int = 5) -> tuple[Confusion, ...]:
    """The classes most often taken for another, by their share of the true class.

    Raises:
        ValueError: When there are no predictions.
        UserError: When the seeds predict other clips, there is no clip, or a clip's truth is not known.
    """
    counts = counts_of_seeds(predicted)
    matrix = np.mean([each.confusion.sum(axis=0) for each in counts], axis=0)  # (K, K)
    support = matrix.sum(axis=1)
    names = predicted[0].class_names
    confusions = [
        Confusion(names[i], names[j], float(clips), float(clips / support[i]))
        for (i, j), clips in np.ndenumerate(matrix)
        if i != j and clips
    ]
    return tuple(sorted(confusions, key=lambda each: (-each.share, -each.num_clips))[:limit])


def reliability(predicted: Sequence[PredictedClips]) -> tuple[ReliabilityBin, ...]:
    """The bins of a reliability diagram that hold clips; ECE is their mean |accuracy - confidence| by clips.

    Of several seeds, the predictions of all are put together.

    Raises:
        ValueError: When there are no predictions.
        UserError: When the seeds predict other clips, there is no clip, or a clip's truth is not known.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, section 2.
    """
    counts = counts_of_seeds(predicted)
    bins = np.sum([each.calibration.sum(axis=0) for each in counts], axis=0)  # (15, 3)
    return tuple(
        ReliabilityBin(
            low=number / CALIBRATION_BINS,
            high=(number + 1) / CALIBRATION_BINS,
            confidence=float(confidence / clips),
            accuracy=float(right / clips),
            num_clips=float(clips / len(counts)),
        )
        for number, (clips, right, confidence) in enumerate(bins)
        if clips
    )


def _numbers_first(group: str) -> tuple[bool, int, str]:
    """Sorts 2 before 10.

    >>> sorted(["b", "10", "2", "a"], key=_numbers_first)
    ['2', '10', 'a', 'b']
    """
    number = group.isdecimal()
    return not number, int(group) if number else 0, group
