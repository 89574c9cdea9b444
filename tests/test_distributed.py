"""Two processes on one machine, without a GPU: they train together and measure as one does."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emorec import checkpoint
from emorec.cli import main
from tests.program import PATIENCE_SECONDS, SMALL, started, wait_for

pytestmark = pytest.mark.slow

TWO = (
    *("--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp"),
    *("--data.num_workers", "0"),
)

BEST = "lightning_logs/EarlyFusionCNN/version_0/checkpoints/best.ckpt"

PROGRAM = """
import json, sys
from emorec.cli import main
for words in json.loads(sys.argv[1]):
    main(words)
"""
"""Several commands one after the other in the same processes, which take longer to start than to work."""


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
def together(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Together:
    folder = tmp_path_factory.mktemp("together")
    (folder / "program.py").write_text(PROGRAM)
    training = ("--data.root", str(drawn_clips), "--data.balance", "sampler")
    commands = [
        ["fit", *SMALL, *training, *TWO, "--trainer.max_epochs", "2"],
        ["validate", "--ckpt", BEST, *TWO],
        ["test", "--ckpt", BEST, *TWO],
    ]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*torchrun, "program.py", json.dumps(commands)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,  # the assertion below tells more
    )
    assert done.returncode == 0, done.stderr
    return Together(folder, done.stdout)


def test_two_processes_train_and_only_the_first_one_writes(together: Together) -> None:
    last = checkpoint.load((together.folder / BEST).with_name("last.ckpt"))
    assert (last["emorec"]["epochs"], last["global_step"]) == (2, 8)
    assert last["emorec"]["split"]["num_clips"] == {"train": 160, "val": 15, "test": 15}
    assert len(list(together.run.glob("events.out.tfevents.*"))) == 1


def test_nothing_is_said_twice(together: Together) -> None:
    training, _, _ = together.output.partition("finished after 2 epochs")
    lines = training.splitlines()
    assert len(lines) == len(set(lines))
    assert [line.split()[1] for line in lines if line.startswith("Epoch")] == ["1/2", "2/2"]
    assert together.output.count("written to ") == 2


@pytest.mark.parametrize("command", ["validate", "test"])
def test_two_processes_measure_an_odd_number_of_clips_as_one_does(
    together: Together, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = measured(together.run / command)
    monkeypatch.chdir(together.folder)
    main([command, "--ckpt", BEST, "--trainer.accelerator", "cpu"])
    one = measured(together.run / command)
    assert one.figures["num_clips"] == two.figures["num_clips"] == 15
    assert flat(two.figures) == pytest.approx(flat(one.figures), abs=1e-6)
    assert [row[:4] for row in two.rows] == [row[:4] for row in one.rows]
    for row, other in zip(two.rows, one.rows, strict=True):
        assert [*map(float, row[4:])] == pytest.approx([*map(float, other[4:])], abs=1e-6)


@dataclass(frozen=True)
class Measured:
    figures: dict[str, Any]
    rows: list[list[str]]


def measured(folder: Path) -> Measured:
    """What a command left in its folder, which is then empty for the next one."""
    with (folder / "predictions.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    figures = json.loads((folder / "metrics.json").read_text())
    for path in folder.iterdir():
        path.unlink()
    return Measured(figures, rows)


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Nested figures by the path to them, numbers as floats."""
    if isinstance(value, dict):
        return {k: v for key in value for k, v in flat(value[key], f"{name}/{key}").items()}
    if isinstance(value, list):
        return flat(dict(enumerate(value)), name)
    return {name: float(value) if isinstance(value, int) else value}


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
