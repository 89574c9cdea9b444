"""What a training runs on and how much of its memory it takes."""

import sys
from pathlib import Path

import torch


def device_name(device: torch.device) -> str:
    """What people call a device.

    >>> device_name(torch.device("cpu"))
    'cpu'
    """
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def peak_memory_bytes(device: torch.device) -> int | None:
    """The most memory that was taken: of a GPU what tensors held, else what this process held since it began.

    Loader processes are not in it. `None` where the operating system doesn't tell.

    >>> peak_memory_bytes(torch.device("cpu")) > 1_000_000
    True
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return _said_to_its_parent()
    # not getrusage: a process begins there with what the one that started it held
    kib = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return _said_to_its_parent() if kib is None else 1024 * int(kib)


def _said_to_its_parent() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def forget_peak_memory(device: torch.device) -> None:
    """What was taken before no longer counts; a process's own peak can't be forgotten."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
