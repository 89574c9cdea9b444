"""Words that start a tiny run in a folder that holds `clips`, and what it leaves."""

import os
from pathlib import Path
from typing import Any

from tests.program import SMALL

TAKE = "01-01-03-01-01-01-{:02d}.mp4"
CHECKPOINTS = Path("lightning_logs/EarlyFusionCNN/version_0/checkpoints")
BEST, LAST = CHECKPOINTS / "best.ckpt", CHECKPOINTS / "last.ckpt"


def fit(*words: str) -> tuple[str, ...]:
    return ("fit", *SMALL, "--data.root", "clips", "--trainer.max_epochs", "1", *words)


def go_on(*words: str) -> tuple[str, ...]:
    return ("fit", "--ckpt", str(LAST), "--trainer.max_epochs", "2", *words)


def contents(run: Path) -> dict[str, bytes]:
    """The bytes of all checkpoints."""
    return {path.name: path.read_bytes() for path in (run / CHECKPOINTS).iterdir()}


class Payload:
    """Would make a file if it were unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch it_ran",)
