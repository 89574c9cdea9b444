"""`emorec study` with true runs, and what it says of a mistake before the first one starts."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emorec.cli import main
from emorec.cli.commands.study import HELP, OPTIONS, parse, study
from emorec.errors import UserError
from emorec.study.definition import read_definition
from tests.test_configs import clips_for

ROOT = Path(__file__).parents[2]

STUDIES = sorted((ROOT / "configs" / "studies").glob("*.yaml"))

TINY = (
    *("--data.num_frames=2", "--data.image_size=16", "--data.batch_size=8"),
    *("--data.num_workers=0", "--trainer.accelerator=cpu", "--trainer.limit_train_batches=4"),
)


def test_the_help_is_a_screen_wide_and_names_every_option() -> None:
    assert max(map(len, HELP.splitlines())) <= 80
    assert all(option in HELP for option in OPTIONS if option != "--help")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--jobs", "2"], "name one study file, as in configs/studies/smoke.yaml"),
        (["a.yaml", "b.yaml"], "name one study file, not 2: a.yaml b.yaml"),
        (["a.yaml", "--job", "2"], "--job: there is no such option, did you mean --jobs?"),
        (["a.yaml", "--jobs", "0"], "--jobs is 0: it takes whole numbers from 1 on"),
        (["a.yaml", "--storage"], "a value is missing after --storage"),
        (["a.yaml", "--data.root", "--jobs"], "a value is missing after --data.root"),
        (["a.yaml", "--seed_everything", "3"], "the key 'seeds' of the study file decides it"),
        (["a.yaml", "--data.fold=3"], "the key 'folds' of the study file decides it"),
        (["a.yaml", "--ckpt", "best.ckpt"], "command line: ckpt: a study chooses it"),
    ],
)
def test_a_wrong_word_is_one_line(words: list[str], complaint: str) -> None:
    with pytest.raises(UserError) as error:
        parse(words)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_all_runs_of_a_shipped_study_could_start(
    path: Path,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = next(iter(read_definition(path).configs.values())).config
    clips = request.getfixturevalue(clips_for(str(config)))
    monkeypatch.chdir(tmp_path)
    (features := tmp_path.with_name("features")).mkdir(exist_ok=True)
    given = ["--data.features", str(features)] if "--data.features" in path.read_text() else []
    study([str(path), "--data.root", str(clips), *given, "--dry-run"])
    said = capsys.readouterr().out
    assert f"study {path.stem}" in said
    assert "each as in emorec fit --config" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--data.num_frame", "3"], "did you mean data.num_frames?"),
        (
            ["--data.augment", "much"],
            "data.augment is much: choose per_frame, seed_affwild2, true or false",
        ),
        (["--data.root", "/nowhere"], "no such folder: /nowhere"),
        (["--model.weights", "gone.pth"], "no weights at gone.pth: choose DEFAULT, none or"),
        (["--data.split", "msaf6"], "split msaf6 needs --data.fold 1 to 6"),
    ],
)
def test_what_no_run_could_start_with_is_told_before_anything_is_written(
    words: list[str],
    complaint: str,
    drawn_clips: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    root = [] if "--data.root" in words else ["--data.root", str(drawn_clips)]
    with pytest.raises(UserError) as error:
        study([str(ROOT / "configs/studies/seeds.yaml"), *root, *words])
    assert str(error.value).startswith("CNN-LSTM: ")
    assert complaint in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_runs_of_the_smoke_study_are_killed_with_it_and_go_on_to_their_tests(
    drawn_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(ROOT / "configs/studies/smoke.yaml")
    words = ["study", file, "--jobs", "2", "--data.root", str(drawn_clips), *TINY]
    runs = tmp_path / "lightning_logs/studies/smoke/Early_fusion"
    folders = [runs / f"fold_{fold}_seed_0" for fold in (1, 2)]
    with subprocess.Popen(
        [sys.executable, "-m", "emorec", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as process:
        end = time.monotonic() + 200
        while not any((folder / "checkpoints/last.ckpt").is_file() for folder in folders):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    main(words)
    for fold, folder in enumerate(folders, start=1):
        metrics = json.loads((folder / "test/metrics.json").read_text())
        assert metrics["split"]["fold"] == fold
        assert metrics["epochs"] <= 8
        with (folder / "test/predictions.csv").open() as lines:
            actors = {int(line["actor"]) for line in csv.DictReader(lines)}
        assert actors == set(range(4 * fold - 3, 4 * fold + 1))
        log = (folder / "run.log").read_text()
        assert [f"Epoch {epoch}/8" in log for epoch in range(1, 9)] == [True] * 8
