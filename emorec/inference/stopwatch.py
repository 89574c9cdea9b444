"""Stopwatch for the stages of a prediction, and the speed derived from it."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, get_args

Stage = Literal["decode", "faces", "network", "write"]

Item = TypeVar("Item")


class Stopwatch:
    """Seconds by stage, and the number of frames they were spent on.

    Attributes:
        seconds: Spent in each stage so far.
        frames: Frames of the video passed so far, decoded or skipped.

    >>> stopwatch = Stopwatch()
    >>> with stopwatch.measure("network"):
    ...     pass
    >>> 0 <= stopwatch.seconds["network"] < 1, stopwatch.seconds["write"]
    (True, 0.0)
    """

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = dict.fromkeys(get_args(Stage), 0.0)
        self.frames = 0

    @contextmanager
    def measure(self, stage: Stage) -> Iterator[None]:
        """Add the time of the block to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started

    def each(self, stage: Stage, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items; add the time until each arrives to a stage."""
        iterator = iter(items)
        while True:
            with self.measure(stage):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item


def speed(
    stopwatch: Stopwatch, total_seconds: float, video_seconds: float, annotate_seconds: float = 0.0
) -> dict[str, Any]:
    """Return the `speed` section of `summary.json`: the total against real time, the network and decoding alone.

    Args:
        stopwatch: That ran meanwhile.
        total_seconds: From opening the video to the last file, without the annotated video.
        video_seconds: Length of the video.
        annotate_seconds: Spent on the annotated video.

    >>> stopwatch = Stopwatch()
    >>> stopwatch.seconds |= {"network": 2.0, "decode": 5.0}
    >>> stopwatch.frames = 300
    >>> result = speed(stopwatch, 10.0, 20.0)
    >>> result["frames_per_second"], result["times_network_alone"], result["times_real_time"]
    (30.0, 5.0, 2.0)
    """
    return {
        "seconds": round(total_seconds, 3),
        "frames_per_second": _ratio(stopwatch.frames, total_seconds),
        "times_real_time": _ratio(video_seconds, total_seconds),
        "seconds_by_stage": {stage: round(spent, 3) for stage, spent in stopwatch.seconds.items()},
        "times_network_alone": _ratio(total_seconds, stopwatch.seconds["network"]),
        "times_decoding_alone": _ratio(total_seconds, stopwatch.seconds["decode"]),
        "seconds_annotating": round(annotate_seconds, 3),
    }


def _ratio(numerator: float, denominator: float) -> float | None:
    return round(numerator / denominator, 3) if denominator > 0 else None
