"""Two processes on one machine, without a GPU: they train together and measure as one does."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from emorec import checkpoint
from emorec.cli import main
from tests.program import PATIENCE_SECONDS, SMALL, started, wait_for
from tests.two_processes import TWO, flat, measured, together

pytestmark = pytest.mark.slow

BEST = "lightning_logs/EarlyFusionCNN/version_0/checkpoints/best.ckpt"


@dataclass(frozen=True)
class Together:
    """What two processes did that another program started, as it does on several machines."""

    folder: Path
    output: str

    @property
    def run(self) -> Path:
        (run,) = self.folder.glob("lightning_logs/*/*")
        return run


@pytest.fixture(scope="module")
def trained(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Together:
    folder = tmp_path_factory.mktemp("together")
    training = ("--data.root", str(drawn_clips), "--data.balance", "sampler")
    commands = [
        ["fit", *SMALL, *training, *TWO, "--trainer.max_epochs", "2"],
        ["validate", "--ckpt", BEST, *TWO],
        ["test", "--ckpt", BEST, *TWO],
    ]
    return Together(folder, together(folder, commands))


def test_two_processes_train_and_only_the_first_one_writes(trained: Together) -> None:
    last = checkpoint.load((trained.folder / BEST).with_name("last.ckpt"))
    assert (last["emorec"]["epochs"], last["global_step"]) == (2, 8)
    assert last["emorec"]["split"]["num_clips"] == {"train": 160, "val": 15, "test": 15}
    assert len(list(trained.run.glob("events.out.tfevents.*"))) == 1


def test_nothing_is_said_twice(trained: Together) -> None:
    training, _, _ = trained.output.partition("finished after 2 epochs")
    lines = training.splitlines()
    assert len(lines) == len(set(lines))
    assert [line.split()[1] for line in lines if line.startswith("Epoch")] == ["1/2", "2/2"]
    assert trained.output.count("written to ") == 2


@pytest.mark.parametrize("command", ["validate", "test"])
def test_two_processes_measure_an_odd_number_of_clips_as_one_does(
    trained: Together, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = measured(trained.run / command)
    monkeypatch.chdir(trained.folder)
    main([command, "--ckpt", BEST, "--trainer.accelerator", "cpu"])
    one = measured(trained.run / command)
    assert one.figures["num_clips"] == two.figures["num_clips"] == 15
    assert flat(two.figures) == pytest.approx(flat(one.figures), abs=1e-6)
    assert [row[:4] for row in two.rows] == [row[:4] for row in one.rows]
    for row, other in zip(two.rows, one.rows, strict=True):
        assert [*map(float, row[4:])] == pytest.approx([*map(float, other[4:])], abs=1e-6)


def test_a_signal_to_all_processes_ends_them_together(drawn_clips: Path, tmp_path: Path) -> None:
    endless = ("--trainer.max_epochs", "-1", "--early_stopping.patience", "100000")
    words = (*SMALL, "--data.root", str(drawn_clips), *TWO, *endless)
    with started("fit", *words, cwd=tmp_path) as process:
        wait_for(lambda: list(tmp_path.rglob("last.ckpt")), process)
        os.killpg(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert errors.startswith("stopped; go on with: emorec fit --ckpt ")
    assert errors.count("\n") == 1


def test_an_error_of_the_first_process_ends_all_with_one_line(
    drawn_clips: Path, tmp_path: Path
) -> None:
    words = (*SMALL, "--data.root", str(drawn_clips / "Actor_01"), *TWO)
    with started("fit", *words, cwd=tmp_path) as process:
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2
    assert "the data has no clip of train actors 2, 3" in errors
    assert errors.count("\n") == 1
