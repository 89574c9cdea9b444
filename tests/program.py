"""The program in a subprocess: `python -m emorec`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SMALL = (
    *("--model", "emorec.models.EarlyFusionCNN", "--data", "emorec.data.RavdessDataModule"),
    *("--data.num_frames", "2", "--data.image_size", "16", "--data.batch_size", "8"),
    *("--data.num_workers", "0", "--trainer.accelerator", "cpu"),
    *("--trainer.limit_train_batches", "4", "--trainer.max_epochs", "4"),
)
"""Arguments of `fit` for a run of seconds; later arguments override them."""

PATIENCE_SECONDS = 120.0
"""Timeout of a process; generous, as machines may be busy."""


@contextmanager
def start_emorec(*arguments: str, cwd: Path, **environ: str) -> Iterator["subprocess.Popen[str]"]:
    """Start `emorec ARGUMENTS` in a session of its own, so that a signal reaches all of its processes only.

    Remaining processes are killed at the end.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "emorec", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(condition: Callable[[], Any], process: "subprocess.Popen[str]") -> None:
    """Return as soon as the condition is true.

    Raises:
        AssertionError: If the process ends before, or after a timeout.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)
