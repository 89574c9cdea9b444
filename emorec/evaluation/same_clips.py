"""Predictions of the same clips by several networks, brought into one order."""

from collections.abc import Sequence

import torch

from emorec.errors import UserError
from emorec.evaluation.predictions import Predictions
from emorec.evaluation.predictions_file import PredictedClips


def file_name(path: str) -> str:
    r"""The last part of a path of any operating system.

    >>> file_name("/data/Actor_23/01-01-05.mp4"), file_name(r"D:\data\01-01-05.mp4")
    ('01-01-05.mp4', '01-01-05.mp4')
    """
    return path.replace("\\", "/").rpartition("/")[2]


def in_one_order(predicted: Sequence[PredictedClips]) -> list[PredictedClips]:
    """The same predictions, clip i of one being clip i of every other.

    Clips are the same when their file name, actor and truth are: folders differ between machines. Of equal ones
    (files named alike in folders of one actor) the order of the paths decides.

    Raises:
        ValueError: When there are no predictions.
        UserError: When the clips or the classes are not the same.
    """
    if not predicted:
        raise ValueError("no predictions to put in order")
    first = predicted[0].class_names
    for other in predicted[1:]:
        if other.class_names != first:
            raise UserError(
                f"predictions of other classes can't be compared: {', '.join(first)} "
                f"and {', '.join(other.class_names)}"
            )
    ordered = [_sorted(clips) for clips in predicted]
    keys = _keys(ordered[0])
    for other_clips in ordered[1:]:
        others = _keys(other_clips)
        if others != keys:
            raise UserError(_difference(keys, others))
    return ordered


def rows_of(predicted: PredictedClips, rows: Sequence[int]) -> PredictedClips:
    """Some of the clips, in the order of the rows."""
    index = torch.tensor(rows, dtype=torch.int64)

    def taken(predictions: Predictions) -> Predictions:
        kept = predictions.target[index], predictions.logits[index]
        return Predictions(torch.arange(len(index)), *kept)

    calibrated = predicted.calibrated
    return PredictedClips(
        paths=tuple(predicted.paths[row] for row in rows),
        actors=tuple(predicted.actors[row] for row in rows),
        class_names=predicted.class_names,
        predictions=taken(predicted.predictions),
        calibrated=None if calibrated is None else taken(calibrated),
    )


def _keys(predicted: PredictedClips) -> list[tuple[str, str, int]]:
    names = map(file_name, predicted.paths)
    return list(zip(names, predicted.actors, predicted.predictions.target.tolist(), strict=True))


def _sorted(predicted: PredictedClips) -> PredictedClips:
    keys = _keys(predicted)
    rows = sorted(range(len(keys)), key=lambda row: (keys[row], predicted.paths[row]))
    return rows_of(predicted, rows)


def _difference(keys: list[tuple[str, str, int]], others: list[tuple[str, str, int]]) -> str:
    only = set(keys) ^ set(others)
    if not only:
        return f"predictions of {len(keys)} and {len(others)} clips: some clip is there twice"
    name, actor, _ = min(only)
    return (
        f"predictions of other clips can't be compared: {name} of actor {actor} is in one of them only, "
        f"or of another truth ({len(keys)} and {len(others)} clips)"
    )
