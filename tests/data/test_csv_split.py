"""People are dealt to sides as wholes, by shares, by folds or as a file says."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from emorec.data.csv_split import (
    Labelled,
    deal,
    rare_classes,
    split_as_told,
    split_by_fold,
    split_by_share,
    take_share,
)
from emorec.data.split import SIDES, Split
from emorec.errors import UserError


def people(number: int, classes: int = 3, clips: int = 2) -> list[Labelled]:
    """So many, each with as many clips of each class."""
    return [
        Labelled(f"p{person}", label)
        for person in range(1, number + 1)
        for label in range(classes)
        for _ in range(clips)
    ]


def sizes(split: Split) -> tuple[int, ...]:
    return tuple(len(getattr(split, side)) for side in SIDES)


@pytest.mark.parametrize(
    ("val", "test", "expected"),
    [
        (0.15, 0.15, (14, 3, 3)),
        (0.1, 0.2, (14, 2, 4)),
        (0.25, 0.25, (10, 5, 5)),
        (0, 1, (0, 0, 20)),
        (0, 0, (20, 0, 0)),
        (0.05, 0, (18, 2, 0)),  # a share is of ten parts at most
    ],
)
def test_the_sides_have_the_shares_that_were_asked_for(
    val: float, test: float, expected: tuple[int, ...]
) -> None:
    split = split_by_share(people(20), "mine", val_share=val, test_share=test, seed=0)
    assert sizes(split) == expected
    assert sorted(split.train + split.val + split.test) == sorted({p.group for p in people(20)})


def test_nobody_is_on_two_sides_and_classes_are_as_frequent_on_each() -> None:
    """People with one class only: a split by people alone would often leave a side without a class."""
    clips = [Labelled(f"p{person}", person % 3) for person in range(60) for _ in range(4)]
    for seed in range(5):
        split = split_by_share(clips, "mine", val_share=0.2, test_share=0.2, seed=seed)
        by_side = {side: Counter[int]() for side in SIDES}
        for clip in clips:
            side = split.side_of(clip.group)
            assert side is not None
            by_side[side][clip.label] += 1
        assert by_side["test"] == by_side["val"] == {0: 16, 1: 16, 2: 16}


def test_the_seed_decides_and_nothing_else() -> None:
    one, again, other = (
        split_by_share(people(20), "mine", val_share=0.2, test_share=0.2, seed=seed)
        for seed in (0, 0, 1)
    )
    assert one == again
    assert one.test != other.test


def test_the_folds_are_scikit_learn_s() -> None:
    clips = people(11)
    labels, groups = [c.label for c in clips], np.array([c.group for c in clips])
    oracle = StratifiedGroupKFold(5, shuffle=True, random_state=3)
    expected = [set(groups[test]) for _, test in oracle.split(labels, labels, groups)]
    assert deal(clips, 5, seed=3) == expected
    tested = [
        split_by_fold(clips, "mine", fold=fold, num_folds=5, val_share=0.15, seed=3)
        for fold in range(1, 6)
    ]
    assert [set(split.test) for split in tested] == expected
    assert [split.fold for split in tested] == [1, 2, 3, 4, 5]
    assert all(split.val and split.train for split in tested)
    assert len({split.val for split in tested}) > 1


def test_every_person_is_tested_in_one_fold() -> None:
    tested = Counter(
        person
        for fold in range(1, 8)
        for person in split_by_fold(
            people(23), "mine", fold=fold, num_folds=7, val_share=0.15, seed=0
        ).test
    )
    assert tested == {f"p{person}": 1 for person in range(1, 24)}


def test_clips_that_are_people_of_their_own_are_dealt_by_class() -> None:
    clips = [Labelled(f"{number}.mp4", number % 4) for number in range(200)]
    split = split_by_share(clips, "mine", val_share=0.1, test_share=0.2, seed=0)
    assert sizes(split) == (140, 20, 40)
    assert Counter(int(name[:-4]) % 4 for name in split.test) == dict.fromkeys(range(4), 10)


@pytest.mark.parametrize("fold", [0, 6])
def test_a_fold_that_there_is_not_is_refused(fold: int) -> None:
    with pytest.raises(UserError, match=f"data.fold is {fold}: choose 1 to 5"):
        split_by_fold(people(9), "mine", fold=fold, num_folds=5, val_share=0.1, seed=0)


def test_more_folds_than_people_are_refused() -> None:
    with pytest.raises(UserError, match="num_folds is 5, but there are 4 people"):
        split_by_fold(people(4), "mine", fold=1, num_folds=5, val_share=0.1, seed=0)


def test_few_people_still_make_three_sides_and_one_makes_none() -> None:
    shares: dict[str, Any] = {"val_share": 0.15, "test_share": 0.15, "seed": 0}
    assert sizes(split_by_share(people(3), "mine", **shares)) == (1, 1, 1)
    assert sizes(split_by_share(people(1), "mine", **shares)) == (1, 0, 0)
    assert take_share([], 0.5, 0) == set()


def test_sides_that_a_file_gives_are_kept_and_sorted_as_people_count() -> None:
    sides: Any = {"p10": "train", "p9": "train", "p1": "val", "p2": "test"}
    clips = [Labelled(person, 0, side) for person, side in sides.items()]
    split = split_as_told(clips, "of the file", val_share=0.5, seed=0)
    assert (split.train, split.val, split.test) == (("p9", "p10"), ("p1",), ("p2",))


def test_without_a_validation_side_one_is_taken_from_the_training_people() -> None:
    clips = [
        Labelled(each.group, each.label, "test" if int(each.group[1:]) > 20 else "train")
        for each in people(25)
    ]
    split = split_as_told(clips, "of the file", val_share=0.2, seed=0)
    assert sizes(split) == (16, 4, 5)
    assert set(split.test) == {"p21", "p22", "p23", "p24", "p25"}


def test_people_on_two_sides_are_refused_by_name() -> None:
    clips = [Labelled("ann", 0, "train"), Labelled("bo", 0, "train"), Labelled("ann", 1, "test")]
    with pytest.raises(UserError, match="people on two sides: ann in train and in test;"):
        split_as_told(clips, "of the file", val_share=0.2, seed=0)


def test_classes_of_too_few_people_are_told_with_their_side() -> None:
    clips = [*people(12, classes=2), Labelled("p1", 2), Labelled("p2", 2)]
    split = Split("mine", None, tuple(f"p{n}" for n in range(1, 9)), ("p9", "p10"), ("p11", "p12"))
    said = rare_classes(clips, split, ["calm", "sad", "shy"])
    assert said is not None
    assert said.endswith("so figures say little of them: shy (0 in val, 0 in test)")
    assert rare_classes(people(12, classes=2), split, ["calm", "sad"]) is None
