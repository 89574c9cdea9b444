"""Loss and accuracy or CCC of every epoch of a training, as TensorBoard's files hold them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TAGS = {
    "train_loss": ("train/loss_epoch", "train/loss"),
    "val_loss": ("val/loss",),
    "train_accuracy": ("train/accuracy",),
    "val_accuracy": ("val/accuracy",),
    "train_ccc": ("train/ccc",),
    "val_ccc": ("val/ccc",),
}
"""Curve -> what it may be called in the files, the first that is there is taken."""

EVENTS = "events.out.tfevents.*"


@dataclass(frozen=True)
class Curve:
    """A figure over epochs.

    Attributes:
        epochs: From 1, ascending.
        values: As many; of an epoch that was trained twice, the later one.
    """

    epochs: tuple[int, ...]
    values: tuple[float, ...]


def read_curves(folder: Path) -> dict[str, Curve]:
    """The curves of a run; empty when its folder holds no events, or none of a training.

    A file that was cut off counts as far as it goes.

    Args:
        folder: The run's.

    Returns:
        Some of the keys of `TAGS` -> curve.
    """
    if not any(folder.glob(EVENTS)):
        return {}
    # late, as it takes a second
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns of files that were cut off
    little = {"scalars": 0, "images": 1, "tensors": 1, "histograms": 1, "audio": 1}
    events: Any = EventAccumulator(str(folder), size_guidance=little)
    try:
        events.Reload()
    except Exception:  # whatever a broken file does to it, a report can do without
        return {}
    there = set(events.Tags()["scalars"])
    if "epoch" not in there:
        return {}
    epochs = {event.step: int(event.value) + 1 for event in events.Scalars("epoch")}
    curves = {}
    for curve, names in TAGS.items():
        name = next((name for name in names if name in there), None)
        if name:
            curves[curve] = _curve({e.step: e.value for e in events.Scalars(name)}, epochs)
    return {name: curve for name, curve in curves.items() if curve.epochs}


def _curve(values: Mapping[int, float], epochs: Mapping[int, int]) -> Curve:
    by_epoch = {epochs[step]: float(values[step]) for step in sorted(values) if step in epochs}
    return Curve(tuple(sorted(by_epoch)), tuple(by_epoch[epoch] for epoch in sorted(by_epoch)))
