"""Signals that take effect between two batches."""

from abc import ABC, abstractmethod
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override


class BetweenBatches(Callback, ABC):
    """Listens to a signal while the trainer runs, and once it came stops it before the next batch.

    Attributes:
        told: Whether it came.
    """

    def __init__(self) -> None:
        self.told = False

    @abstractmethod
    def listen(self, trainer: Trainer) -> None:
        """Answers the signal from now on, if this run is to.

        Lightning has noted by now what was in place, and puts it back when the run is over.
        """

    @override
    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.listen(trainer)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.listen(trainer)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.listen(trainer)

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.listen(trainer)

    @override
    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.listen(trainer)

    @override
    def on_train_batch_start(self, *arguments: Any) -> None:
        self._stop_if_told()

    @override
    def on_validation_batch_start(self, *arguments: Any) -> None:
        self._stop_if_told()

    @override
    def on_test_batch_start(self, *arguments: Any) -> None:
        self._stop_if_told()

    @override
    def on_predict_batch_start(self, *arguments: Any) -> None:
        self._stop_if_told()

    def _stop_if_told(self) -> None:
        if self.told:
            raise KeyboardInterrupt  # which Lightning knows how to end on
