"""Ctrl-C waits for the end of a batch, a second one does not wait, and afterwards Ctrl-C is what it was."""

import signal
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from emorec.callbacks import StopBetweenBatches
from emorec.models import EarlyFusionCNN


class PressesCtrlC(Callback):
    """Presses in the middle of the third batch, and notes which batches ended."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.ended: list[int] = []

    def on_before_backward(self, trainer: Trainer, *arguments: Any) -> None:
        if trainer.global_step == 2:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.ended.append(batch_idx)


def train(*callbacks: Callback) -> None:
    network = EarlyFusionCNN(num_frames=2, image_size=16)
    sample = {
        "frames": torch.zeros_like(network.example_inputs[0][0], device="cpu"),
        "label": 1,
        "index": 0,
    }
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        callbacks=list(callbacks),
    )
    clips = DataLoader([sample] * 8, batch_size=2)
    trainer.fit(network, clips, clips)


@pytest.fixture(autouse=True)
def _usual_answer() -> Any:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("times", "ended"), [(1, [0, 1, 2]), (2, [0, 1])])
def test_the_batch_is_finished_unless_ctrl_c_is_pressed_twice(times: int, ended: list[int]) -> None:
    presses = PressesCtrlC(times)
    with pytest.raises(SystemExit):
        train(StopBetweenBatches(), presses)
    assert presses.ended == ended


def test_after_the_run_ctrl_c_is_answered_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    presses = PressesCtrlC(0)
    train(StopBetweenBatches(), presses)
    assert presses.ended == [0, 1, 2, 3]
    assert signal.getsignal(signal.SIGINT) is before
