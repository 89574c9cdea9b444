"""Clips a second: measured once, and measured again and again."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader


@dataclass(frozen=True, slots=True)
class Speed:
    """What several measurements of the same thing gave, in clips a second.

    >>> speed = Speed((49.0, 12.0, 50.0))
    >>> speed.median, speed.lowest, speed.highest
    (49.0, 12.0, 50.0)
    """

    samples: Sequence[float]

    @property
    def median(self) -> float:
        """Half of the measurements gave more: machines are shared, and one measurement may be far off."""
        return statistics.median(self.samples)

    @property
    def lowest(self) -> float:
        """The slowest measurement."""
        return min(self.samples)

    @property
    def highest(self) -> float:
        """The fastest measurement."""
        return max(self.samples)

    def plain(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "clips_per_second": self.median,
            "lowest": self.lowest,
            "highest": self.highest,
            "samples": list(self.samples),
        }


def clips_per_second(
    work: Callable[[], int],
    seconds: float,
    *,
    warm_up: int = 1,
    finish: Callable[[], None] = lambda: None,
) -> float:
    """How fast some work is done.

    Args:
        work: Does a piece of it and returns the clips that were in it.
        seconds: How long at least; one piece is always measured.
        warm_up: Pieces that are done before and not measured.
        finish: Returns when all of it is really done, where `work` only asks for it.
    """
    for _ in range(warm_up):
        work()
    finish()
    began, clips = time.perf_counter(), 0
    while not clips or time.perf_counter() - began < seconds:
        clips += work()
    finish()
    return clips / (time.perf_counter() - began)


def loader_speed(loader: DataLoader[Any], seconds: float) -> float:
    """How fast a loader makes batches when nobody keeps it waiting, from the first batch of its slowest worker on."""
    batches = over_epochs(loader)
    return clips_per_second(
        lambda: len(next(batches)["label"]), seconds, warm_up=max(1, loader.num_workers)
    )


def over_epochs(loader: DataLoader[Any]) -> Iterator[Any]:
    """The batches of one epoch after another, each in its own order."""
    for epoch in count():
        if hasattr(loader.sampler, "set_epoch"):
            loader.sampler.set_epoch(epoch)
        yield from loader


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it, OpenCV and torch keep to one core."""
    threads, opencv_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(opencv_threads)
