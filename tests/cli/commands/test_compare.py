"""emorec compare, as called from a shell."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from emorec.cli import main
from emorec.report import page
from tests.refusal import refusal
from tests.report.made_runs import write_run

QUICK = ("--resamples", "100")


def compare(*arguments: object) -> None:
    main(["compare", *map(str, arguments)])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("logs")
    write_run(root / "CNNLSTM" / "version_0", network="CNNLSTM")
    write_run(root / "CNN3D" / "version_0", network="CNN3D", skill=0.5)
    return root


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_prints_a_table_and_writes_a_report(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(runs / "CNNLSTM", "--out", "it", *QUICK, runs / "CNN3D" / "version_0")
    printed = capsys.readouterr().out
    assert "2 models on the same 120 clips" in printed
    assert printed.endswith("written to it/report.html\n")
    command = (
        f"emorec compare {runs / 'CNNLSTM'} {runs / 'CNN3D' / 'version_0'} --out it --resamples 100"
    )
    assert command in Path("it/report.html").read_text()


@pytest.mark.nightly
def test_a_second_run_replaces_the_first(runs: Path) -> None:
    compare(runs, *QUICK)
    before = sorted(path.name for path in Path("report").rglob("*"))
    compare(runs, *QUICK, "--published", "none")
    assert sorted(path.name for path in Path("report").rglob("*")) == before
    assert "first study" not in Path("report/table.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which runs? emorec compare RUN"),
        (["RUNS", "--ouput", "x"], "--ouput (did you mean --out?)"),
        (["RUNS", "--resamples", "many"], "many"),
        (["RUNS", "--resamples", "5"], "--resamples is 5: choose at least 100"),
        (["nowhere"], "no such folder: nowhere"),
        (["RUNS", "--published", "other.yaml"], "can't read other.yaml: No such file"),
        (["RUNS", "--out", "file/x"], "can't write file/x/report.html: "),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    runs: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    line = refusal(
        capsys, "compare", *(runs if argument == "RUNS" else argument for argument in arguments)
    )
    assert message in line
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_it_loads_no_torch_and_no_lightning(runs: Path) -> None:
    check = (
        "import sys; from emorec.cli import main; main(sys.argv[1:]); "
        "assert not {'lightning', 'torch', 'torchvision'} & set(sys.modules)"
    )
    arguments = ["compare", str(runs), *QUICK, "--out", "it"]
    subprocess.run([sys.executable, "-c", check, *arguments], check=True)


@pytest.mark.nightly
def test_each_set_of_test_clips_has_a_table_and_a_report_unless_intersected(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other_run = write_run(tmp_path / "[other]", network="LateFusion", split="loso", fold=23)
    compare(other_run, *QUICK)
    capsys.readouterr()
    Path("report", "notes.txt").touch()
    compare(runs, other_run, *QUICK)
    assert {path.name for path in Path("report").iterdir()} == {
        *("set_1", "set_2", "figures", "notes.txt")
    }
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith("The test clips differ: a table for each of 2 sets of clips")
    assert "2 models on the same 120 clips" in printed
    assert "One model on the same 60 clips of actor 23" in printed
    assert "2 runs were tested on other clips and compared in another table" in printed
    for number, models in ((1, ["CNN3D", "CNNLSTM"]), (2, ["LateFusion"])):
        assert f"written to report/set_{number}/report.html" in printed
        table = pd.read_csv(Path("report", f"set_{number}", "table.csv"))
        assert sorted(table.loc[table["kind"] == "model", "name"]) == models
    compare(runs, other_run, "--intersect", *QUICK)
    printed = " ".join(capsys.readouterr().out.split())
    assert "3 models on the same 60 clips of actor 23" in printed
    assert "60 clips on which not all models were tested are left out" in printed


def test_an_untested_run_of_a_study_is_named(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "study"
    shutil.copytree(runs, study)
    shutil.rmtree(study / "CNN3D" / "version_0" / "test")
    compare(study, *QUICK)
    assert "1 run was not tested and skipped: " in capsys.readouterr().out


def test_a_full_disk_is_one_line_and_keeps_the_previous_report(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(runs, *QUICK)
    before = Path("report/report.html").read_bytes()

    def raise_no_space(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(page, "report_figures", raise_no_space)
    line = refusal(capsys, "compare", runs, *QUICK)
    assert "can't write the report into report: No space left" in line
    assert "--out" in line
    assert Path("report/report.html").read_bytes() == before
