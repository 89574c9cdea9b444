"""Splits by actor: published folds, disjoint subsets and their hash."""

from pathlib import Path

import pytest

from emorec.data.clip import Clip
from emorec.data.split import SUBSETS, TEST_FOLDS, Split, clips_hash, make_split
from emorec.errors import UserError

FOLDS = [(name, fold) for name, folds in TEST_FOLDS.items() for fold in range(1, len(folds) + 1)]
ACTORS = set(range(1, 25))


def clip(actor: int, modality: int = 1) -> Clip:
    stem = f"{modality:02d}-01-03-01-01-01-{actor:02d}"
    return Clip(path=Path(f"{stem}.mp4"), label=2, actor=actor, take=stem[3:])


def test_the_seed_split_is_that_of_the_publication() -> None:
    split = make_split("seed")
    assert (split.train, split.val, split.test) == (tuple(range(1, 21)), (21, 22), (23, 24))


@pytest.mark.parametrize(("name", "fold"), FOLDS)
def test_every_fold_uses_every_actor_once(name: str, fold: int) -> None:
    split = make_split(name, fold)  # type: ignore[arg-type]
    assert sorted((*split.train, *split.val, *split.test)) == sorted(ACTORS)


@pytest.mark.parametrize(("name", "fold"), FOLDS)
def test_half_of_the_validation_actors_are_women(name: str, fold: int) -> None:
    val = make_split(name, fold).val  # type: ignore[arg-type]
    assert sum(actor % 2 for actor in val) * 2 == len(val)


@pytest.mark.parametrize("name", TEST_FOLDS)
def test_the_test_folds_of_a_split_cover_every_actor_once(name: str) -> None:
    tested = [actor for fold in TEST_FOLDS[name] for actor in fold]
    assert sorted(tested) == sorted(ACTORS)


def test_folds_are_those_of_the_publications() -> None:
    assert make_split("msaf6", 6).test == (21, 22, 23, 24)
    assert make_split("luna5", 4).test == (8, 17, 21, 23, 24)
    assert make_split("emobox6", 2).test == (4, 10, 12, 14)
    assert len(TEST_FOLDS["loso"]) == 24


@pytest.mark.parametrize("subsets", [((1, 2), (2,), ()), ((1,), (3,), (1,)), ((), (4,), (4,))])
def test_an_actor_in_two_subsets_is_refused(subsets: tuple[tuple[int, ...], ...]) -> None:
    train, val, test = subsets
    with pytest.raises(UserError, match=r"actor \d is in \w+ and in \w+"):
        Split("mine", None, train, val, test)


@pytest.mark.parametrize(
    ("name", "fold", "message"),
    [
        ("msaf6", None, "needs --data.fold 1 to 6, not None"),
        ("loso", 25, "1 to 24, not 25"),
        ("luna5", 0, "1 to 5, not 0"),
        ("seed", 1, "has no folds"),
    ],
)
def test_an_unknown_fold_is_refused(name: str, fold: int | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_split(name, fold)  # type: ignore[arg-type]


def test_files_of_one_take_are_in_the_same_subset() -> None:
    clips = [clip(actor, modality) for actor in ACTORS for modality in (1, 2)]
    for name, fold in [("seed", None), *FOLDS]:
        subsets = make_split(name, fold).clips(clips)  # type: ignore[arg-type]
        takes = [{clip.take for clip in subsets[subset]} for subset in SUBSETS]
        assert len(set.union(*takes)) == sum(map(len, takes))
        assert sum(map(len, subsets.values())) == len(clips)


def test_the_hash_depends_on_clips_and_subsets_but_not_on_folders_or_order() -> None:
    split = make_split("seed")
    clips = [clip(actor) for actor in ACTORS]
    moved = [
        Clip(path=Path("elsewhere") / c.path, label=c.label, actor=c.actor, take=c.take)
        for c in reversed(clips)
    ]
    original = clips_hash(split.clips(clips))
    assert clips_hash(split.clips(moved)) == original
    assert clips_hash(split.clips(clips[1:])) != original
    assert clips_hash(make_split("msaf6", 1).clips(clips)) != original
