"""Checkpoint writing."""

from pathlib import Path
from typing import Any

from lightning.fabric.plugins.io import TorchCheckpointIO
from typing_extensions import override

from emorec.checkpoint import load, save


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints atomically and reads them with `weights_only=True` (see `emorec.checkpoint`)."""

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        save(checkpoint, Path(path))

    @override
    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return load(Path(path))
