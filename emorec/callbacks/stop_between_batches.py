"""Where Ctrl-C takes effect."""

import signal
import threading
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override


class StopBetweenBatches(Callback):
    """Ctrl-C takes effect between two batches, where nothing is half done; a second one at once.

    Python would raise KeyboardInterrupt wherever it stands: inside TensorBoard's lock, which its writer then waits
    for, or in the middle of what a loader process hands over, which that process then reports as an error of its own.
    Of several processes that train together each stops where it stands: they wait for each other within a batch.
    """

    def __init__(self) -> None:
        self._asked = False

    @override
    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._listen(trainer)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._listen(trainer)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._listen(trainer)

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._listen(trainer)

    @override
    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._listen(trainer)

    @override
    def on_train_batch_start(self, *arguments: Any) -> None:
        self._stop_if_asked()

    @override
    def on_validation_batch_start(self, *arguments: Any) -> None:
        self._stop_if_asked()

    @override
    def on_test_batch_start(self, *arguments: Any) -> None:
        self._stop_if_asked()

    @override
    def on_predict_batch_start(self, *arguments: Any) -> None:
        self._stop_if_asked()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            signal.default_int_handler(number, frame)
        self._asked = True

    def _listen(self, trainer: Trainer) -> None:
        # Lightning has noted by now what was in place, and puts it back when the run is over
        if trainer.world_size == 1 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._ask)

    def _stop_if_asked(self) -> None:
        if self._asked:
            raise KeyboardInterrupt
