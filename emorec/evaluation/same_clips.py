"""Predictions of the same clips by several networks, brought into one order."""

from collections.abc import Sequence
from typing import Any, TypeVar

from emorec.errors import UserError
from emorec.evaluation.predicted import Predicted

Some = TypeVar("Some", bound=Predicted)


def in_one_order(predicted: Sequence[Some]) -> list[Some]:
    """The same predictions, clip i of one being clip i of every other.

    Clips are the same when their file name, actor and truth are: folders differ between machines. Of equal ones
    (files named alike in folders of one actor) the order of the paths decides.

    Raises:
        ValueError: When there are no predictions.
        UserError: When the clips or the classes are not the same.
    """
    if not predicted:
        raise ValueError("no predictions to put in order")
    first = predicted[0].names
    for other in predicted[1:]:
        if other.names != first:
            raise UserError(
                f"predictions of other classes can't be compared: {', '.join(first)} "
                f"and {', '.join(other.names)}"
            )
    ordered = [_sorted(clips) for clips in predicted]
    keys = _keys(ordered[0])
    for other_clips in ordered[1:]:
        others = _keys(other_clips)
        if others != keys:
            raise UserError(_difference(keys, others))
    return ordered


def _keys(predicted: Predicted) -> list[tuple[str, str, Any]]:
    return list(zip(predicted.clip_names, predicted.actors, predicted.truths, strict=True))


def _sorted(predicted: Some) -> Some:
    keys = _keys(predicted)
    rows = sorted(range(len(keys)), key=lambda row: (keys[row], predicted.paths[row]))
    return predicted.at(rows)


def _difference(keys: list[tuple[str, str, Any]], others: list[tuple[str, str, Any]]) -> str:
    only = set(keys) ^ set(others)
    if not only:
        return f"predictions of {len(keys)} and {len(others)} clips: some clip is there twice"
    name, actor, _ = min(only)
    return (
        f"predictions of other clips can't be compared: {name} of actor {actor} is in one of them only, "
        f"or of another truth ({len(keys)} and {len(others)} clips)"
    )
