"""A split over clips instead of people. It shows what others have reported; it says nothing about unseen people."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from typing_extensions import override

from emorec.data.clip import UNLABELLED, Clip, Person
from emorec.data.split import Side, Split

HELD_OUT_PER_CENT = 20


@dataclass(frozen=True, slots=True)
class RandomSplit(Split):
    """Four fifths of the takes train; the last fifth validates and is tested, as studies do that have two sides only.

    So people are on all sides, and the epoch is chosen on the very clips that are tested. All that records the split
    names the people of each side, by which `emorec compare` knows the leak.
    """

    shares_people: ClassVar[bool] = True

    @classmethod
    def of(cls, name: str, clips: Sequence[Clip]) -> Self:
        """The split of some clips."""
        train = _people(clip for clip in clips if not is_held_out(clip.take))
        held_out = _people(clip for clip in clips if is_held_out(clip.take))
        return cls(name, None, train, held_out, held_out)

    @override
    def __post_init__(self) -> None:
        """People may be on several sides."""

    @override
    def clips(self, clips: Iterable[Clip]) -> dict[Side, list[Clip]]:
        everything = [clip for clip in clips if clip.label != UNLABELLED]
        held_out = [clip for clip in everything if is_held_out(clip.take)]
        train = [clip for clip in everything if not is_held_out(clip.take)]
        return {"train": train, "val": held_out, "test": list(held_out)}


def is_held_out(take: str) -> bool:
    """Whether a take is in the fifth that is held out: drawn at random, and always the same, whatever else there is.

    >>> sum(is_held_out(f"Ses01F_impro01_F{number:03d}") for number in range(1000))
    204
    """
    return int.from_bytes(hashlib.sha256(take.encode()).digest()) % 100 < HELD_OUT_PER_CENT


def _people(clips: Iterable[Clip]) -> tuple[Person, ...]:
    return tuple(sorted({clip.actor for clip in clips}, key=str))
