"""Commands in two processes that torchrun starts, and their results."""

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
def check_no_threads_left() -> None:
    names = [task.joinpath("comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    if left := [name for name in names if "gloo" in name]:
        print("threads are left:", *left, file=sys.stderr, flush=True)
        os._exit(1)

from emorec.cli import main
for arguments in json.loads(sys.argv[1]):
    main(arguments)
"""


def run_in_two_processes(folder: Path, commands: Sequence[Sequence[str]]) -> str:
    """Run several commands one after the other in the same two processes, as starting them is slow.

    Returns:
        Their standard output.

    Raises:
        AssertionError: If a process fails.
    """
    (folder / "program.py").write_text(PROGRAM)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    process = subprocess.run(
        [*torchrun, "program.py", json.dumps(commands)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,  # the assertion below shows stderr
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@dataclass(frozen=True)
class Results:
    figures: dict[str, Any]
    rows: list[list[str]]


def read_results(folder: Path) -> Results:
    """Read the results of a command and empty its folder for the next one."""
    with (folder / "predictions.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    figures = json.loads((folder / "metrics.json").read_text())
    for path in folder.iterdir():
        path.unlink()
    return Results(figures, rows)


def flatten(value: Any, name: str = "") -> dict[str, Any]:
    """Flatten nested figures to a map from their path; numbers become floats."""
    if isinstance(value, dict):
        return {k: v for key in value for k, v in flatten(value[key], f"{name}/{key}").items()}
    if isinstance(value, list):
        return flatten(dict(enumerate(value)), name)
    return {name: float(value) if isinstance(value, int) else value}
