"""Where the time of a prediction goes."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

Stage = Literal["decode", "faces", "network", "write"]

Item = TypeVar("Item")


class Stopwatch:
    """Seconds by stage, and how many frames they were for.

    Attributes:
        seconds: Spent in each stage so far.
        frames: Of the videos, gone by so far: looked at, decoded on the way, or passed over.
        looked_at: Of those the ones that some window needed.

    >>> clock = Stopwatch()
    >>> with clock.during("network"):
    ...     pass
    >>> 0 <= clock.seconds["network"] < 1, clock.seconds["write"]
    (True, 0.0)
    """

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = {
            "decode": 0.0,
            "faces": 0.0,
            "network": 0.0,
            "write": 0.0,
        }
        self.frames = 0
        self.looked_at = 0

    @contextmanager
    def during(self, stage: Stage) -> Iterator[None]:
        """Counts the time of a block."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begun

    def each(self, stage: Stage, items: Iterable[Item]) -> Iterator[Item]:
        """The items; counts the time that each takes to come."""
        iterator = iter(items)
        while True:
            with self.during(stage):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
