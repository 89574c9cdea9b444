"""Where Ctrl-C takes effect."""

import signal
import threading
from types import FrameType

from lightning.pytorch import Trainer
from typing_extensions import override

from emorec.callbacks.between_batches import BetweenBatches


class StopBetweenBatches(BetweenBatches):
    """Ctrl-C takes effect between two batches, where nothing is half done; a second one at once.

    Python would raise KeyboardInterrupt wherever it stands: inside TensorBoard's lock, which its writer then waits
    for, or in the middle of what a loader process hands over, which that process then reports as an error of its own.
    Of several processes that train together each stops where it stands: they wait for each other within a batch.
    """

    @override
    def listen(self, trainer: Trainer) -> None:
        if trainer.world_size == 1 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.told:
            signal.default_int_handler(number, frame)
        self.told = True
