"""Splits of Aff-Wild2's films."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from emorec.data.sets.affwild2.parser import Video
from emorec.data.sets.affwild2.windows import FrameClips
from emorec.data.split import SUBSETS, Split, Subset

log = logging.getLogger(__name__)

AffWild2SplitName = Literal["official", "seed"]


def split_films(
    videos: Sequence[Video], name: AffWild2SplitName, *, val_share: float, split_seed: int
) -> Split:
    """Return a split of the films; the people of one film, its `_left` and `_right`, stay together.

    "official": the official validation set tests, since the labels of the official test set are secret; films drawn
    from the official training set validate. "seed": the official training set trains and the official validation set
    validates, on which the seed study chose its epoch and reported its scores; nothing is left to test.

    A film that is in both official sets is not trained on.

    Args:
        videos: All videos, annotated or not.
        name: "official" or "seed".
        val_share: Share of the training films that validate; at least one.
        split_seed: Seed of the drawing.
    """
    train = sorted({video.film for video in videos if video.official_set == "train"})
    held_out = sorted({video.film for video in videos if video.official_set == "validation"})
    in_both = [film for film in train if film in set(held_out)]
    if in_both:
        log.warning("in both official sets, so not trained on: %s", ", ".join(in_both))
    train = [film for film in train if film not in in_both]
    if name == "seed":
        return Split("seed", None, tuple(train), tuple(held_out), ())
    order = np.random.default_rng(split_seed).permutation(len(train))
    val = {train[i] for i in order[: max(1, round(val_share * len(train)))]}
    return Split(
        "official",
        None,
        tuple(film for film in train if film not in val),
        tuple(film for film in train if film in val),
        tuple(held_out),
    )


def split_record(split: Split, subsets: Mapping[Subset, FrameClips]) -> dict[str, Any]:
    """Return the split as plain values, with the keys of `ClipDataModule.split_record`."""
    digest = hashlib.sha256()
    for subset in SUBSETS:
        for i, video in enumerate(subsets[subset].videos):
            frames = subsets[subset].rows[subsets[subset].rows[:, 0] == i, 1]
            digest.update(f"{subset}/{video.name}:".encode() + frames.astype("<i4").tobytes())
    return {
        "name": split.name,
        "fold": None,
        "whose": "films",
        **{subset: list(getattr(split, subset)) for subset in SUBSETS},
        "hash": digest.hexdigest()[:16],
        "num_clips": {subset: len(subsets[subset]) for subset in SUBSETS},
        "skipped": [],
        "face": "none",
        "face_detector": None,
        "faceless": [],
    }
