"""Whether what lies there is all of IEMOCAP."""

import shutil
from pathlib import Path

import pytest

from emorec.data.sets.iemocap.parser import LABEL_COUNTS
from emorec.diagnosis import iemocap as look
from emorec.diagnosis.iemocap import look_at_iemocap


def test_without_a_folder_nothing_is_said() -> None:
    found = look_at_iemocap(None)
    assert (found.rows, found.warnings, found.failures) == ((), (), ())


def test_a_folder_with_other_counts_is_told_by_label(drawn_iemocap: Path) -> None:
    found = look_at_iemocap(str(drawn_iemocap))
    assert [value for _, value in found.rows] == [
        f"65 of 10,039 utterances in {drawn_iemocap}",
        "50 of four classes, excited counts as happy",
    ]
    (warning,) = found.warnings
    assert warning.startswith(
        "IEMOCAP has other numbers of utterances: neutral 10 of 1,708; angry 10 of 1,103;"
    )


def test_the_published_counts_are_no_warning(
    drawn_iemocap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = dict.fromkeys(LABEL_COUNTS, 0)
    counts |= {"neu": 10, "ang": 10, "sad": 10, "hap": 10, "exc": 10, "fru": 10, "xxx": 5}
    monkeypatch.setattr(look, "LABEL_COUNTS", counts)
    assert not look_at_iemocap(str(drawn_iemocap)).warnings


def test_missing_sessions_sounds_and_spoilt_lines_are_told(
    drawn_iemocap: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(drawn_iemocap, tmp_path / "release"))
    shutil.rmtree(root / "Session5")
    (root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav").unlink()
    path = root / "Session2/dialog/EmoEvaluation/Ses02F_impro01.txt"
    path.write_text(f"[nonsense]\n{path.read_text()}")
    found = look_at_iemocap(str(root))
    assert found.rows[-1] == ("", "Session1, Session2, Session3, Session4 of five sessions")
    incomplete, spoilt = found.warnings
    assert incomplete == "incomplete utterances of IEMOCAP: 1, such as Ses01F_impro01_F000 (no wav)"
    assert spoilt.startswith(f"{path} has lines that are no utterances: line 1: not like")


def test_a_folder_that_is_none_is_a_failure(tmp_path: Path) -> None:
    found = look_at_iemocap(str(tmp_path))
    assert found.failures[0].startswith(f"{tmp_path} is not IEMOCAP")
