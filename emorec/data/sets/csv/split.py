"""Person-disjoint splits of clips that have no published split: by shares, by folds, or from a column of the file.

As in scikit-learn, `labels` are the N classes and `groups` the N people of the clips. Each person is in one subset, and
the classes are about as frequent in each subset.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Sequence, Set
from fractions import Fraction
from itertools import combinations

import numpy as np

from emorec.data.split import SUBSETS, Split, Subset
from emorec.errors import UserError
from emorec.text import first_few

MAX_PARTS = 10
"""A share is made of this many equal parts at most."""

MIN_PEOPLE = 2
"""With fewer people of a class in a subset, its scores describe a person rather than the class."""


def split_by_share(
    labels: Sequence[int],
    groups: Sequence[str],
    *,
    name: str,
    val_share: float,
    test_share: float,
    seed: int,
) -> Split:
    """Split people so that validation and test have about these shares of the clips, from 0 to 1.

    >>> split = split_by_share([0, 1] * 10, 2 * "abcdefghij", name="x", val_share=0.2, test_share=0.1, seed=0)
    >>> len(split.train), len(split.val), len(split.test)
    (7, 2, 1)
    """
    test = select_share(labels, groups, test_share, seed)
    share_of_rest = val_share / (1 - test_share) if test_share < 1 else 0
    val = select_share(*_without(labels, groups, test), share_of_rest, seed)
    return _make_split(name, None, groups, val, test)


def split_by_fold(
    labels: Sequence[int],
    groups: Sequence[str],
    *,
    name: str,
    fold: int,
    num_folds: int,
    val_share: float,
    seed: int,
) -> Split:
    """Return one fold, from 1, of a cross-validation in which each person is tested once.

    Raises:
        UserError: When there is no such fold, or fewer people than folds.
    """
    if not 1 <= fold <= num_folds:
        raise UserError(f"data.fold is {fold}: choose 1 to {num_folds} (data.num_folds)")
    num_people = len(set(groups))
    if num_people < num_folds:
        raise UserError(
            f"data.num_folds is {num_folds}, but there are {num_people} people: choose fewer"
        )
    test = make_folds(labels, groups, num_folds, seed)[fold - 1]
    share_of_rest = val_share * num_folds / (num_folds - 1)
    # another seed for each fold, or largely the same people would always validate
    val = select_share(*_without(labels, groups, test), share_of_rest, seed + fold)
    return _make_split(name, fold, groups, val, test)


def split_by_column(
    labels: Sequence[int],
    groups: Sequence[str],
    subsets: Sequence[Subset | None],
    *,
    name: str,
    val_share: float,
    seed: int,
) -> Split:
    """Return the split that a file defines; without a validation subset, a share of the training clips validates.

    Raises:
        UserError: When a person is in two subsets.
    """
    subsets_of: dict[str, set[Subset]] = defaultdict(set)
    for group, subset in zip(groups, subsets, strict=True):
        if subset is not None:
            subsets_of[group].add(subset)
    conflicts = [
        f"{group} in {' and in '.join(subset for subset in SUBSETS if subset in own)}"
        for group, own in subsets_of.items()
        if len(own) > 1
    ]
    if conflicts:
        raise UserError(
            f"people in two subsets: {first_few(conflicts)}; correct the column, "
            "or split by person with --data.split_column none"
        )
    people = {
        subset: {group for group, own in subsets_of.items() if subset in own} for subset in SUBSETS
    }
    if not people["val"]:
        other = set(groups) - people["train"]
        people["val"] = select_share(*_without(labels, groups, other), val_share, seed)
    return _make_split(name, None, groups, people["val"], people["test"])


def select_share(labels: Sequence[int], groups: Sequence[str], share: float, seed: int) -> set[str]:
    """Return people who have about a share of the clips, at least one person if the share is above 0.

    The share is approximated by j / k with k at most `MAX_PARTS`. Since folds of whole people differ in size, the
    j of k folds are taken that together come closest to the share.

    >>> len(select_share([0, 1] * 7, 2 * "abcdefg", 0.15, seed=0)), select_share([0], "a", 0.5, seed=0)
    (1, set())
    """
    num_people = len(set(groups))
    if share <= 0 or num_people < 2:
        return set()
    if share >= 1:
        return set(groups)
    max_parts = min(MAX_PARTS, num_people)
    fraction = Fraction(share).limit_denominator(max_parts)
    if fraction <= 0:
        fraction = Fraction(1, max_parts)
    if fraction >= 1:
        fraction = Fraction(1, 2)
    folds = make_folds(labels, groups, fraction.denominator, seed)
    sizes = [sum(group in fold for group in groups) for fold in folds]
    _, chosen = min(
        (abs(sum(sizes[i] for i in indices) - share * len(groups)), indices)
        for indices in combinations(range(len(folds)), fraction.numerator)
    )
    return set().union(*(folds[i] for i in chosen))


def make_folds(
    labels: Sequence[int], groups: Sequence[str], num_folds: int, seed: int
) -> list[set[str]]:
    """Divide people into folds, as equal in size and class frequencies as whole people allow.

    Source: scikit-learn's StratifiedGroupKFold; StratifiedKFold where each person has one clip.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    y, people = np.array(labels), np.array(list(groups))
    one_clip_each = len(set(groups)) == len(groups)
    splitter = StratifiedKFold if one_clip_each else StratifiedGroupKFold
    if num_folds > np.bincount(y).max():  # too few clips of every class to stratify
        y = np.zeros_like(y)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        folds = splitter(num_folds, shuffle=True, random_state=seed)
        indices = folds.split(y, y, None if one_clip_each else people)
        return [set(people[test].tolist()) for _, test in indices]


def rare_class_warning(
    labels: Sequence[int], groups: Sequence[str], split: Split, class_names: Sequence[str]
) -> str | None:
    """Return a line about classes with fewer than `MIN_PEOPLE` people in a subset; `None` without any."""
    people: dict[tuple[int, Subset | None], set[str]] = defaultdict(set)
    for label, group in zip(labels, groups, strict=True):
        people[label, split.subset_of(group)].add(group)
    rare = []
    for label, name in enumerate(class_names):
        counts = {
            subset: len(people[label, subset]) for subset in SUBSETS if getattr(split, subset)
        }
        few = [f"{count} in {subset}" for subset, count in counts.items() if count < MIN_PEOPLE]
        if few:
            rare.append(f"{name} ({', '.join(few)})")
    if not rare:
        return None
    return (
        f"split {split.name}: classes with fewer than {MIN_PEOPLE} people (or clips, without a column of people) in a "
        f"subset, so their scores are unreliable: {first_few(rare)}"
    )


def _without(
    labels: Sequence[int], groups: Sequence[str], left_out: Set[str]
) -> tuple[list[int], list[str]]:
    """Return labels and groups without the clips of some people."""
    kept = [i for i, group in enumerate(groups) if group not in left_out]
    return [labels[i] for i in kept], [groups[i] for i in kept]


def _make_split(
    name: str, fold: int | None, groups: Sequence[str], val: set[str], test: set[str]
) -> Split:
    people = sorted(set(groups), key=_natural_order)
    subsets = (
        tuple(person for person in people if person in subset)
        for subset in (set(people) - val - test, val, test)
    )
    return Split(name, fold, *subsets)


def _natural_order(group: str) -> list[tuple[int, str]]:
    """Sort key that puts 9 before 10, and p9 before p10."""
    parts = re.split(r"(\d+)", group)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
