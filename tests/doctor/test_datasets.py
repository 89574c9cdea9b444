"""Checks of data sets."""

import shutil
from pathlib import Path

import pytest

from emorec.data.sets.iemocap.parser import LABEL_COUNTS
from emorec.doctor import datasets
from emorec.doctor.datasets import (
    CLIPS_PER_KIND,
    check_csv,
    check_iemocap,
    check_ravdess,
    is_csv,
)


@pytest.fixture
def ravdess_folder(tmp_path):
    for name in (
        "01-01-03-01-01-01-01.mp4",
        "02-01-03-01-01-01-01.mp4",
        "01-02-03-01-01-01-02.mp4",
        "01-01-03-01-01-01-04.mp4",
        "notes.txt",
    ):
        (tmp_path / name).touch()
    return tmp_path


def test_clips_are_counted_by_kind_and_missing_actors_named(ravdess_folder):
    values = [value for _, value in check_ravdess(str(ravdess_folder)).rows]
    assert values == [
        f"4 clips in {ravdess_folder}",
        "song with sound: 1 of 1,012",
        "speech with sound: 2 of 1,440",
        "speech without sound: 1 of 1,440",
        "actors 1-2, 4",
        "missing actors 3, 5-24",
        "1 other files, such as notes.txt: not seven two-digit fields joined by '-'",
    ]


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_named_folder_without_clips_is_a_failure(tmp_path, name):
    root = str(tmp_path / name)
    (failure,) = check_ravdess(root).failures
    assert str(tmp_path) in failure


def test_no_folder_is_not_a_failure():
    report = check_ravdess(None)
    assert not report.failures
    assert "--data_root" in report.rows[0][1]


@pytest.mark.real
def test_the_real_clips_do_not_exceed_the_published_count(ravdess_root):
    rows = check_ravdess(str(ravdess_root)).rows
    speech = next(value for _, value in rows if value.startswith("speech with sound"))
    count, _, total = speech.removeprefix("speech with sound: ").partition(" of ")
    assert (
        0 < int(count.replace(",", "")) <= int(total.replace(",", "")) == CLIPS_PER_KIND["speech"]
    )


def test_clips_classes_and_people_are_counted_and_missing_videos_named(tmp_path):
    (tmp_path / "a.mp4").touch()
    path = tmp_path / "clips.csv"
    path.write_text("path;label;group\na.mp4;sad;ann\nb.mp4;happy;bo\nb.mp4;happy;bo\n")
    report = check_csv(str(tmp_path))
    assert [value for _, value in report.rows] == [
        f"2 in {path} (utf-8, separated by ';')",
        "classes happy 1, sad 1",
        "people 2",
    ]
    assert report.warnings == [f"{path}: duplicate rows were left out: line 4 (as line 3)"]
    assert report.failures == [f"1 of 2 videos are not there: {tmp_path / 'b.mp4'}"]


def test_hacer_is_recognized_by_its_columns(hacer_clips):
    report = check_csv(str(hacer_clips))
    assert report.rows[1][1] == "classes angry 10, disgust 10, happy 10, neutral 10, sad 10"
    assert not report.failures


def test_a_missing_hacer_says_where_to_get_it(tmp_path):
    path = str(tmp_path / "HACER_dataset.csv")
    assert is_csv(path)
    (failure,) = check_csv(path).failures
    assert failure.endswith("unpack HACER_dataset.csv with the folder HACER beside it")
    assert not is_csv(str(tmp_path))


def test_without_a_folder_the_report_is_empty() -> None:
    report = check_iemocap(None)
    assert (report.rows, report.warnings, report.failures) == ((), (), ())


def test_unexpected_label_counts_are_a_warning(drawn_iemocap: Path) -> None:
    report = check_iemocap(str(drawn_iemocap))
    assert [value for _, value in report.rows] == [
        f"65 of 10,039 utterances in {drawn_iemocap}",
        "50 of four classes, excited counts as happy",
    ]
    (warning,) = report.warnings
    assert warning.startswith(
        "IEMOCAP has other numbers of utterances: neutral 10 of 1,708; angry 10 of 1,103;"
    )


def test_the_published_counts_give_no_warning(
    drawn_iemocap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = dict.fromkeys(LABEL_COUNTS, 0)
    counts |= {"neu": 10, "ang": 10, "sad": 10, "hap": 10, "exc": 10, "fru": 10, "xxx": 5}
    monkeypatch.setattr(datasets, "LABEL_COUNTS", counts)
    assert not check_iemocap(str(drawn_iemocap)).warnings


def test_missing_sessions_and_sounds_and_malformed_lines_are_reported(
    drawn_iemocap: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(drawn_iemocap, tmp_path / "release"))
    shutil.rmtree(root / "Session5")
    (root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav").unlink()
    path = root / "Session2/dialog/EmoEvaluation/Ses02F_impro01.txt"
    path.write_text(f"[nonsense]\n{path.read_text()}")
    report = check_iemocap(str(root))
    assert report.rows[-1] == ("", "sessions 1, 2, 3, 4 of five")
    incomplete, malformed = report.warnings
    assert incomplete == "incomplete utterances of IEMOCAP: 1, such as Ses01F_impro01_F000 (no wav)"
    assert malformed.startswith(f"{path} has lines that are not utterances: line 1: not like")


def test_a_folder_without_iemocap_is_a_failure(tmp_path: Path) -> None:
    report = check_iemocap(str(tmp_path))
    assert report.failures[0].startswith(f"{tmp_path} is not IEMOCAP")
