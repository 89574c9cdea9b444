"""One split of the clips, from its features to what classifiers say of its test clips."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emorec.baseline.choice import Described
from emorec.baseline.feature_store import FeatureStore
from emorec.data.clip import Clip
from emorec.data.datamodule import ClipDataModule
from emorec.errors import UserError


@dataclass(frozen=True, eq=False)
class Learnable:
    """What a classifier may look at before the test.

    Attributes:
        train: Clips of the training actors.
        val: Clips of the validation actors.
    """

    train: Described
    val: Described


def refuse_impossible(data: ClipDataModule) -> None:
    """Stops before the work where a side of the split has no clips.

    Raises:
        UserError: When it has numbers and no classes, no validation actors, or clips of its actors are not there.
    """
    if data.target_names:
        raise UserError(
            f"the data has numbers ({', '.join(data.target_names)}) and emorec baseline names classes: choose "
            "expressions with --data.task expr, or train a network (configs/affwild2_va.yaml)"
        )
    found = data.find()
    if not found.split.val:
        raise UserError(
            f"split {found.split.name} has no validation actors, on whom a classifier's setting is chosen: "
            "choose another --data.split"
        )
    for stage in ("fit", "test"):
        found.needed(stage, allow_missing_actors=data.allow_missing_actors)


def learnable(data: ClipDataModule, store: FeatureStore) -> Learnable:
    """The features of the training and the validation clips; no test clip is opened."""
    data.setup("fit")
    train, val = (described(data, store, data.sides[side]) for side in ("train", "val"))
    return Learnable(train, val)


def testable(data: ClipDataModule, store: FeatureStore) -> tuple[Described, Sequence[Clip]]:
    """The features of the test clips, and the clips themselves."""
    data.setup("test")
    clips = data.sides["test"]
    return described(data, store, clips), clips


def described(data: ClipDataModule, store: FeatureStore, clips: Sequence[Clip]) -> Described:
    """The features and the labels of clips."""
    if any(isinstance(clip.label, tuple) for clip in clips):
        raise UserError("these clips have no classes but numbers, which a baseline can't predict")
    labels = np.array([clip.label for clip in clips], np.int64)
    return Described(store.features(data, clips), labels)
