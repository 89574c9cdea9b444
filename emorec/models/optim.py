"""Optimizers and learning-rate schedules."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, TypeAlias

from lightning.pytorch.utilities.types import LRSchedulerConfigType
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LinearLR, ReduceLROnPlateau

OptimizerName: TypeAlias = Literal["adam", "adamw", "sgd"]

MOMENTUM = 0.9
"""Of "sgd". Source: Krizhevsky et al. 2012, section 5."""

OPTIMIZERS: Mapping[OptimizerName, Callable[..., Optimizer]] = {
    "adam": Adam,
    "adamw": AdamW,
    "sgd": partial(SGD, momentum=MOMENTUM),
}

Schedule = Literal["plateau", "cosine", "inverse_time", "none"]
"""Divide the rate by 10 when validation stalls, decay it along a cosine or with the steps, or keep it."""


def warmup_cosine(step: int, *, warmup_steps: int, total_steps: float) -> float:
    """Return the factor of the learning rate at a step: linear warm-up, then half a cosine.

    Source: Loshchilov & Hutter 2017, SGDR, equation 5; the warm-up is of Goyal et al. 2017, section 2.2.

    >>> [round(warmup_cosine(step, warmup_steps=2, total_steps=6), 3) for step in range(7)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146, 0.0]
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return (1 + math.cos(math.pi * min(1.0, progress))) / 2


def inverse_time(step: int, *, warmup_steps: int, decay: float) -> float:
    """Return the factor of the learning rate at a step: linear warm-up times Keras' `decay`.

    Source: Keras 2, `optimizers.SGD(decay=...)`: lr / (1 + decay * iterations).

    >>> [round(inverse_time(step, warmup_steps=0, decay=0.5), 3) for step in range(4)]
    [1.0, 0.667, 0.5, 0.4]
    """
    return min(1.0, (step + 1) / max(1, warmup_steps)) / (1 + decay * step)


def make_schedulers(
    optimizer: Optimizer,
    schedule: Schedule,
    *,
    warmup_steps: int,
    total_steps: float,
    plateau_patience: int,
    decay: float = 0.0,
) -> list[LRSchedulerConfigType]:
    """Return the schedulers of a run as Lightning takes them; empty when the rate never changes.

    Args:
        optimizer: The one whose learning rate they set.
        schedule: "plateau", "cosine", "inverse_time" or "none".
        warmup_steps: Optimizer steps until the peak rate.
        total_steps: Optimizer steps of the whole run, for "cosine".
        plateau_patience: Validations without improvement before the rate is divided.
        decay: For "inverse_time".
    """
    curve = f"lr-{type(optimizer).__name__}"  # one curve in TensorBoard, however many schedulers
    if schedule == "cosine":
        factor = partial(warmup_cosine, warmup_steps=warmup_steps, total_steps=total_steps)
        return [{"scheduler": LambdaLR(optimizer, factor), "interval": "step", "name": curve}]
    if schedule == "inverse_time":
        factor = partial(inverse_time, warmup_steps=warmup_steps, decay=decay)
        return [{"scheduler": LambdaLR(optimizer, factor), "interval": "step", "name": curve}]
    schedulers: list[LRSchedulerConfigType] = []
    if warmup_steps > 1:
        warmup = LinearLR(optimizer, start_factor=1 / warmup_steps, total_iters=warmup_steps - 1)
        schedulers.append({"scheduler": warmup, "interval": "step", "name": curve})
    if schedule == "plateau":
        plateau = ReduceLROnPlateau(optimizer, mode="max", patience=plateau_patience)
        # stepped by ClipNetwork, not by Lightning
        schedulers.append({"scheduler": plateau, "reduce_on_plateau": False, "name": curve})
    return schedulers


def scale_lr(checkpoint: Mapping[str, Any], factor: float) -> None:
    """Multiply all learning rates of the optimizers and schedulers in a checkpoint, wherever the schedule is."""
    for optimizer in checkpoint.get("optimizer_states", ()):
        for group in optimizer["param_groups"]:
            group |= {key: group[key] * factor for key in ("lr", "initial_lr") if key in group}
    for scheduler in checkpoint.get("lr_schedulers", ()):
        for key in {"base_lrs", "_last_lr"} & scheduler.keys():
            scheduler[key] = [lr * factor for lr in scheduler[key]]
