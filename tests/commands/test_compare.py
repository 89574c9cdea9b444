"""emorec compare, as people call it."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from emorec.cli.commands.compare import compare
from emorec.comparison import report
from emorec.errors import UserError
from tests.comparison.made_runs import write_run

QUICK = ("--resamples", "100")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("logs")
    write_run(root / "CNNLSTM" / "version_0", network="CNNLSTM")
    write_run(root / "CNN3D" / "version_0", network="CNN3D", skill=0.5)
    return root


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_prints_a_table_and_writes_a_report(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare([str(runs / "CNNLSTM"), "--out", "it", *QUICK, str(runs / "CNN3D" / "version_0")])
    said = capsys.readouterr().out
    assert "2 models on the same 120 clips" in said
    assert said.endswith("written to it/report.html\n")
    assert f"emorec compare {runs / 'CNNLSTM'} --out it" in Path("it/report.html").read_text()


def test_a_second_run_replaces_the_first(runs: Path) -> None:
    compare([str(runs), *QUICK])
    before = sorted(path.name for path in Path("report").rglob("*"))
    compare([str(runs), *QUICK, "--published", "none"])
    assert sorted(path.name for path in Path("report").rglob("*")) == before
    assert "first study" not in Path("report/table.md").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], r"^which runs\? emorec compare RUN"),
        (["--out"], r"a value is missing after --out|expected one argument"),
        (["RUNS", "--ouput", "x"], "--ouput: there is no such option, did you mean --out"),
        (["RUNS", "--resamples", "many"], "--resamples is many: it takes a whole number"),
        (["RUNS", "--resamples", "5"], "--resamples is 5"),
        (["nowhere"], "^no such folder: nowhere$"),
        (["RUNS", "--published", "other.yaml"], r"^can't read other\.yaml: No such file"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(runs: Path, words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        compare([str(runs) if word == "RUNS" else word for word in words])
    assert "\n" not in str(error.value)
    assert not Path("report").exists()


def test_help_is_short_and_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    compare(["--help"])
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    for option in ("--out", "--intersect", "--published", "--resamples"):
        assert option in said


def test_other_test_clips_are_refused_unless_intersected(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_run(tmp_path / "other", network="LateFusion", split="loso", fold=23)
    with pytest.raises(UserError, match=r"the test clips differ: .* 60 are shared and 60 are not"):
        compare([str(runs), str(other), *QUICK])
    assert not Path("report").exists()
    compare([str(runs), str(other), "--intersect", *QUICK])
    said = " ".join(capsys.readouterr().out.split())
    assert "3 models on the same 60 clips of actor 23" in said
    assert "60 clips that not all models were tested on are left out" in said


def test_an_untested_run_of_a_study_is_named(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "study"
    shutil.copytree(runs, study)
    shutil.rmtree(study / "CNN3D" / "version_0" / "test")
    compare([str(study), *QUICK])
    assert "1 run was not tested and left out: " in capsys.readouterr().out


def test_a_place_that_can_not_be_written_is_found_out_before_the_work(runs: Path) -> None:
    Path("file").touch()
    with pytest.raises(UserError, match=r"can't write the report into file/x: .*--out"):
        compare([str(runs), "--out", "file/x"])


def test_a_full_disk_is_one_line_and_leaves_the_former_report(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare([str(runs), *QUICK])
    before = Path("report/report.html").read_bytes()

    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(report, "page", full)
    with pytest.raises(UserError, match="can't write the report into report: No space left"):
        compare([str(runs), *QUICK])
    assert Path("report/report.html").read_bytes() == before
