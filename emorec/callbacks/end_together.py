"""How processes that work together stop."""

import atexit
import gc
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule, Trainer
from typing_extensions import override

from emorec.callbacks.between_batches import BetweenBatches

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


class EndTogether(BetweenBatches):
    """Processes that work together end together: at an error of the first one, and at a cluster's SIGTERM.

    Lightning 2.6 answers SIGTERM with an exchange between the processes in the middle of whatever they exchange just
    then, which never ends; and where the first process fails, it leaves the others waiting for it.

    A SIGTERM stops them where they stand; where Python lets nothing through just then, before the next batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self._remark = sys.unraisablehook

    @property
    def received_sigterm(self) -> bool:
        """Whether one came while there were several processes. One alone is Lightning's to stop."""
        return self.told

    @override
    def listen(self, trainer: Trainer) -> None:
        if trainer.world_size > 1:
            signal.signal(signal.SIGTERM, self._stop)
            sys.unraisablehook = self._unraised
            atexit.unregister(_leave)  # once is enough
            atexit.register(_leave)

    @override
    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        sys.unraisablehook = self._remark

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        launcher: Any = trainer.strategy.launcher
        if launcher is not None and trainer.is_global_zero:
            # they may wait for this process where no other signal reaches them
            launcher.kill(signal.SIGKILL)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.told = True
        raise KeyboardInterrupt

    def _unraised(self, remark: "UnraisableHookArgs") -> None:
        # Python lets nothing through while it takes an object away
        if not (self.told and remark.exc_type is KeyboardInterrupt):
            self._remark(remark)


def _leave() -> None:
    """Ends the threads through which a process talks to the others, as Lightning does with NCCL's alone.

    One of Gloo's that is late in letting go of a tensor of a Python that ends aborts the whole process.
    """
    gc.collect()  # networks that were shared among processes hold on to the threads
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
