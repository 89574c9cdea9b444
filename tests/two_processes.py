"""Two processes that another program starts, as one does on several machines, and what they leave."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.program import PATIENCE_SECONDS

TWO = (
    *("--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp"),
    *("--data.num_workers", "0"),
)

PROGRAM = """
import atexit, json, os, sys
from pathlib import Path

@atexit.register  # the first to be registered is the last to be called
def nobody_is_left() -> None:
    names = [task.joinpath("comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    if left := [name for name in names if "gloo" in name]:
        print("threads are left:", *left, file=sys.stderr, flush=True)
        os._exit(1)

from emorec.cli import main
for words in json.loads(sys.argv[1]):
    main(words)
"""


def together(folder: Path, commands: Sequence[Sequence[str]]) -> str:
    """Several commands one after the other in the same two processes, which take longer to start than to work.

    Returns:
        What they printed.

    Raises:
        AssertionError: When a process fails.
    """
    (folder / "program.py").write_text(PROGRAM)
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
    return done.stdout


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
