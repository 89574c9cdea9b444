"""Memory that a loader's processes and the main process see alike."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - it is asked for its size; nothing is written there by name


def shared_memory_free() -> int:
    """Bytes; a container's shared memory is often 64 MB. Without a limit of its own, more than any machine has."""
    return shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else sys.maxsize


def shared_bytes(shape: Sequence[int]) -> Tensor:
    """A tensor (*shape) of uint8 that processes share.

    Raises:
        RuntimeError: When there is not so much memory; torch then leaves an empty file behind, so ask before.
    """
    memory: Tensor = torch.empty(*shape, dtype=torch.uint8).share_memory_()  # type: ignore[no-untyped-call]
    return memory
