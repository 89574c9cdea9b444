"""The optimizers by the names that settings give them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, TypeAlias

from torch.optim import SGD, Adam, AdamW, Optimizer

OptimizerName: TypeAlias = Literal["adam", "adamw", "sgd"]

MOMENTUM = 0.9
"""Of "sgd". Source: Krizhevsky et al. 2012, section 5."""

OPTIMIZERS: Mapping[OptimizerName, Callable[..., Optimizer]] = {
    "adam": Adam,
    "adamw": AdamW,
    "sgd": partial(SGD, momentum=MOMENTUM),
}
