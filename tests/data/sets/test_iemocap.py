"""IEMOCAP's evaluation files, folders and splits."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from emorec.data.sets.iemocap.parser import (
    CLASSES,
    LABEL_COUNTS,
    LABELS,
    Utterance,
    find_clips,
    read_utterances,
)
from emorec.data.sets.iemocap.split import (
    FOLDS,
    SPEAKERS,
    IemocapSplitName,
    make_iemocap_split,
)
from emorec.data.split import RandomSplit, is_held_out
from emorec.errors import UserError
from tests.iemocap_set import write_iemocap

LINE = "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 3.0000, 1.5000]"


@pytest.fixture
def damaged_copy(drawn_iemocap: Path, tmp_path: Path) -> Path:
    """Copy of the data set that a test may damage."""
    return Path(shutil.copytree(drawn_iemocap, tmp_path / "release"))


# Utterances


def test_all_fields_of_a_line_are_parsed() -> None:
    utterance = Utterance.parse(LINE)
    assert (utterance.name, utterance.dialogue) == ("Ses01F_impro01_F000", "Ses01F_impro01")
    assert (utterance.start, utterance.end, utterance.code) == (6.2901, 8.2357, "neu")
    assert (utterance.valence, utterance.activation, utterance.dominance) == (2.5, 3.0, 1.5)
    assert (utterance.person, utterance.session, utterance.improvised) == ("Ses01F", 1, True)
    assert (utterance.speaker, utterance.marked) == ("F", "F")


@pytest.mark.parametrize(
    ("name", "dialogue", "person", "improvised"),
    [
        ("Ses03M_impro05a_F007", "Ses03M_impro05a", "Ses03F", True),
        ("Ses05M_script01_1b_M012", "Ses05M_script01_1b", "Ses05M", False),
        ("Ses02F_script03_2_M040", "Ses02F_script03_2", "Ses02M", False),
    ],
)
def test_all_name_formats_of_the_release_are_parsed(
    name: str, dialogue: str, person: str, improvised: bool
) -> None:
    utterance = Utterance.parse(LINE.replace("Ses01F_impro01_F000", name))
    assert (utterance.dialogue, utterance.person) == (dialogue, person)
    assert utterance.improvised == improvised


@pytest.mark.parametrize(
    ("speaker", "marked", "half"),
    [("F", "F", "left"), ("M", "F", "right"), ("M", "M", "left"), ("F", "M", "right")],
)
def test_the_person_with_the_markers_is_on_the_left(speaker: str, marked: str, half: str) -> None:
    name = f"Ses01{marked}_impro01_{speaker}000"
    utterance = Utterance.parse(LINE.replace("Ses01F_impro01_F000", name))
    assert utterance.half(marked_half="left") == half
    assert utterance.half(marked_half="right") != half


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu", "not like"),
        (LINE.replace("neu", "joy"), "has the label joy"),
        (LINE.replace("Ses01F", "Ses06F"), "Ses06F_impro01_F000 is not an utterance"),
        (LINE.replace("_F000", "_X000"), "is not an utterance"),
        (LINE.replace("8.2357", "6.0"), r"lasts from 6\.2901 s to 6\.0 s"),
    ],
)
def test_a_malformed_line_is_refused_with_the_reason(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Utterance.parse(line)


def test_the_labels_of_single_annotators_are_skipped(drawn_iemocap: Path) -> None:
    path = drawn_iemocap / "Session2/dialog/EmoEvaluation/Ses02F_impro01.txt"
    utterances = [
        utterance for utterance in read_utterances(path) if isinstance(utterance, Utterance)
    ]
    assert [(utterance.name[-4:], utterance.code) for utterance in utterances] == [
        ("F000", "neu"),
        ("F001", "sad"),
        ("F002", "exc"),
        ("M000", "ang"),
        ("M001", "hap"),
        ("M002", "fru"),
        ("M003", "xxx"),
    ]


# Folders


def test_a_clip_is_a_span_and_a_half_of_its_dialogue_and_a_sound_file(drawn_iemocap: Path) -> None:
    clips = {clip.take: clip for clip in find_clips(drawn_iemocap).clips}
    clip = clips["Ses03F_impro01_M000"]
    assert clip.path == drawn_iemocap / "Session3/dialog/avi/DivX/Ses03F_impro01.avi"
    assert clip.sound_path == (
        drawn_iemocap / "Session3/sentences/wav/Ses03F_impro01/Ses03F_impro01_M000.wav"
    )
    assert clip.sound_path.is_file()
    assert (clip.span_seconds, clip.half, clip.actor) == ((1.2, 2.0), "right", "Ses03M")
    assert CLASSES[4][clip.label] == "angry"  # type: ignore[index]
    assert clip.address == f"{clip.path}#id=Ses03F_impro01_M000"
    assert clips["Ses03M_script01_1b_M000"].half == "left"
    assert clips["Ses03M_script01_1b_F000"].half == "right"
    swapped = {clip.take: clip for clip in find_clips(drawn_iemocap, marked_half="right").clips}
    assert swapped["Ses03F_impro01_M000"].half == "left"


@pytest.mark.parametrize(
    ("arguments", "per_class"),
    [
        ({}, {"angry": 10, "happy": 10, "neutral": 10, "sad": 10}),
        ({"merge_excited": True}, {"angry": 10, "happy": 20, "neutral": 10, "sad": 10}),
        ({"num_classes": 3}, {"angry": 10, "neutral": 10, "sad": 10}),
        ({"improvised_only": True}, {"angry": 5, "happy": 5, "neutral": 5, "sad": 5}),
        (
            {"improvised_only": True, "merge_excited": True},
            {"angry": 5, "happy": 10, "neutral": 5, "sad": 5},
        ),
    ],
)
def test_classes_can_be_selected(
    drawn_iemocap: Path, arguments: dict[str, Any], per_class: dict[str, int]
) -> None:
    names = CLASSES[arguments.get("num_classes", 4)]
    clips = find_clips(drawn_iemocap, **arguments).clips
    assert Counter(names[int(clip.label)] for clip in clips) == per_class  # type: ignore[arg-type]


def test_excluded_labels_are_counted(drawn_iemocap: Path) -> None:
    folder = find_clips(drawn_iemocap)
    assert folder.label_counts == {
        **dict.fromkeys(("neu", "ang", "sad", "hap", "exc", "fru"), 10),
        "xxx": 5,
    }
    excluded = folder.excluded(4, merge_excited=False)
    assert excluded == {"excited": 10, "frustrated": 10, "without agreement": 5}
    assert "excited" not in folder.excluded(4, merge_excited=True)


def test_the_label_counts_equal_the_published_ones() -> None:
    num_four_classes = sum(LABEL_COUNTS[code] for code in ("neu", "ang", "sad", "hap"))
    assert LABEL_COUNTS.keys() == LABELS.keys()
    assert sum(LABEL_COUNTS.values()) == 10_039
    assert (num_four_classes, num_four_classes + LABEL_COUNTS["exc"]) == (4_490, 5_531)


def test_the_root_may_be_the_parent_of_the_release_and_sessions_may_be_missing(
    tmp_path: Path,
) -> None:
    release = write_iemocap(tmp_path, range(2, 4))
    folder = find_clips(release)
    assert folder.clips == find_clips(tmp_path).clips
    assert folder.sessions == (2, 3)
    assert {clip.actor for clip in folder.clips} == {"Ses02F", "Ses02M", "Ses03F", "Ses03M"}


def test_utterances_without_video_or_sound_are_listed_and_excluded(damaged_copy: Path) -> None:
    (damaged_copy / "Session1/dialog/avi/DivX/Ses01F_impro01.avi").unlink()
    sounds = damaged_copy / "Session1/sentences/wav"
    (sounds / "Ses01F_impro01/Ses01F_impro01_F000.wav").unlink()
    (sounds / "Ses01M_script01_1b/Ses01M_script01_1b_F001.wav").unlink()
    folder = find_clips(damaged_copy)
    assert folder.incomplete == (
        ("Ses01F_impro01_F000", "no avi and no wav"),
        ("Ses01F_impro01_F001", "no avi"),
        ("Ses01F_impro01_M000", "no avi"),
        ("Ses01F_impro01_M001", "no avi"),
        ("Ses01M_script01_1b_F001", "no wav"),
    )
    assert len(folder.clips) == 40 - 5


def test_a_malformed_line_does_not_affect_the_others(damaged_copy: Path) -> None:
    path = damaged_copy / "Session4/dialog/EmoEvaluation/Ses04F_impro01.txt"
    path.write_text(path.read_text().replace("\tneu\t", "\tnew\t"))
    folder = find_clips(damaged_copy)
    ((file, reason),) = folder.malformed
    assert file == path
    assert reason.startswith("line 3: Ses04F_impro01_F000 has the label new")
    assert len(folder.clips) == 39


def test_a_line_of_another_dialogue_is_malformed(damaged_copy: Path) -> None:
    path = damaged_copy / "Session4/dialog/EmoEvaluation/Ses04F_impro01.txt"
    path.rename(path.with_name("Ses04F_impro02.txt"))
    ((_, reason),) = find_clips(damaged_copy).malformed
    assert reason == "line 3: Ses04F_impro01_F000 belongs to another dialogue"


def test_a_folder_that_is_not_iemocap_is_refused_with_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such folder: .*nowhere .*release form"):
        find_clips(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no Session1: ask for IEMOCAP .* Session1 to Session5"):
        find_clips(tmp_path)
    (tmp_path / "Session1/dialog/avi/DivX").mkdir(parents=True)
    with pytest.raises(UserError, match=r"Session1 .*lacks dialog/EmoEvaluation, sentences/wav:"):
        find_clips(tmp_path)
    (tmp_path / "Session1/dialog/EmoEvaluation").mkdir()
    (tmp_path / "Session1/sentences/wav").mkdir(parents=True)
    with pytest.raises(UserError, match=r"no utterance in .*Session\*/dialog/EmoEvaluation"):
        find_clips(tmp_path)


def test_a_folder_without_any_video_is_refused(damaged_copy: Path) -> None:
    for video in damaged_copy.rglob("*.avi"):
        video.unlink()
    with pytest.raises(UserError, match=r"none of the 40 .* such as Ses01F_impro01_F000: no avi"):
        find_clips(damaged_copy)
    assert len(find_clips(damaged_copy, videos_required=False).clips) == 40


# Splits

ALL_FOLDS = [(name, fold) for name, folds in FOLDS.items() for fold in range(1, folds + 1)]


@pytest.mark.parametrize(("name", "fold"), ALL_FOLDS)
def test_every_fold_uses_each_person_once(name: IemocapSplitName, fold: int) -> None:
    split = make_iemocap_split(name, fold)
    assert sorted((*split.train, *split.val, *split.test)) == sorted(SPEAKERS)
    assert not split.shares_people


@pytest.mark.parametrize("name", FOLDS)
def test_the_folds_test_each_person_once(name: IemocapSplitName) -> None:
    folds = range(1, FOLDS[name] + 1)
    tested = [person for fold in folds for person in make_iemocap_split(name, fold).test]
    assert sorted(tested) == sorted(SPEAKERS)


@pytest.mark.parametrize(
    ("name", "fold", "val", "test"),
    [
        ("loso5", 1, ("Ses02F", "Ses02M"), ("Ses01F", "Ses01M")),
        ("loso5", 4, ("Ses05F", "Ses05M"), ("Ses04F", "Ses04M")),
        ("loso5", 5, ("Ses01F", "Ses01M"), ("Ses05F", "Ses05M")),
        ("speaker10", 1, ("Ses01M",), ("Ses01F",)),
        ("speaker10", 2, ("Ses01F",), ("Ses01M",)),
        ("speaker10", 10, ("Ses05F",), ("Ses05M",)),
    ],
)
def test_the_next_session_or_the_dialogue_partner_is_for_validation(
    name: IemocapSplitName, fold: int, val: tuple[str, ...], test: tuple[str, ...]
) -> None:
    split = make_iemocap_split(name, fold)
    assert (split.val, split.test) == (val, test)


@pytest.mark.parametrize(
    ("name", "fold", "message"),
    [
        ("loso5", None, r"split loso5 needs --data.fold 1 to 5, not None"),
        ("loso5", 6, r"split loso5 needs --data.fold 1 to 5, not 6"),
        ("speaker10", 0, r"split speaker10 needs --data.fold 1 to 10, not 0"),
        ("seed_random", 1, r"seed_random has no folds: leave out --data.fold 1"),
    ],
)
def test_an_impossible_fold_is_refused(
    name: IemocapSplitName, fold: int | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make_iemocap_split(name, fold)


def test_the_random_split_holds_out_utterances_of_every_speaker(drawn_iemocap: Path) -> None:
    clips = find_clips(drawn_iemocap).clips
    split = make_iemocap_split("seed_random", None, clips)
    assert isinstance(split, RandomSplit)
    sides = split.clips(clips)
    assert sorted([*sides["train"], *sides["test"]], key=lambda clip: clip.take) == list(clips)
    assert sides["val"] == sides["test"] == [clip for clip in clips if is_held_out(clip.take)]
    assert set(split.train) == set(SPEAKERS)
    assert split.test == tuple(sorted({str(clip.actor) for clip in sides["test"]}))


def test_the_random_split_is_independent_for_each_utterance(
    drawn_iemocap: Path,
) -> None:
    split = make_iemocap_split("seed_random", None, find_clips(drawn_iemocap).clips)
    fewer = find_clips(drawn_iemocap, improvised_only=True).clips
    held_out = make_iemocap_split("seed_random", None, fewer).clips(fewer)["test"]
    assert held_out == split.clips(fewer)["test"]
    takes = [
        f"Ses{session:02d}F_impro01_F{turn:03d}" for session in range(1, 6) for turn in range(2000)
    ]
    assert abs(sum(map(is_held_out, takes)) / 10_000 - 0.2) < 4 * (0.2 * 0.8 / 10_000) ** 0.5
