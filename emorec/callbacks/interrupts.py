"""How runs stop at Ctrl-C and SIGTERM, alone or as several processes."""

import atexit
import gc
import signal
import sys
import threading
from abc import ABC, abstractmethod
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


class SignalHandler(Callback, ABC):
    """Handles a signal while the trainer runs, and stops the run before the next batch once it was received.

    Attributes:
        received: Whether the signal was received.
    """

    def __init__(self) -> None:
        self.received = False

    @abstractmethod
    def install(self, trainer: Trainer) -> None:
        """Install the handler if it applies to this run; Lightning restores the former handlers at the end."""

    def _stop_if_received(self) -> None:
        if self.received:
            raise KeyboardInterrupt  # which Lightning ends a run on

    @override
    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.install(trainer)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.install(trainer)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.install(trainer)

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.install(trainer)

    @override
    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.install(trainer)

    @override
    def on_train_batch_start(self, *arguments: Any) -> None:
        self._stop_if_received()

    @override
    def on_validation_batch_start(self, *arguments: Any) -> None:
        self._stop_if_received()

    @override
    def on_test_batch_start(self, *arguments: Any) -> None:
        self._stop_if_received()

    @override
    def on_predict_batch_start(self, *arguments: Any) -> None:
        self._stop_if_received()


class StopBetweenBatches(SignalHandler):
    """Lets Ctrl-C take effect between two batches, where nothing is half done; a second one at once.

    Python would raise KeyboardInterrupt anywhere: inside TensorBoard's lock, which its writer thread then waits for, or
    while a batch comes from a loader process, which then reports an error of its own. Processes that train together
    stop at once, since they wait for each other within a batch.
    """

    @override
    def install(self, trainer: Trainer) -> None:
        if trainer.world_size == 1 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received:
            signal.default_int_handler(number, frame)
        self.received = True


class DistributedShutdown(SignalHandler):
    """Ends all processes of a distributed run together: at an error of the first one, and at a cluster's SIGTERM.

    Lightning 2.6 answers SIGTERM with an exchange between the processes in the middle of another one, which never ends;
    and where the first process fails, it leaves the others waiting for it.

    SIGTERM stops a process at once; where Python can't raise an exception, before the next batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self._former_hook = sys.unraisablehook

    @property
    def received_sigterm(self) -> bool:
        """Whether SIGTERM was received by one of several processes; a single one is handled by Lightning."""
        return self.received

    @override
    def install(self, trainer: Trainer) -> None:
        if trainer.world_size > 1:
            signal.signal(signal.SIGTERM, self._handle)
            sys.unraisablehook = self._report_unraisable
            atexit.unregister(
                _destroy_process_group
            )  # registered once, whatever the number of stages
            atexit.register(_destroy_process_group)

    @override
    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        sys.unraisablehook = self._former_hook

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        launcher: Any = trainer.strategy.launcher
        if launcher is not None and trainer.is_global_zero:
            # they may wait for this process where no other signal reaches them
            launcher.kill(signal.SIGKILL)
            # Lightning's observer would see that they ended, and kill this process while it writes last.ckpt
            launcher.procs.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.received = True
        raise KeyboardInterrupt

    def _report_unraisable(self, unraisable: "UnraisableHookArgs") -> None:
        # an exception can't be raised while Python finalizes an object: no need to report it
        if not (self.received and unraisable.exc_type is KeyboardInterrupt):
            self._former_hook(unraisable)


def _destroy_process_group() -> None:
    """End the communication threads of a process, as Lightning does for NCCL alone.

    If one of Gloo's still holds a tensor when Python exits, the whole process aborts.
    """
    gc.collect()  # networks shared among processes keep the threads alive
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
