"""Who trains, validates and is tested of a data set that has no published split, or one in its own file.

People are dealt to the sides as wholes, so that the classes are about as frequent on each side.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import TypeAlias

import numpy as np

from emorec.data.split import SIDES, Side, Split
from emorec.errors import UserError
from emorec.text import MAX_LISTED

MOST_PARTS = 10
"""A share is so many parts of at most this many equal ones."""

FEWEST_GROUPS = 2
"""People of a class on a side, below whom its figures tell of a person and not of the class."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a split has to know of a clip: its person, its class, and its side where that is given."""

    group: str
    label: int
    side: Side | None = None


Clips: TypeAlias = Sequence[Labelled]


def split_by_share(
    clips: Clips, name: str, *, val_share: float, test_share: float, seed: int
) -> Split:
    """About such shares of the clips, all of a person's on one side.

    Args:
        clips: N labelled ones.
        name: Of the split.
        val_share: Of the clips that validate, 0 to 1.
        test_share: Of those that are tested.
        seed: Another one makes another split.

    >>> clips = [Labelled(group, label) for group in "abcdefghij" for label in (0, 1)]
    >>> split = split_by_share(clips, "mine", val_share=0.2, test_share=0.1, seed=0)
    >>> len(split.train), len(split.val), len(split.test)
    (7, 2, 1)
    """
    test = take_share(clips, test_share, seed)
    rest = [clip for clip in clips if clip.group not in test]
    val = take_share(rest, val_share / (1 - test_share) if test_share < 1 else 0, seed)
    return _split(name, None, clips, val, test)


def split_by_fold(
    clips: Clips, name: str, *, fold: int, num_folds: int, val_share: float, seed: int
) -> Split:
    """One of several folds; each person is tested in one of them. Others of the fold validate.

    Args:
        clips: N labelled ones.
        name: Of the split.
        fold: From 1.
        num_folds: How many there are.
        val_share: Of all clips that validate.
        seed: Another one makes other folds.

    Raises:
        UserError: When there is no such fold, or fewer people than folds.
    """
    if not 1 <= fold <= num_folds:
        raise UserError(f"data.fold is {fold}: choose 1 to {num_folds} (data.num_folds)")
    people = len({clip.group for clip in clips})
    if people < num_folds:
        raise UserError(
            f"data.num_folds is {num_folds}, but there are {people} people: choose fewer"
        )
    test = deal(clips, num_folds, seed)[fold - 1]
    rest = [clip for clip in clips if clip.group not in test]
    # another draw for each fold, or much the same people would always validate
    val = take_share(rest, val_share * num_folds / (num_folds - 1), seed + fold)
    return _split(name, fold, clips, val, test)


def split_as_told(clips: Clips, name: str, *, val_share: float, seed: int) -> Split:
    """The sides that the clips say they are on; without a validation side one is taken from the training clips.

    Args:
        clips: N labelled ones, each with its side.
        name: Of the split.
        val_share: Of the training clips that validate, where none was told to.
        seed: Decides which.

    Raises:
        UserError: When a person is on two sides.
    """
    sides: dict[str, set[Side]] = defaultdict(set)
    for clip in clips:
        if clip.side is not None:
            sides[clip.group].add(clip.side)
    on_two = [
        f"{group} in {' and in '.join(side for side in SIDES if side in each)}"
        for group, each in sides.items()
        if len(each) > 1
    ]
    if on_two:
        more = f" and {len(on_two) - MAX_LISTED} more" if len(on_two) > MAX_LISTED else ""
        raise UserError(
            f"people on two sides: {', '.join(on_two[:MAX_LISTED])}{more}; mend the column, "
            "or split by person with --data.split_column none"
        )
    told = {side: {group for group, each in sides.items() if side in each} for side in SIDES}
    if not told["val"]:
        training = [clip for clip in clips if clip.group in told["train"]]
        told["val"] = take_share(training, val_share, seed)
    return _split(name, None, clips, told["val"], told["test"])


def take_share(clips: Clips, share: float, seed: int) -> set[str]:
    """People who have about a share of the clips, at least one of them when the share is above 0.

    >>> clips = [Labelled(group, label) for group in "abcdefg" for label in (0, 1)]
    >>> len(take_share(clips, 0.15, seed=0)), take_share(clips, 0, seed=0)
    (1, set())
    """
    people = len({clip.group for clip in clips})
    if share <= 0 or people < 2:
        return set()
    if share >= 1:
        return {clip.group for clip in clips}
    part = Fraction(share).limit_denominator(min(MOST_PARTS, people))
    if part <= 0:
        part = Fraction(1, min(MOST_PARTS, people))
    if part >= 1:
        part = Fraction(1, 2)
    parts = deal(clips, part.denominator, seed)
    sizes = [sum(clip.group in part for clip in clips) for part in parts]
    # whole people make unequal parts: those that come nearest to the share together
    _, chosen = min(
        (abs(sum(sizes[place] for place in places) - share * len(clips)), places)
        for places in combinations(range(len(parts)), part.numerator)
    )
    return set().union(*(parts[place] for place in chosen))


def deal(clips: Clips, num_folds: int, seed: int) -> list[set[str]]:
    """The people of each of several folds, as equal in size and in their classes as whole people allow.

    Source: scikit-learn's StratifiedGroupKFold; StratifiedKFold where every clip is a person.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    groups = np.array([clip.group for clip in clips])
    labels = np.array([clip.label for clip in clips])
    by_clip = len(set(groups.tolist())) == len(clips)
    kind = StratifiedKFold if by_clip else StratifiedGroupKFold
    if num_folds > np.bincount(labels).max():  # fewer clips of each class: nothing to balance
        labels = np.zeros_like(labels)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        folds = kind(num_folds, shuffle=True, random_state=seed)
        dealt = folds.split(labels, labels, None if by_clip else groups)
        return [set(groups[tested].tolist()) for _, tested in dealt]


def rare_classes(clips: Clips, split: Split, class_names: Sequence[str]) -> str | None:
    """A line on classes of which a side has fewer than two people; `None` when there is none."""
    people: dict[tuple[int, Side], set[str]] = defaultdict(set)
    for clip in clips:
        side = split.side_of(clip.group)
        if side is not None:
            people[clip.label, side].add(clip.group)
    used = [side for side in SIDES if getattr(split, side)]
    rare = []
    for label, name in enumerate(class_names):
        few = [
            f"{len(people[label, side])} in {side}"
            for side in used
            if len(people[label, side]) < FEWEST_GROUPS
        ]
        if few:
            rare.append(f"{name} ({', '.join(few)})")
    if not rare:
        return None
    more = f" and {len(rare) - MAX_LISTED} more" if len(rare) > MAX_LISTED else ""
    return (
        f"split {split.name}: classes of fewer than {FEWEST_GROUPS} people (clips, where nobody is named) on a side, "
        "so figures say little of them: "
        f"{', '.join(rare[:MAX_LISTED])}{more}"
    )


def _split(name: str, fold: int | None, clips: Clips, val: set[str], test: set[str]) -> Split:
    people = sorted({clip.group for clip in clips}, key=_by_number)
    train = tuple(group for group in people if group not in val | test)
    sides = (tuple(group for group in people if group in side) for side in (val, test))
    return Split(name, fold, train, *sides)


def _by_number(group: str) -> list[tuple[int, str]]:
    """Sorts 9 before 10, and p9 before p10."""
    parts = re.split(r"(\d+)", group)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
