"""Two processes on one machine without a GPU train together and evaluate like one."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from emorec import checkpoint
from emorec.cli import main
from tests.program import PATIENCE_SECONDS, SMALL, start_emorec, wait_for
from tests.two_processes import TWO, flatten, read_results, run_in_two_processes

pytestmark = pytest.mark.slow

BEST = "lightning_logs/EarlyFusionCNN/version_0/checkpoints/best.ckpt"
BEST_REGRESSOR = "lightning_logs/FaceRegressor/version_0/checkpoints/best.ckpt"

FIT_REGRESSOR = (
    *("fit", "--model", "FaceRegressor", "--model.optimizer", "sgd", "--model.lr", "0.01"),
    *("--data", "AffWild2DataModule", "--data.num_frames", "1", "--data.image_size", "96"),
    *("--data.batch_size", "16", "--trainer.max_epochs", "1"),
)

# of 20 frames: the last batches differ in size, and some frames are repeated
TEST_REGRESSOR = ("test", "--ckpt", BEST_REGRESSOR, "--data.batch_size", "3")


@dataclass(frozen=True)
class TwoProcessRun:
    """Results of two processes that torchrun started."""

    folder: Path
    output: str

    @property
    def run(self) -> Path:
        (run,) = self.folder.glob("lightning_logs/EarlyFusionCNN/*")
        return run


@pytest.fixture(scope="module")
def trained(
    drawn_clips: Path, drawn_affwild2: Path, tmp_path_factory: pytest.TempPathFactory
) -> TwoProcessRun:
    """A classifier, then a regressor."""
    folder = tmp_path_factory.mktemp("together")
    training = ("--data.root", str(drawn_clips), "--data.balance", "sampler")
    commands = [
        ["fit", *SMALL, *training, *TWO, "--trainer.max_epochs", "2"],
        ["validate", "--ckpt", BEST, *TWO],
        ["test", "--ckpt", BEST, *TWO],
        [*FIT_REGRESSOR, "--data.root", str(drawn_affwild2), *TWO],
        [*TEST_REGRESSOR, *TWO],
    ]
    return TwoProcessRun(folder, run_in_two_processes(folder, commands))


def test_two_processes_train_and_only_the_first_one_writes(trained: TwoProcessRun) -> None:
    last = checkpoint.load((trained.folder / BEST).with_name("last.ckpt"))
    assert (last["emorec"]["epochs"], last["global_step"]) == (2, 8)
    assert last["emorec"]["split"]["num_clips"] == {"train": 160, "val": 15, "test": 15}
    assert len(list(trained.run.glob("events.out.tfevents.*"))) == 1


def test_no_line_is_printed_twice(trained: TwoProcessRun) -> None:
    training, _, _ = trained.output.partition("finished after 2 epochs")
    lines = training.splitlines()
    assert len(lines) == len(set(lines))
    assert [line.split()[1] for line in lines if line.startswith("Epoch")] == ["1/2", "2/2"]
    assert trained.output.count("written to ") == 3


@pytest.mark.parametrize("command", ["validate", "test"])
def test_two_processes_evaluate_an_odd_number_of_clips_like_one(
    trained: TwoProcessRun, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    double = read_results(trained.run / command)
    monkeypatch.chdir(trained.folder)
    main([command, "--ckpt", BEST, "--trainer.accelerator", "cpu"])
    single = read_results(trained.run / command)
    assert single.figures["num_clips"] == double.figures["num_clips"] == 15
    assert flatten(double.figures) == pytest.approx(flatten(single.figures), abs=1e-6)
    assert [row[:4] for row in double.rows] == [row[:4] for row in single.rows]
    for row, expected in zip(double.rows, single.rows, strict=True):
        assert [*map(float, row[4:])] == pytest.approx([*map(float, expected[4:])], abs=1e-6)


def test_two_processes_compute_the_ccc_of_one(
    trained: TwoProcessRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = (trained.folder / BEST_REGRESSOR).parents[1] / "test"
    double = read_results(results)
    monkeypatch.chdir(trained.folder)
    main([*TEST_REGRESSOR, "--trainer.accelerator", "cpu"])
    single = read_results(results)
    assert single.figures["num_clips"] == double.figures["num_clips"] == 20
    assert double.figures["ccc"] == pytest.approx(single.figures["ccc"], abs=1e-9)
    assert flatten(double.figures) == pytest.approx(flatten(single.figures), abs=1e-6)
    assert [row[:4] for row in double.rows] == [row[:4] for row in single.rows]


@pytest.mark.nightly
def test_a_signal_to_all_processes_stops_them_together(drawn_clips: Path, tmp_path: Path) -> None:
    endless = ("--trainer.max_epochs", "-1", "--early_stopping.patience", "100000")
    arguments = (*SMALL, "--data.root", str(drawn_clips), *TWO, *endless)
    with start_emorec("fit", *arguments, cwd=tmp_path) as process:
        wait_for(lambda: list(tmp_path.rglob("last.ckpt")), process)
        os.killpg(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert errors.startswith("stopped; go on with: emorec fit --ckpt ")
    assert errors.count("\n") == 1


@pytest.mark.nightly
def test_an_error_of_the_first_process_stops_all_with_one_line(
    drawn_clips: Path, tmp_path: Path
) -> None:
    arguments = (*SMALL, "--data.root", str(drawn_clips / "Actor_01"), *TWO)
    with start_emorec("fit", *arguments, cwd=tmp_path) as process:
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2
    assert "the data has no clip of train actors 2, 3" in errors
    assert errors.count("\n") == 1
