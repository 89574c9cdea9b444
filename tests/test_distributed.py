"""Two processes on one machine, without a GPU: they train together and measure as one does."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emorec import checkpoint
from emorec.cli import main
from tests.program import PATIENCE_SECONDS, SMALL, emorec

pytestmark = pytest.mark.slow

TWO = (
    *("--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp"),
    *("--data.num_workers", "0"),
)


@dataclass(frozen=True)
class Together:
    """A run of two processes."""

    folder: Path
    output: str

    @property
    def run(self) -> Path:
        (run,) = self.folder.glob("lightning_logs/*/*")
        return run

    @property
    def best(self) -> Path:
        return self.run / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def together(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Together:
    folder = tmp_path_factory.mktemp("together")
    words = (*SMALL, "--data.root", str(drawn_clips), "--data.balance", "sampler", *TWO)
    return Together(folder, emorec("fit", *words, "--trainer.max_epochs", "2", cwd=folder))


def test_two_processes_train_and_only_the_first_one_writes(together: Together) -> None:
    assert checkpoint.read(together.best).split["num_clips"] == {
        "train": 160,
        "val": 15,
        "test": 15,
    }
    last = checkpoint.load(together.best.with_name("last.ckpt"))
    assert (last["emorec"]["epochs"], last["global_step"]) == (2, 8)
    assert len(list(together.run.glob("events.out.tfevents.*"))) == 1


def test_nothing_is_said_twice(together: Together) -> None:
    lines = together.output.splitlines()
    assert len(lines) == len(set(lines))
    assert [line.split()[1] for line in lines if line.startswith("Epoch")] == ["1/2", "2/2"]


def by_torchrun(together: Together) -> None:
    """Processes that another program starts, as on several machines."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    subprocess.run(
        [*launcher, "-m", "emorec", "validate", "--ckpt", str(together.best), *TWO],
        cwd=together.folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )


def by_lightning(together: Together) -> None:
    emorec("test", "--ckpt", str(together.best), *TWO, cwd=together.folder)


@pytest.mark.parametrize(("command", "launch"), [("validate", by_torchrun), ("test", by_lightning)])
def test_two_processes_measure_an_odd_number_of_clips_as_one_does(
    together: Together, command: str, launch: Any
) -> None:
    launch(together)
    two = measured(together.run / command)
    main([command, "--ckpt", str(together.best), "--trainer.accelerator", "cpu"])
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
