"""The first Ctrl-C stops after the current batch, the second immediately; SIGTERM ends distributed processes."""

import signal
import sys
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from emorec.callbacks import DistributedShutdown, StopBetweenBatches
from emorec.models import EarlyFusionCNN

TWO: Any = SimpleNamespace(world_size=2)


class Disposable:
    """An object that can be weakly referenced."""


@pytest.fixture
def shutdown() -> Iterator[DistributedShutdown]:
    before = signal.getsignal(signal.SIGTERM), sys.unraisablehook
    callback = DistributedShutdown()
    callback.on_train_start(TWO, Disposable())  # type: ignore[arg-type]
    yield callback
    signal.signal(signal.SIGTERM, before[0])
    sys.unraisablehook = before[1]


def finalize(callback: Any) -> None:
    obj = Disposable()
    reference = weakref.ref(obj, callback)
    del obj
    assert reference() is None


def test_a_signal_raises_immediately(shutdown: DistributedShutdown) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert shutdown.received_sigterm


def test_a_signal_while_an_object_is_finalized_is_not_lost_and_not_reported(
    shutdown: DistributedShutdown, capfd: pytest.CaptureFixture[str]
) -> None:
    finalize(lambda _: signal.raise_signal(signal.SIGTERM))
    assert shutdown.received_sigterm
    assert capfd.readouterr().err == ""
    for starts in ("train", "validation", "test", "predict"):
        with pytest.raises(KeyboardInterrupt):
            getattr(shutdown, f"on_{starts}_batch_start")()


def test_other_unraisable_exceptions_are_still_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda it: reported.append(it.exc_type))
    former_hook, former_handler = sys.unraisablehook, signal.getsignal(signal.SIGTERM)
    shutdown = DistributedShutdown()
    shutdown.on_train_start(TWO, Disposable())  # type: ignore[arg-type]

    def fail(_: Any) -> None:
        raise ValueError("other")

    try:
        assert sys.unraisablehook is not former_hook
        finalize(fail)
    finally:
        signal.signal(signal.SIGTERM, former_handler)
    assert reported == [ValueError]
    shutdown.teardown(TWO, Disposable(), "fit")  # type: ignore[arg-type]
    assert sys.unraisablehook is former_hook


class PressesCtrlC(Callback):
    """Send SIGINT during the third batch, and record the finished batches."""

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
def _former_handler() -> Any:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("times", "ended"), [(1, [0, 1, 2]), (2, [0, 1])])
def test_the_batch_is_finished_unless_ctrl_c_is_pressed_twice(times: int, ended: list[int]) -> None:
    presses = PressesCtrlC(times)
    with pytest.raises(SystemExit):
        train(StopBetweenBatches(), presses)
    assert presses.ended == ended


def test_the_previous_ctrl_c_handler_is_restored_after_the_run() -> None:
    before = signal.getsignal(signal.SIGINT)
    presses = PressesCtrlC(0)
    train(StopBetweenBatches(), presses)
    assert presses.ended == [0, 1, 2, 3]
    assert signal.getsignal(signal.SIGINT) is before
