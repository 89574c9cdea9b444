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
        self._before: Any = None

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if trainer.world_size == 1 and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)

    @override
    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._give_back()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        if not isinstance(exception, KeyboardInterrupt):  # while it ends, Lightning ignores others
            self._give_back()

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

    def _give_back(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _stop_if_asked(self) -> None:
        if self._asked:
            raise KeyboardInterrupt
