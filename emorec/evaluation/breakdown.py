"""Where a model fails: for which actors, kinds of clips, classes, videos, and at which confidence.

All functions take predictions tables of one or more seeds of a model, aligned by `emorec.evaluation.predictions.align`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorec.evaluation.intervals import (
    RESAMPLES,
    actor_sums,
    require_aligned,
    scores_with_intervals,
)
from emorec.evaluation.scores import CALIBRATION_BINS
from emorec.evaluation.task import Classification, Regression, Task

Groups: TypeAlias = Mapping[str, Mapping[str, str | int]]
"""Path of a clip -> name of a grouping -> the clip's group in it, such as {"sex": "female", "statement": 2}."""

ACTOR = "actor"


def accuracy_by_group(
    task: Classification,
    tables: Sequence[pd.DataFrame],
    groups: Groups | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, pd.DataFrame]:
    """Return the accuracy (WAR) by actor, and by other groups of clips.

    Args:
        task: The classes.
        tables: Aligned predictions of seeds of a model, all folds together.
        groups: By the paths of the first table. A clip that is missing, or missing in some grouping, is left out there;
            "actor" is always the actor of the predictions.
        resamples: For the intervals.
        seed: For the intervals.

    Returns:
        Grouping ("actor" first) -> a row a group, numbers before words, in ascending order. Columns: accuracy; low and
        high, the ends of its interval over the group's actors, NaN without one; clips; actors.

    Raises:
        ValueError: When there is no table, or they are not aligned.
        UserError: When there is no clip, or one of unknown truth.
    """
    require_aligned(tables)
    first, known = tables[0], groups or {}
    rows: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, (path, actor) in enumerate(zip(first["path"], first["actor"], strict=True)):
        for grouping, group in (
            {ACTOR: actor} | dict(known.get(path, {})) | {ACTOR: actor}
        ).items():
            rows[grouping][str(group)].append(row)

    def scores(members: Sequence[int]) -> dict[str, float]:
        clips = [table.iloc[members] for table in tables]
        accuracy = scores_with_intervals(task, clips, resamples=resamples, seed=seed)["accuracy"]
        interval = accuracy.interval
        return {
            "accuracy": accuracy.value,
            "low": interval.low if interval else np.nan,
            "high": interval.high if interval else np.nan,
            "clips": len(members),
            "actors": clips[0]["actor"].nunique(),
        }

    return {
        grouping: pd.DataFrame(
            {group: scores(members[group]) for group in sorted(members, key=_numbers_first)}
        ).T.astype({"clips": int, "actors": int})
        for grouping, members in rows.items()
    }


def confusion_matrix(task: Classification, tables: Sequence[pd.DataFrame]) -> NDArray[np.int64]:
    """Return the confusion counts (K, K) summed over seeds; rows are the truth, columns the predictions."""
    counts = [task.confusion(actor_sums(task, table)[1]).sum(axis=0) for table in tables]
    return np.asarray(np.sum(counts, axis=0), np.int64)


def most_confused(
    task: Classification, tables: Sequence[pd.DataFrame], limit: int = 5
) -> pd.DataFrame:
    """Return the most frequent confusions, by their share of the true class.

    Returns:
        Columns: truth and predicted, names of classes; clips, the mean over seeds; share of the true class.

    Raises:
        UserError: When there is no clip, or one of unknown truth.
    """
    matrix = confusion_matrix(task, tables) / len(tables)  # (K, K)
    support = matrix.sum(axis=1)
    pairs = pd.DataFrame(
        [
            (task.names[i], task.names[j], clips, clips / support[i])
            for (i, j), clips in np.ndenumerate(matrix)
            if i != j and clips
        ],
        columns=["truth", "predicted", "clips", "share"],
    )
    order = pairs.sort_values(["share", "clips"], ascending=False, kind="stable")
    return order.head(limit).reset_index(drop=True)


def reliability(task: Classification, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the bins of a reliability diagram that contain clips; the predictions of several seeds are put together.

    ECE is the mean of `|accuracy - confidence|`, weighted by clips.

    Returns:
        Columns: low and high, the edges [low, high) of a bin; confidence and accuracy, means of its clips; clips, the
        mean over seeds.

    Raises:
        UserError: When there is no clip, or one of unknown truth.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, section 2.
    """
    sums = [actor_sums(task, table)[1].sum(axis=0) for table in tables]
    clips, right, confidence = task.calibration_bins(np.sum(sums, axis=0)).T  # each (15,)
    used = clips > 0
    edges = np.arange(CALIBRATION_BINS + 1) / CALIBRATION_BINS
    return pd.DataFrame(
        {
            "low": edges[:-1][used],
            "high": edges[1:][used],
            "confidence": confidence[used] / clips[used],
            "accuracy": right[used] / clips[used],
            "clips": clips[used] / len(tables),
        }
    )


def abstention(tables: Sequence[pd.DataFrame], abstain_below: float) -> dict[str, float]:
    """Return what abstaining from clips of low confidence costs and gains; several seeds are put together.

    Args:
        tables: Predictions.
        abstain_below: Lowest confidence that names a class.

    Returns:
        coverage, the share of clips that get a class; accuracy of those; accuracy of the others.

    Source: El-Yaniv & Wiener 2010, On the Foundations of Noise-free Selective Classification, section 2.
    """
    table = pd.concat(tables)
    right, sure = table["predicted"] == table["emotion"], table["confidence"] >= abstain_below
    return {
        "coverage": float(sure.mean()),
        "accuracy": float(right[sure].mean()),
        "accuracy_of_others": float(right[~sure].mean()),
    }


def scores_per_name(task: Task, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the scores of each class or number, a row a name, see `Task.per_name`.

    Classes: of the clips of all seeds together, but for the support, which is that of one. Numbers: means over seeds.
    """
    sums = [actor_sums(task, table)[1].sum(axis=0) for table in tables]
    if isinstance(task, Classification):
        together = task.per_name(np.sum(sums, axis=0))
        return together.assign(support=together["support"] // len(tables))
    return pd.concat(map(task.per_name, sums)).groupby(level=0, sort=False).mean()


def scores_per_video(task: Regression, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the scores within each video, a row a video in the order of their names; a video is a folder of frames.

    Returns:
        Columns: clips (frames), then the metrics of `Regression.scores`.
    """
    require_aligned(tables)
    group, videos = pd.factorize(np.array(task.videos(tables[0]["path"]), object), sort=True)
    seeds = [task.scores(task.sums(task.target(t), task.output(t), group)) for t in tables]
    means = {metric: np.mean([each[metric] for each in seeds], axis=0) for metric in seeds[0]}
    return pd.DataFrame({"clips": np.bincount(group), **means}, index=videos)


def _numbers_first(group: str) -> tuple[bool, int, str]:
    """Sort 2 before 10, and both before words.

    >>> sorted(["b", "10", "2", "a"], key=_numbers_first)
    ['2', '10', 'a', 'b']
    """
    number = group.isdecimal()
    return not number, int(group) if number else 0, group
