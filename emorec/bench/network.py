"""The network alone: no loader, no metrics, nothing but what changes its weights."""

from collections.abc import Mapping

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from emorec.bench.speed import clips_per_second
from emorec.data import ClipDataModule
from emorec.models import ClipNetwork


class NetworkAlone:
    """Trains on one made-up batch that is on the device already.

    It does so with the trainer's own precision, gradient clipping and optimizer, in the middle of its run.

    Args:
        trainer: In a run.
        batch: One of its batches, on the device.
    """

    def __init__(self, trainer: Trainer, batch: Mapping[str, Tensor]) -> None:
        self.trainer = trainer
        self.batch = {name: tensor.clone() for name, tensor in batch.items()}
        if "frames" in batch:
            self.batch["frames"].random_(256)
        self._warm = False

    def __call__(self, seconds: float) -> float:
        """Clips a second."""
        warm_up = 0 if self._warm else 1
        self._warm = True
        device = self.batch["label"].device
        return clips_per_second(
            self.step, seconds, warm_up=warm_up, finish=lambda: finish_work(device)
        )

    def step(self) -> int:
        """Trains on the batch and returns how many clips were in it."""
        strategy, (optimizer,) = self.trainer.strategy, self.trainer.optimizers
        model = ClipNetwork.of(self.trainer.lightning_module)

        def forward_and_backward() -> Tensor:
            optimizer.zero_grad()
            with strategy.precision_plugin.train_step_context():
                output = model(*model.given(self.batch))
                loss = model.loss_of(output, self.batch["label"])
            strategy.backward(loss, optimizer)
            return loss

        strategy.optimizer_step(optimizer, forward_and_backward, model)
        return len(self.batch["label"])


class HostToDevice:
    """Brings one of the loader's batches to the device, and finishes it there where the data module does so.

    Args:
        data: Set up for training.
        device: Where batches go.
    """

    def __init__(self, data: ClipDataModule, device: torch.device) -> None:
        self.data = data
        self.device = device
        self.batch = next(iter(data.train_dataloader()))

    def __call__(self, seconds: float) -> float:
        """Clips a second."""
        return clips_per_second(self.bring, seconds, finish=lambda: finish_work(self.device))

    def bring(self) -> int:
        """Brings the batch and returns how many clips are in it."""
        there = self.data.transfer_batch_to_device(self.batch, self.device, 0)
        self.data.on_after_batch_transfer(there, 0)
        return len(self.batch["label"])


def finish_work(device: torch.device) -> None:
    """Returns when the device has done all that it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
