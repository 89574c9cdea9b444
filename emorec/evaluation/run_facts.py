"""What a report says of a run beside its figures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SPLIT_KEYS = ("name", "fold", "train", "val", "test", "hash")


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a report says of a run beside its figures.

    Attributes:
        split: Who trained, validated and was tested: `name`, `fold`, `train`, `val`, `test`, `hash`.
        model: The network's class path.
        num_parameters: Its parameters, frozen ones too.
        gflops_per_clip: 1e9 multiply-adds for one clip.
        checkpoint: The file the weights are from.
        train_seconds: Time spent on training them.
        epochs: Epochs they were trained.
        train_clips_per_second: Training clips a second over all processes, loading included and validation not.
        peak_memory_bytes: The most that the training's first process took, of the GPU's memory where it had one.
        trained_on: What that device is called.
        num_views: Views of each clip whose predictions were averaged.
        smoothed: How predictions were smoothed over time, and the figures of that; of most runs nothing.
    """

    split: Mapping[str, Any]
    model: str
    num_parameters: int
    gflops_per_clip: float
    checkpoint: str
    train_seconds: float
    epochs: int
    train_clips_per_second: float | None = None
    peak_memory_bytes: int | None = None
    trained_on: str | None = None
    num_views: int = 1
    smoothed: Mapping[str, str | float] | None = None

    def plain(self) -> dict[str, Any]:
        """The end of `metrics.json`.

        Raises:
            KeyError: When the split lacks a key.
        """
        return {
            "split": {key: self.split[key] for key in SPLIT_KEYS},
            "model": self.model,
            "num_parameters": self.num_parameters,
            "gflops_per_clip": number(self.gflops_per_clip),
            "checkpoint": self.checkpoint,
            "train_seconds": number(self.train_seconds),
            "epochs": self.epochs,
            "train_clips_per_second": number(self.train_clips_per_second),
            "peak_memory_bytes": self.peak_memory_bytes,
            "trained_on": self.trained_on,
        } | ({"smoothed": dict(self.smoothed)} if self.smoothed else {})


def number(value: float | None) -> float | None:
    """The value; JSON has no NaN and no infinity, so these are `None`.

    >>> number(0.5), number(math.nan)
    (0.5, None)
    """
    return value if value is not None and math.isfinite(value) else None
