"""Which people of Aff-Wild2 train, validate and test."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from emorec.data.affwild2 import Video
from emorec.data.frame_clips import FrameClips
from emorec.data.split import SIDES, Side, Split

log = logging.getLogger(__name__)

OfficialSplit = Literal["official", "seed"]


def split_films(
    videos: Sequence[Video], name: OfficialSplit, *, val_share: float, split_seed: int
) -> Split:
    """Films on their sides; the people of one film, its `_left` and `_right`, always on one.

    "official": the official validation set tests, since the labels of the official test set are secret, and what
    validates is drawn from the films of the official training set. "seed": the official training set trains and the
    official validation set validates, which is where the seed study chose its epoch and told its figures; nothing is
    left to test.

    A film that is in both official sets is left out of the training.

    Args:
        videos: Annotated or not.
        name: "official" or "seed".
        val_share: Of the training films, how many validate; at least one.
        split_seed: Decides which.
    """
    films = {
        side: sorted({video.film for video in videos if video.side == side})
        for side in ("train", "test")
    }
    in_both = [film for film in films["train"] if film in set(films["test"])]
    if in_both:
        log.warning("in both official sets, so not trained on: %s", ", ".join(in_both))
    train = [film for film in films["train"] if film not in in_both]
    if name == "seed":
        return Split("seed", None, tuple(train), tuple(films["test"]), ())
    drawn = np.random.default_rng(split_seed).permutation(len(train))
    val = {train[at] for at in drawn[: max(1, round(val_share * len(train)))]}
    return Split(
        "official",
        None,
        tuple(film for film in train if film not in val),
        tuple(film for film in train if film in val),
        tuple(films["test"]),
    )


def record(split: Split, sides: Mapping[Side, FrameClips]) -> dict[str, Any]:
    """Who is where, as `ClipDataModule.split_record` tells it."""
    digest = hashlib.sha256()
    for side in SIDES:
        for place, video in enumerate(sides[side].videos):
            own = sides[side].rows[sides[side].rows[:, 0] == place, 1]
            digest.update(f"{side}/{video.name}:".encode() + own.astype("<i4").tobytes())
    return {
        "name": split.name,
        "fold": None,
        "whose": "films",
        **{side: list(getattr(split, side)) for side in SIDES},
        "hash": digest.hexdigest()[:16],
        "num_clips": {side: len(sides[side]) for side in SIDES},
        "skipped": [],
        "face_detector": None,
        "faceless": [],
    }
