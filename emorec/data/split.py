"""Which actors train, validate and test. A split is data: adding one is adding a line.

Source of the folds: `msaf6` as published with HiCMAE, MAE-DFER and SVFAP; `luna5` Luna-Jimenez et al. 2021;
`emobox6` EmoBox `data/ravdess`; `seed` is the split that emorec's first study used.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from emorec.data.clip import UNLABELLED, Clip, Person
from emorec.data.ravdess import ACTORS
from emorec.errors import UserError

SplitName = Literal["seed", "msaf6", "luna5", "emobox6", "loso"]
Side = Literal["train", "val", "test"]
SIDES: tuple[Side, ...] = ("train", "val", "test")

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
"""The test actors of every fold."""

VALIDATION_ACTORS = {"msaf6": 4, "luna5": 4, "emobox6": 4, "loso": 2}
"""How many of the training actors of a fold validate."""


@dataclass(frozen=True, slots=True)
class Split:
    """Disjoint sets of actors.

    Attributes:
        name: What the split is called.
        fold: From 1; `None` for a split without folds.
        train: The actors that train.
        val: The actors whose clips choose the epoch.
        test: The actors that are touched by `emorec test` alone.

    Raises:
        UserError: When an actor stands on two sides.

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
    """Whether a person may be on two sides: then the figures tell nothing about people who are not known."""
    _side: dict[Person, Side] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for side in SIDES:
            for actor in getattr(self, side):
                other = self._side.setdefault(actor, side)
                if other != side:
                    raise UserError(f"split {self.name}: actor {actor} is in {other} and in {side}")

    def side_of(self, actor: Person) -> Side | None:
        """The side an actor is on, `None` when the split does not use them."""
        return self._side.get(actor)

    def among(self, actors: Collection[Person]) -> Self:
        """The same split of fewer actors.

        >>> Split("mine", None, train=(1, 2), val=(3,), test=(4,)).among({1, 3, 4}).train
        (1,)
        """
        sides = (getattr(self, side) for side in SIDES)
        train, val, test = (tuple(actor for actor in side if actor in actors) for side in sides)
        return type(self)(self.name, self.fold, train, val, test)

    def clips(self, clips: Iterable[Clip]) -> dict[Side, list[Clip]]:
        """The clips of each side, in the order given; those without a label are on none."""
        sides: dict[Side, list[Clip]] = {side: [] for side in SIDES}
        for clip in clips:
            side = self.side_of(clip.actor)
            if side is not None and clip.label != UNLABELLED:
                sides[side].append(clip)
        return sides

    def record(self, sides: Mapping[Side, Sequence[Clip]]) -> dict[str, Any]:
        """Who is where, as plain values: name, fold, actors of each side, hash of the clips, clips of each side.

        The actors of a side are those with a clip there; of a side of which nothing is at hand all that it is to have.

        >>> from pathlib import Path
        >>> clip = Clip(path=Path("a.mp4"), label=0, actor=1, take="a")
        >>> record = Split("mine", None, (1, 2), (3,), (4,)).record({"train": [clip], "val": [], "test": []})
        >>> record["train"], record["test"]
        ([1], [4])
        """
        there = {side: {clip.actor for clip in sides[side]} for side in SIDES}
        return {
            "name": self.name,
            "fold": self.fold,
            **{
                side: [
                    actor
                    for actor in getattr(self, side)
                    if actor in there[side] or not there[side]
                ]
                for side in SIDES
            },
            "hash": clips_hash(sides),
            "num_clips": {side: len(sides[side]) for side in SIDES},
        }


def make_split(name: SplitName, fold: int | None = None) -> Split:
    """A published split by name.

    For the folded ones the validation actors come from the training actors by one rule: going up from the actor
    after the fold's highest test actor (24 is followed by 1), the first of each sex in turn that does not test.
    So both sexes validate, no test actor ever does, and each fold has other validation actors.

    Args:
        name: A key of `TEST_FOLDS`, or "seed" (train 1-20, val 21-22, test 23-24).
        fold: From 1 to the number of folds; for "seed" it must be `None`.

    Raises:
        UserError: When the fold is missing, out of range, or given for a split without folds.

    >>> make_split("msaf6", fold=6).val
    (1, 2, 3, 4)
    >>> make_split("loso", fold=3).test
    (3,)
    """
    if name == "seed":
        if fold is not None:
            raise UserError(f"split seed has no folds: leave out --data.fold {fold}")
        return Split("seed", None, tuple(range(1, 21)), (21, 22), (23, 24))
    folds = TEST_FOLDS[name]
    if fold is None or not 1 <= fold <= len(folds):
        raise UserError(f"split {name} needs --data.fold 1 to {len(folds)}, not {fold}")
    test = folds[fold - 1]
    val = _validation_actors(test, VALIDATION_ACTORS[name])
    train = tuple(actor for actor in ACTORS if actor not in test and actor not in val)
    return Split(name, fold, train, val, test)


def _validation_actors(test: tuple[int, ...], count: int) -> tuple[int, ...]:
    start = max(test)
    candidates = [(start + step - 1) % len(ACTORS) + 1 for step in range(1, len(ACTORS) + 1)]
    free = [actor for actor in candidates if actor not in test]
    by_sex = [[actor for actor in free if actor % 2 == parity] for parity in (0, 1)]
    return tuple(sorted(actor for sex in by_sex for actor in sex[: count // 2]))


def clips_hash(sides: Mapping[Side, Iterable[Clip]]) -> str:
    """Sixteen hexadecimal digits that two runs share only when every side holds the same clips.

    File names count, folders do not, so the same data hashes alike on every machine.
    """
    lines = (f"{side}/{clip.path.name}{clip.fragment}" for side in SIDES for clip in sides[side])
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def whom(number: int, split: Mapping[str, Any]) -> str:
    """So many of those whom a split keeps apart: people, or films where nobody knows who is in them.

    Args:
        number: How many.
        split: Its record.

    >>> whom(1, {}), whom(2, {"whose": "films"})
    ('1 person', '2 films')
    """
    whose = split.get("whose", "people")
    return "1 person" if (number, whose) == (1, "people") else f"{number} {whose}"
