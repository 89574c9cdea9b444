"""Nobody in IEMOCAP is on two sides, but for one split that says so."""

from pathlib import Path

import pytest

from emorec.callbacks.run_record import describe_split
from emorec.data.iemocap import find_clips
from emorec.data.iemocap_split import FOLDS, SPEAKERS, IemocapSplitName, make_iemocap_split
from emorec.data.random_split import RandomSplit, is_held_out
from emorec.errors import UserError

EVERY_FOLD = [(name, fold) for name, folds in FOLDS.items() for fold in range(1, folds + 1)]


@pytest.mark.parametrize(("name", "fold"), EVERY_FOLD)
def test_every_fold_uses_everybody_once(name: IemocapSplitName, fold: int) -> None:
    split = make_iemocap_split(name, fold)
    assert sorted((*split.train, *split.val, *split.test)) == sorted(SPEAKERS)
    assert not split.shares_people


@pytest.mark.parametrize("name", FOLDS)
def test_the_folds_test_everybody_once(name: IemocapSplitName) -> None:
    tested = [
        who for fold in range(1, FOLDS[name] + 1) for who in make_iemocap_split(name, fold).test
    ]
    assert sorted(tested) == sorted(SPEAKERS)


@pytest.mark.parametrize(
    ("fold", "val", "test"),
    [(1, "Ses02", "Ses01"), (2, "Ses03", "Ses02"), (4, "Ses05", "Ses04"), (5, "Ses01", "Ses05")],
)
def test_a_session_is_tested_and_the_next_one_validates(fold: int, val: str, test: str) -> None:
    split = make_iemocap_split("loso5", fold)
    assert (split.val, split.test) == ((f"{val}F", f"{val}M"), (f"{test}F", f"{test}M"))


@pytest.mark.parametrize(
    ("fold", "val", "test"),
    [(1, "Ses01M", "Ses01F"), (2, "Ses01F", "Ses01M"), (10, "Ses05F", "Ses05M")],
)
def test_a_person_is_tested_and_who_they_talk_to_validates(fold: int, val: str, test: str) -> None:
    split = make_iemocap_split("speaker10", fold)
    assert (split.val, split.test) == ((val,), (test,))


@pytest.mark.parametrize(
    ("name", "fold", "message"),
    [
        ("loso5", None, r"split loso5 needs --data.fold 1 to 5, not None"),
        ("loso5", 6, r"split loso5 needs --data.fold 1 to 5, not 6"),
        ("speaker10", 0, r"split speaker10 needs --data.fold 1 to 10, not 0"),
        ("seed_random", 1, r"split seed_random has no folds"),
    ],
)
def test_a_fold_that_is_not_there_is_refused(
    name: IemocapSplitName, fold: int | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make_iemocap_split(name, fold)


def test_the_random_split_holds_out_a_fifth_whoever_speaks(drawn_iemocap: Path) -> None:
    clips = find_clips(drawn_iemocap).clips
    split = make_iemocap_split("seed_random", None, clips)
    assert isinstance(split, RandomSplit)
    sides = split.clips(clips)
    assert sorted([*sides["train"], *sides["test"]], key=lambda clip: clip.take) == list(clips)
    assert sides["val"] == sides["test"] == [clip for clip in clips if is_held_out(clip.take)]
    assert set(split.train) == set(SPEAKERS)
    assert split.test == tuple(sorted({clip.actor for clip in sides["test"]}, key=str))


def test_an_utterance_is_held_out_whatever_else_there_is(drawn_iemocap: Path) -> None:
    every = make_iemocap_split("seed_random", None, find_clips(drawn_iemocap).clips)
    fewer = find_clips(drawn_iemocap, improvised_only=True).clips
    held_out = make_iemocap_split("seed_random", None, fewer).clips(fewer)["test"]
    assert held_out == every.clips(fewer)["test"]
    takes = [
        f"Ses{session:02d}F_impro01_F{turn:03d}" for session in range(1, 6) for turn in range(2000)
    ]
    assert abs(sum(map(is_held_out, takes)) / 10_000 - 0.2) < 4 * (0.2 * 0.8 / 10_000) ** 0.5


def test_a_split_that_leaks_says_so_wherever_it_is_described(drawn_iemocap: Path) -> None:
    clips = find_clips(drawn_iemocap).clips
    split = make_iemocap_split("seed_random", None, clips)
    words = describe_split({**split.record(split.clips(clips)), "skipped": []})
    assert "; LEAK: " in words
    assert words.endswith(" train and are tested")
    honest = make_iemocap_split("loso5", 1)
    assert "LEAK" not in describe_split({**honest.record(honest.clips(clips)), "skipped": []})
