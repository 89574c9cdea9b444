"""The whole program as people start it: `python -m emorec` in a process of its own."""

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
"""Words after `fit` for a run of seconds; what stands later wins."""

PATIENCE_SECONDS = 120.0
"""Until a process that does not do what is waited for counts as hanging; busy machines are slow."""


@contextmanager
def started(*words: str, cwd: Path, **environ: str) -> Iterator["subprocess.Popen[str]"]:
    """`emorec WORDS` in a session of its own, so that a signal can reach all its processes and no other.

    Whatever is left of it at the end is killed.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "emorec", *words],
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


def wait_for(happens: Callable[[], Any], process: "subprocess.Popen[str]") -> None:
    """Returns once it happens.

    Raises:
        AssertionError: When the process ends before, or when it takes too long.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while not happens():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)
