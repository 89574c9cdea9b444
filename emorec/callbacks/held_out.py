"""Refuse to measure a network on people who trained it, or the weights that it started from."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from emorec.checkpoint import Checkpoint, class_path, read
from emorec.data.datamodule import ClipDataModule
from emorec.data.split import Split
from emorec.errors import UserError
from emorec.text import number_ranges

log = logging.getLogger(__name__)


def check_unseen_actors(checkpoint: Checkpoint, split: Split, stage: str) -> None:
    """Refuse to measure a network on people it was trained with.

    Args:
        checkpoint: Of the network.
        split: By which it is measured.
        stage: "test" or "validate"; others use no people who were held out.

    Raises:
        UserError: When a test actor trained the network or chose its epoch, or a validation actor trained it.
    """
    seen_subsets = {"test": ("train", "val"), "validate": ("train",)}.get(stage, ())
    if split.shares_people and split.name == checkpoint.split["name"]:
        return  # a split that shares people warns by itself, and the record states it
    if seen_subsets and checkpoint.split.get("numbered"):
        log.warning(
            "%s does not name the people it was trained with: make sure that none of them is measured",
            checkpoint.name,
        )
        return
    actors = set(getattr(split, "val" if stage == "validate" else "test"))
    for subset in seen_subsets:
        seen = sorted(actors & set(checkpoint.split[subset]))
        if seen:
            raise UserError(
                f"actors {number_ranges(seen)} of split {split.name} were in {subset} when {checkpoint.name} "
                "was trained: it can't be measured on them (other people of these names need other names)"
            )


def check_weights(weights: str, data: ClipDataModule) -> None:
    """Refuse weights that were trained on validation or test people of a split, or whose epoch they chose.

    Args:
        weights: A file, "DEFAULT" or "none"; anything but a checkpoint of emorec on the same kind of data passes.
        data: Of the split.

    Raises:
        UserError: When people of the validation or test set trained the weights, or test people chose their epoch.
    """
    try:
        checkpoint = read(weights)
    except UserError:
        return
    if class_path(type(data)) == checkpoint.data["class_path"]:
        split = data.find().split
        for stage in ("validate", "test"):
            check_unseen_actors(checkpoint, split, stage)


def weights_in(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the weights that a network and its parts start from.

    Args:
        settings: The arguments of the network.

    >>> list(weights_in({"networks": {"face": {"init_args": {"weights": "a.ckpt"}}}, "weights": "none"}))
    ['a.ckpt', 'none']
    """
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from weights_in(value)
        elif name == "weights" and isinstance(value, str):
            yield value
