"""IEMOCAP's evaluation files and folders become clips."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from emorec.data.iemocap import find_clips, left_out
from emorec.data.iemocap_files import Utterance, read_utterances
from emorec.data.iemocap_labels import CLASSES, COUNTS, LABELS
from emorec.errors import UserError
from tests.iemocap_set import write_iemocap

LINE = "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 3.0000, 1.5000]"


@pytest.fixture
def copy(drawn_iemocap: Path, tmp_path: Path) -> Path:
    """The set, to be spoilt."""
    return Path(shutil.copytree(drawn_iemocap, tmp_path / "release"))


def test_a_line_says_all_that_the_data_set_describes() -> None:
    said = Utterance.parse(LINE)
    assert (said.name, said.dialogue, said.session) == ("Ses01F_impro01_F000", "Ses01F_impro01", 1)
    assert (said.start, said.end, said.code) == (6.2901, 8.2357, "neu")
    assert (said.valence, said.activation, said.dominance) == (2.5, 3.0, 1.5)
    assert (said.person, said.speaker, said.marked, said.improvised) == ("Ses01F", "F", "F", True)


@pytest.mark.parametrize(
    ("name", "dialogue", "person", "improvised"),
    [
        ("Ses03M_impro05a_F007", "Ses03M_impro05a", "Ses03F", True),
        ("Ses05M_script01_1b_M012", "Ses05M_script01_1b", "Ses05M", False),
        ("Ses02F_script03_2_M040", "Ses02F_script03_2", "Ses02M", False),
    ],
)
def test_all_kinds_of_names_that_the_release_has_are_read(
    name: str, dialogue: str, person: str, improvised: bool
) -> None:
    said = Utterance.parse(LINE.replace("Ses01F_impro01_F000", name))
    assert (said.dialogue, said.person, said.improvised) == (dialogue, person, improvised)


@pytest.mark.parametrize(
    ("speaker", "marked", "half"),
    [("F", "F", "left"), ("M", "F", "right"), ("M", "M", "left"), ("F", "M", "right")],
)
def test_who_wears_the_markers_is_on_the_left(speaker: str, marked: str, half: str) -> None:
    said = Utterance.parse(
        LINE.replace("Ses01F_impro01_F000", f"Ses01{marked}_impro01_{speaker}000")
    )
    assert said.half(marked="left") == half
    assert said.half(marked="right") != half


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu", "not like"),
        (LINE.replace("neu", "joy"), "has the label joy"),
        (LINE.replace("Ses01F", "Ses06F"), "Ses06F_impro01_F000 is no utterance"),
        (LINE.replace("_F000", "_X000"), "is no utterance"),
        (LINE.replace("8.2357", "6.0"), r"lasts from 6\.2901 s to 6\.0 s"),
    ],
)
def test_a_line_that_the_release_can_not_have_is_refused_with_the_reason(
    line: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        Utterance.parse(line)


def test_what_single_annotators_say_is_passed_over(drawn_iemocap: Path) -> None:
    path = drawn_iemocap / "Session2/dialog/EmoEvaluation/Ses02F_impro01.txt"
    said = [each for each in read_utterances(path) if isinstance(each, Utterance)]
    assert [(each.name[-4:], each.code) for each in said] == [
        ("F000", "neu"),
        ("F001", "sad"),
        ("F002", "exc"),
        ("M000", "ang"),
        ("M001", "hap"),
        ("M002", "fru"),
        ("M003", "xxx"),
    ]


def test_an_utterance_is_a_span_and_a_half_of_its_dialogue_and_a_sound(drawn_iemocap: Path) -> None:
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
    assert (clips["Ses03M_script01_1b_M000"].half, clips["Ses03M_script01_1b_F000"].half) == (
        "left",
        "right",
    )
    other = {clip.take: clip for clip in find_clips(drawn_iemocap, marked_half="right").clips}
    assert other["Ses03F_impro01_M000"].half == "left"


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
def test_classes_are_chosen_and_counted(
    drawn_iemocap: Path, arguments: dict[str, bool], per_class: dict[str, int]
) -> None:
    names = CLASSES[arguments.get("num_classes", 4)]
    clips = find_clips(drawn_iemocap, **arguments).clips  # type: ignore[arg-type]
    assert Counter(names[int(clip.label)] for clip in clips) == per_class  # type: ignore[arg-type]


def test_other_labels_are_counted(drawn_iemocap: Path) -> None:
    counts = find_clips(drawn_iemocap).counts
    assert counts == {"neu": 10, "ang": 10, "sad": 10, "hap": 10, "exc": 10, "fru": 10, "xxx": 5}
    assert left_out(counts, 4, merge_excited=False) == {
        "excited": 10,
        "frustrated": 10,
        "without agreement": 5,
    }
    assert "excited" not in left_out(counts, 4, merge_excited=True)


def test_the_counts_of_the_whole_release_are_the_published_ones() -> None:
    four = COUNTS["neu"] + COUNTS["ang"] + COUNTS["sad"] + COUNTS["hap"]
    assert COUNTS.keys() == LABELS.keys()
    assert sum(COUNTS.values()) == 10_039
    assert (four, four + COUNTS["exc"]) == (4_490, 5_531)


def test_the_folder_may_be_the_one_that_holds_the_release_and_lack_sessions(tmp_path: Path) -> None:
    release = write_iemocap(tmp_path, range(2, 4))
    inside, around = find_clips(release).clips, find_clips(tmp_path).clips
    assert inside == around
    assert {clip.actor for clip in inside} == {"Ses02F", "Ses02M", "Ses03F", "Ses03M"}


def test_utterances_without_video_or_sound_are_listed_and_never_taken(copy: Path) -> None:
    (copy / "Session1/dialog/avi/DivX/Ses01F_impro01.avi").unlink()
    sounds = copy / "Session1/sentences/wav"
    (sounds / "Ses01F_impro01/Ses01F_impro01_F000.wav").unlink()
    (sounds / "Ses01M_script01_1b/Ses01M_script01_1b_F001.wav").unlink()
    folder = find_clips(copy)
    assert folder.incomplete == (
        ("Ses01F_impro01_F000", "no avi and no wav"),
        ("Ses01F_impro01_F001", "no avi"),
        ("Ses01F_impro01_M000", "no avi"),
        ("Ses01F_impro01_M001", "no avi"),
        ("Ses01M_script01_1b_F001", "no wav"),
    )
    assert len(folder.clips) == 40 - 5


def test_a_spoilt_line_is_told_and_the_others_are_taken(copy: Path) -> None:
    path = copy / "Session4/dialog/EmoEvaluation/Ses04F_impro01.txt"
    path.write_text(path.read_text().replace("\tneu\t", "\tnew\t"))
    folder = find_clips(copy)
    ((place, wrong),) = folder.others
    assert (place, wrong) == (
        path,
        "line 3: Ses04F_impro01_F000 has the label new, which IEMOCAP does not have",
    )
    assert len(folder.clips) == 39


def test_a_line_of_another_dialogue_is_told(copy: Path) -> None:
    path = copy / "Session4/dialog/EmoEvaluation/Ses04F_impro01.txt"
    path.rename(path.with_name("Ses04F_impro02.txt"))
    ((_, wrong),) = find_clips(copy).others
    assert wrong == "line 3: Ses04F_impro01_F000 is of another dialogue"


def test_a_folder_that_is_not_iemocap_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such folder: .*nowhere .*release form"):
        find_clips(tmp_path / "nowhere")
    with pytest.raises(
        UserError, match=r"has no Session1: ask for IEMOCAP .* Session1 to Session5"
    ):
        find_clips(tmp_path)
    (tmp_path / "Session1/dialog/avi/DivX").mkdir(parents=True)
    with pytest.raises(
        UserError, match=r"Session1 is .*lacks dialog/EmoEvaluation, sentences/wav:"
    ):
        find_clips(tmp_path)
    (tmp_path / "Session1/dialog/EmoEvaluation").mkdir()
    (tmp_path / "Session1/sentences/wav").mkdir(parents=True)
    with pytest.raises(UserError, match=r"no utterance in .*: no file in Session\*/dialog/EmoEval"):
        find_clips(tmp_path)


def test_a_folder_without_any_video_is_told_in_one_line(copy: Path) -> None:
    for video in copy.rglob("*.avi"):
        video.unlink()
    with pytest.raises(
        UserError, match=r"none of the 40 .* can be taken, Ses01F_impro01_F000 .* no avi"
    ):
        find_clips(copy)
