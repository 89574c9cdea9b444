"""What a model costs, as its runs tell it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Self

from emorec.comparison.run import Run


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one run of a model; `None` is not known.

    Attributes:
        num_parameters: Parameters, frozen ones too.
        gflops_per_clip: 1e9 multiply-adds of the forward pass of a clip, of all its views where several were averaged.
        train_seconds: Time spent on training, the mean of the runs.
        epochs: Epochs until the tested weights, the mean of the runs.
        train_clips_per_second: While training, the mean of the runs.
        peak_memory_bytes: Of the device, the most of any run.
    """

    num_parameters: float | None
    gflops_per_clip: float | None
    train_seconds: float | None
    epochs: float | None
    train_clips_per_second: float | None
    peak_memory_bytes: float | None

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Self:
        """The cost that the runs of a model tell."""

        def told(name: str, times: str | None = None) -> list[float]:
            values: list[Any] = [
                (run.metrics.get(name), run.metrics.get(times, 1) if times else 1) for run in runs
            ]
            return [
                value * factor for value, factor in values if _number(value) and _number(factor)
            ]

        return cls(
            num_parameters=max(told("num_parameters"), default=None),
            gflops_per_clip=max(told("gflops_per_clip", times="views"), default=None),
            train_seconds=_mean(told("train_seconds")),
            epochs=_mean(told("epochs")),
            train_clips_per_second=_mean(told("train_clips_per_second")),
            peak_memory_bytes=max(told("peak_memory_bytes"), default=None),
        )


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
