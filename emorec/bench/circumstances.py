"""What a measurement depends on: the machine, and what was asked of it."""

import datetime as dt
import os
import platform
from typing import Any

import torch
from lightning.pytorch import Trainer

import emorec
from emorec.data import ClipDataModule
from emorec.data.cache.build import ClipReader
from emorec.models import ClipNetwork


def machine() -> dict[str, Any]:
    """Versions and the processor."""
    return {
        "emorec": emorec.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "cores": num_cores(),
        "threads": torch.get_num_threads(),
    }


def load_average() -> float | None:
    """Processes that wanted a core in the last minute; `None` where nobody counts them."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def num_cores() -> int:
    """Cores that this process may use: fewer than there are in a container or under a batch system."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def device_name(device: torch.device) -> str:
    """The name of a GPU, else the kind of device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def setting(trainer: Trainer, model: ClipNetwork, data: ClipDataModule) -> dict[str, Any]:
    """What decides how fast a training is.

    Args:
        trainer: In or after a run.
        model: Its network.
        data: Set up for training.
    """
    return {
        "network": type(model).__name__,
        "precision": str(trainer.precision),
        "num_frames": data.frame_spec.num_frames,
        "image_size": data.image_size,
        "augment": data.augment,
        "batch_size": data.batch_size,
        "num_workers": data.num_workers,
        "decoder": data.frame_spec.decoder,
        "cached": isinstance(data.read_frames, ClipReader) and bool(data.read_frames.files),
        "clips": len(data.sides["train"]),
    }
