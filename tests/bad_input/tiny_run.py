"""Command lines of a tiny run in a folder with `clips`, and its checkpoints."""

import os
from pathlib import Path
from typing import Any

from tests.program import SMALL

TAKE = "01-01-03-01-01-01-{:02d}.mp4"
CHECKPOINTS = Path("lightning_logs/EarlyFusionCNN/version_0/checkpoints")
BEST, LAST = CHECKPOINTS / "best.ckpt", CHECKPOINTS / "last.ckpt"


def fit(*options: str) -> tuple[str, ...]:
    return ("fit", *SMALL, "--data.root", "clips", "--trainer.max_epochs", "1", *options)


def resume(*options: str) -> tuple[str, ...]:
    return ("fit", "--ckpt", str(LAST), "--trainer.max_epochs", "2", *options)


def checkpoint_bytes(run: Path) -> dict[str, bytes]:
    """Return the content of all checkpoints."""
    return {path.name: path.read_bytes() for path in (run / CHECKPOINTS).iterdir()}


class Payload:
    """Object that creates a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch it_ran",)
