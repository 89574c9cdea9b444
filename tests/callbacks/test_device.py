"""What is said of the device that a training runs on."""

import mmap
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from emorec.callbacks import device as device_module
from emorec.callbacks.run_record import device_name, peak_memory_bytes, reset_peak_memory

CPU, GPU = torch.device("cpu"), torch.device("cuda", 1)
MEGABYTES = 1_000_000


def resident_bytes() -> int:
    """Memory of this process."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_without_a_gpu_it_is_the_memory_that_this_process_held_at_most() -> None:
    before = peak_memory_bytes(CPU)
    assert before is not None
    room = before - resident_bytes()
    # more than ever before, in pages of its own: what an earlier test gave back may be handed out again
    with mmap.mmap(-1, room + 200 * MEGABYTES) as held:
        np.frombuffer(held, dtype=np.uint8)[:] = 1
    reset_peak_memory(CPU)
    after = peak_memory_bytes(CPU)
    assert after is not None
    assert after >= before + 190 * MEGABYTES
    # where the system has no /proc; a process that was started by a large one counts that one's there
    said_to_parent = device_module._said_to_its_parent()
    assert said_to_parent is not None
    assert said_to_parent >= 0.99 * after


def test_with_a_gpu_it_is_that_one_s_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = {GPU: 7 * MEGABYTES}
    monkeypatch.setattr("torch.cuda.max_memory_allocated", peaks.__getitem__)
    monkeypatch.setattr("torch.cuda.reset_peak_memory_stats", lambda of: peaks.update({of: 0}))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda of: f"Fast GPU {of.index}")
    assert peak_memory_bytes(GPU) == 7 * MEGABYTES
    reset_peak_memory(GPU)
    assert peak_memory_bytes(GPU) == 0
    assert (device_name(GPU), device_name(CPU)) == ("Fast GPU 1", "cpu")
