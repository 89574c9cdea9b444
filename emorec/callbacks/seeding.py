"""Randomness that depends on seed, epoch and process alone."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from emorec.data.dataset import sample_seed


class EpochSeed(Callback):
    """Seeds torch anew before every epoch, so that a resumed run draws the dropout that an undisturbed one draws.

    Lightning's checkpoints don't hold the state of torch's random number generators.

    Args:
        seed: The run's seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # not when the epoch starts: the loader then draws a number, but in a resumed run it has done so before
        if batch_idx == 0:
            torch.manual_seed(sample_seed(self.seed, trainer.current_epoch, trainer.global_rank))
