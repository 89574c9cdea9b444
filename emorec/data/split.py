"""Which actors train, validate and test.

A split keeps people apart by construction: `Split` refuses an actor in two subsets. `RandomSplit` beside it is for
comparison with studies that don't.

Source of the folds: `msaf6` as published with HiCMAE, MAE-DFER and SVFAP; `luna5` Luna-Jimenez et al. 2021;
`emobox6` EmoBox `data/ravdess`; `seed` is the split of emorec's first study.
"""

import hashlib
import logging
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from typing_extensions import override

from emorec.data.clip import UNLABELLED, Clip, Person
from emorec.errors import UserError

log = logging.getLogger(__name__)

SplitName = Literal["seed", "msaf6", "luna5", "emobox6", "loso", "all"]
Subset = Literal["train", "val", "test"]
SUBSETS: tuple[Subset, ...] = ("train", "val", "test")

ALL = "all"
"""The split in which everybody trains."""

STAGE_SUBSETS: Mapping[str, tuple[Subset, ...]] = {
    "fit": ("train", "val"),
    "validate": ("val",),
    "test": ("test",),
    "predict": (),
}
"""The subsets that each stage of a Lightning trainer uses; "predict" uses every clip, whatever its subset."""

ACTORS = tuple(range(1, 25))
"""The actors of RAVDESS; odd numbers are men, even ones women."""

TEST_FOLDS: Mapping[str, tuple[tuple[int, ...], ...]] = {
    "msaf6": tuple(tuple(range(first, first + 4)) for first in range(1, 25, 4)),
    "luna5": (
        (2, 5, 14, 15, 16),
        (3, 6, 7, 13, 18),
        (10, 11, 12, 19, 20),
        (8, 17, 21, 23, 24),
        (1, 4, 9, 22),
    ),
    "emobox6": (
        (1, 11, 20, 21),
        (4, 10, 12, 14),
        (8, 9, 19, 23),
        (3, 5, 7, 24),
        (2, 15, 16, 18),
        (6, 13, 17, 22),
    ),
    "loso": tuple((actor,) for actor in ACTORS),
}
"""The test actors of each fold of RAVDESS. A split is data: adding one is adding a line."""

VALIDATION_ACTORS = {"msaf6": 4, "luna5": 4, "emobox6": 4, "loso": 2}
"""Number of training actors of a fold that validate."""

HELD_OUT_PER_CENT = 20
"""Share of the takes that a `RandomSplit` holds out."""


@dataclass(frozen=True, slots=True)
class Split:
    """Disjoint sets of actors for training, validation and test.

    Attributes:
        name: Name of the split.
        fold: From 1; `None` for a split without folds.
        train: The actors whose clips train.
        val: The actors whose clips choose the epoch.
        test: The actors whose clips only `emorec test` uses.

    Raises:
        UserError: When an actor is in two subsets.

    >>> Split("mine", None, train=(1, 2), val=(2,), test=(3,))
    Traceback (most recent call last):
    emorec.errors.UserError: split mine: actor 2 is in train and in val
    """

    name: str
    fold: int | None
    train: tuple[Person, ...]
    val: tuple[Person, ...]
    test: tuple[Person, ...]
    shares_people: ClassVar[bool] = False
    """Whether a person may be in two subsets; scores then say nothing about unseen people."""
    _subset: dict[Person, Subset] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for subset in SUBSETS:
            for actor in getattr(self, subset):
                other = self._subset.setdefault(actor, subset)
                if other != subset:
                    raise UserError(
                        f"split {self.name}: actor {actor} is in {other} and in {subset}"
                    )

    @property
    def holds_out(self) -> bool:
        """Whether anybody validates or is tested; else everybody trains."""
        return self.name != ALL

    def subset_of(self, actor: Person) -> Subset | None:
        """Return the subset of an actor, `None` when the split does not use them."""
        return self._subset.get(actor)

    def among(self, actors: Collection[Person]) -> Self:
        """Return the same split restricted to some actors.

        >>> Split("mine", None, train=(1, 2), val=(3,), test=(4,)).among({1, 3, 4}).train
        (1,)
        """
        subsets = (getattr(self, subset) for subset in SUBSETS)
        train, val, test = (
            tuple(actor for actor in subset if actor in actors) for subset in subsets
        )
        return type(self)(self.name, self.fold, train, val, test)

    def clips(self, clips: Iterable[Clip]) -> dict[Subset, list[Clip]]:
        """Return the labelled clips of each subset, in their order."""
        subsets: dict[Subset, list[Clip]] = {subset: [] for subset in SUBSETS}
        for clip in clips:
            subset = self.subset_of(clip.actor)
            if subset is not None and clip.label != UNLABELLED:
                subsets[subset].append(clip)
        return subsets

    def record(self, subsets: Mapping[Subset, Sequence[Clip]]) -> dict[str, Any]:
        """Return plain values for a checkpoint: name, fold, actors and clips of each subset, hash of the clips.

        The actors of a subset are those with a clip in it; of an empty one, all that the split assigns to it.

        >>> from pathlib import Path
        >>> clip = Clip(path=Path("a.mp4"), label=0, actor=1, take="a")
        >>> record = Split("mine", None, (1, 2), (3,), (4,)).record({"train": [clip], "val": [], "test": []})
        >>> record["train"], record["test"]
        ([1], [4])
        """
        present = {subset: {clip.actor for clip in subsets[subset]} for subset in SUBSETS}
        return {
            "name": self.name,
            "fold": self.fold,
            **{
                subset: [
                    actor
                    for actor in getattr(self, subset)
                    if actor in present[subset] or not present[subset]
                ]
                for subset in SUBSETS
            },
            "hash": clips_hash(subsets),
            "num_clips": {subset: len(subsets[subset]) for subset in SUBSETS},
        }


@dataclass(frozen=True, slots=True)
class RandomSplit(Split):
    """A split of takes instead of people, for comparison with studies that hold out one fifth of their clips.

    Four fifths of the takes train; the last fifth validates and is tested. So people are in all subsets, and the epoch
    is chosen on the very clips that are tested. `emorec compare` recognises the leak by the actors of each subset.
    """

    shares_people: ClassVar[bool] = True

    @classmethod
    def of(cls, name: str, clips: Sequence[Clip]) -> Self:
        """Return the split of some clips."""
        train = _people(clip for clip in clips if not is_held_out(clip.take))
        held_out = _people(clip for clip in clips if is_held_out(clip.take))
        return cls(name, None, train, held_out, held_out)

    @override
    def __post_init__(self) -> None:
        """Allow a person in several subsets."""

    @override
    def clips(self, clips: Iterable[Clip]) -> dict[Subset, list[Clip]]:
        labelled = [clip for clip in clips if clip.label != UNLABELLED]
        held_out = [clip for clip in labelled if is_held_out(clip.take)]
        train = [clip for clip in labelled if not is_held_out(clip.take)]
        return {"train": train, "val": held_out, "test": list(held_out)}


@dataclass(frozen=True, slots=True)
class ClipIndex:
    """The content of a data set's folder.

    Attributes:
        clips: All clips.
        split: Assigns their actors to subsets.
        other_files: Files that are not clips of the data set, each with the reason.
    """

    clips: Sequence[Clip]
    split: Split
    other_files: Sequence[tuple[Path, str]] = ()

    def needed(self, stage: str, *, allow_missing_actors: bool = False) -> list[Clip]:
        """Return the clips that a stage uses.

        Args:
            stage: "fit", "validate", "test" or "predict", which uses all.
            allow_missing_actors: Whether actors of the split may have no clip.

        Raises:
            UserError: When an actor of the split has no clip.
        """
        if stage == "predict":
            return list(self.clips)
        if not allow_missing_actors:
            for subset, actors in self.missing_actors(stage).items():
                raise UserError(
                    f"{self._missing(subset, actors)} (--data.allow_missing_actors true goes on)"
                )
        clips = self.split.clips(self.clips)
        return [clip for subset in STAGE_SUBSETS[stage] for clip in clips[subset]]

    def missing_actors(self, stage: str) -> dict[Subset, list[Person]]:
        """Return the actors without a clip by subset, for the subsets of a stage that lack any."""
        present = {clip.actor for clip in self.clips}
        missing = {
            subset: [actor for actor in getattr(self.split, subset) if actor not in present]
            for subset in STAGE_SUBSETS[stage]
        }
        return {subset: actors for subset, actors in missing.items() if actors}

    def warn_missing_actors(self, stage: str) -> None:
        """Log a warning for each subset of a stage in which actors have no clip."""
        for subset, actors in self.missing_actors(stage).items():
            log.warning("%s: going on with the others", self._missing(subset, actors))

    def _missing(self, subset: Subset, actors: Sequence[Person]) -> str:
        named = f"actor{'s' * (len(actors) > 1)} {', '.join(map(str, actors))}"
        return f"split {self.split.name}: the data has no clip of {subset} {named}"


def make_split(name: SplitName, fold: int | None = None) -> Split:
    """Return a published split of RAVDESS by name.

    In splits with folds the validation actors come from the training actors by one rule: going up from the actor after
    the fold's highest test actor (24 is followed by 1), the first ones of each sex that are not tested. So both sexes
    validate, no test actor does, and each fold has other validation actors.

    Args:
        name: A key of `TEST_FOLDS`; "seed" (train 1-20, val 21-22, test 23-24); or "all", where every actor trains, for
            a network to be used: its figures come from another split.
        fold: From 1 to the number of folds; for "seed" and "all" it must be `None`.

    Raises:
        UserError: When the fold is missing, out of range, or given for a split without folds.

    >>> make_split("msaf6", fold=6).val
    (1, 2, 3, 4)
    >>> make_split("loso", fold=3).test
    (3,)
    """
    if name in ("seed", ALL):
        if fold is not None:
            raise UserError(f"split {name} has no folds: leave out --data.fold {fold}")
        if name == ALL:
            return Split(ALL, None, ACTORS, (), ())
        return Split("seed", None, tuple(range(1, 21)), (21, 22), (23, 24))
    folds = TEST_FOLDS[name]
    if fold is None or not 1 <= fold <= len(folds):
        raise UserError(f"split {name} needs --data.fold 1 to {len(folds)}, not {fold}")
    test = folds[fold - 1]
    val = _validation_actors(test, VALIDATION_ACTORS[name])
    train = tuple(actor for actor in ACTORS if actor not in test and actor not in val)
    return Split(name, fold, train, val, test)


def clips_hash(subsets: Mapping[Subset, Iterable[Clip]]) -> str:
    """Return sixteen hexadecimal digits that are equal for two runs only when every subset holds the same clips.

    File names count, folders do not, so the same data has the same hash on every machine.
    """
    lines = (
        f"{subset}/{unicodedata.normalize('NFC', clip.path.name)}{clip.fragment}"
        for subset in SUBSETS
        for clip in subsets[subset]
    )
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def is_held_out(take: str) -> bool:
    """Whether `RandomSplit` holds a take out: random, but the same in every data set and run.

    >>> sum(is_held_out(f"Ses01F_impro01_F{number:03d}") for number in range(1000))
    204
    """
    return int.from_bytes(hashlib.sha256(take.encode()).digest()) % 100 < HELD_OUT_PER_CENT


def format_people(number: int, split: Mapping[str, Any]) -> str:
    """Format a number of the people that a split keeps apart, or of films where the people are unknown.

    Args:
        number: How many.
        split: The record of the split.

    >>> format_people(1, {}), format_people(2, {"whose": "films"})
    ('1 person', '2 films')
    """
    whose = split.get("whose", "people")
    return "1 person" if (number, whose) == (1, "people") else f"{number} {whose}"


def _validation_actors(test: tuple[int, ...], count: int) -> tuple[int, ...]:
    start = max(test)
    candidates = [(start + step - 1) % len(ACTORS) + 1 for step in range(1, len(ACTORS) + 1)]
    free = [actor for actor in candidates if actor not in test]
    by_sex = [[actor for actor in free if actor % 2 == parity] for parity in (0, 1)]
    return tuple(sorted(actor for sex in by_sex for actor in sex[: count // 2]))


def _people(clips: Iterable[Clip]) -> tuple[Person, ...]:
    return tuple(sorted({clip.actor for clip in clips}, key=str))
