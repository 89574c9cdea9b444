"""`emorec study` with real runs, and mistakes that are refused before the first run."""

import csv
import json
from pathlib import Path

import pytest

from emorec.cli import main
from emorec.study.definition import read_definition
from emorec.study.progress import read_epochs
from tests.program import start_emorec, wait_for
from tests.test_configs import clips_for

ROOT = Path(__file__).parents[3]

SEEDS = str(ROOT / "configs/studies/seeds.yaml")

STUDIES = sorted((ROOT / "configs" / "studies").glob("*.yaml"))

TINY = (
    *("--data.num_frames=2", "--data.image_size=16", "--data.batch_size=8"),
    *("--data.num_workers=0", "--trainer.accelerator=cpu", "--trainer.limit_train_batches=4"),
)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--jobs", "2"], "file"),
        ([SEEDS, "--job", "2"], "--jobs"),
        ([SEEDS, "--jobs", "0"], "--jobs is 0: choose 1 or more"),
        ([SEEDS, "--jobs", "two"], "two"),
        ([SEEDS, "--data.root", "--jobs", "1"], "--data.root"),
        ([SEEDS, "--seed_everything", "3"], "seed_everything: use the key 'seeds'"),
        ([SEEDS, "--data.fold=3"], "data.fold: use the key 'folds'"),
        ([SEEDS, "--ckpt", "best.ckpt"], "ckpt: a study sets it itself"),
        (["nowhere.yaml"], "nowhere.yaml: No such file"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["study", *arguments])
    assert exit_info.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("emorec study: error: ")
    assert remedy in line


RECENT = frozenset(("cross_validation", "pixels", "seeds", "tune"))
"""Studies whose runs are checked by day; `nightly` tests check those of the first studies and other data sets."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[] if path.stem in RECENT else [pytest.mark.nightly])
        for path in STUDIES
    ],
    ids=lambda path: path.stem,
)
def test_all_runs_of_a_shipped_study_are_valid(
    path: Path,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = next(iter(read_definition(path).networks.values())).config
    clips = request.getfixturevalue(clips_for(str(config)))
    monkeypatch.chdir(tmp_path)
    (features := tmp_path.with_name("features")).mkdir(exist_ok=True)
    features_flag = (
        ["--data.features", str(features)] if "--data.features" in path.read_text() else []
    )
    main(["study", str(path), "--data.root", str(clips), *features_flag, "--dry-run"])
    output = capsys.readouterr().out
    assert f"study {path.stem}" in output
    assert "each as in emorec fit --config" in output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "remedy"),
    [
        (["--data.num_frame", "3"], "num_frames"),
        (["--data.augment", "much"], "much"),
        (["--data.root", "/nowhere"], "/nowhere"),
        (["--model.weights", "gone.pth"], "no weights at gone.pth: choose DEFAULT, none or"),
        (["--data.split", "msaf6"], "split msaf6 needs --data.fold 1 to 6"),
    ],
)
def test_an_invalid_run_is_refused_before_anything_is_written(
    flags: list[str],
    remedy: str,
    drawn_clips: Path,
    empty_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = [] if "--data.root" in flags else ["--data.root", str(drawn_clips)]
    with pytest.raises(SystemExit) as exit_info:
        main(["study", SEEDS, *root, *flags])
    assert exit_info.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("emorec study: error: CNN-LSTM: ")
    assert remedy in line
    assert list(empty_folder.iterdir()) == []


@pytest.mark.nightly  # tests/study/test_worker.py kills smaller ones by day
def test_the_run_of_a_killed_smoke_study_is_resumed_and_tested(
    drawn_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smoke = (ROOT / "configs/studies/smoke.yaml").read_text()
    one_fold = smoke.replace("../demo", str(ROOT / "configs/demo")).replace("[1, 2]", "[2]")
    (tmp_path / "smoke.yaml").write_text(one_fold)
    arguments = ["study", "smoke.yaml", "--data.root", str(drawn_clips), *TINY]
    folder = tmp_path / "lightning_logs/studies/smoke/Early_fusion/fold_2_seed_0"
    with start_emorec(*arguments, cwd=tmp_path) as process:
        wait_for((folder / "checkpoints/last.ckpt").is_file, process)
        process.kill()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    main(arguments)
    metrics = json.loads((folder / "test/metrics.json").read_text())
    assert metrics["split"]["fold"] == 2
    assert metrics["epochs"] <= 8
    with (folder / "test/predictions.csv").open() as lines:
        actors = {int(line["actor"]) for line in csv.DictReader(lines)}
    assert actors == {5, 6, 7, 8}
    assert [epoch.number for epoch in read_epochs(folder)] == [*range(1, 9)]
