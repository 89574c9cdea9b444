"""Checkpoint files written atomically."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from typing_extensions import override

from emorec.checkpoint import load
from emorec.errors import UserError
from emorec.io import atomic_write


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, to the disk, and only then takes the old file's place.

    A full disk or a kill while writing leaves the former checkpoint as it was.
    """

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        target = Path(path)
        try:
            with atomic_write(target) as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:
            # torch's zip writer turns a failed write into a RuntimeError
            kept = "; the former one is kept" if target.exists() else ""
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise UserError(
                f"can't write {target}: {reason}{kept}; make room or choose another folder"
            ) from error

    @override
    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return load(Path(path))
