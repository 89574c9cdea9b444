"""When a run ends because it gets no better."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from typing_extensions import override

from emorec.callbacks.best_and_last import OF_THE_NETWORK
from emorec.models.base import ClipNetwork


class Patience(EarlyStopping):
    """Lightning's `EarlyStopping` for runs that are resumed.

    Lightning's own trains one more epoch each time a run that has ended is started again, and takes the patience from
    the checkpoint where another one is asked for.
    """

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # before a checkpoint's state is read: it lies under the name of what is monitored
        if self.monitor == OF_THE_NETWORK:
            self.monitor = ClipNetwork.of(pl_module).monitor
        super().setup(trainer, pl_module, stage)

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "patience": self.patience})

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # a new run has waited for nothing; one that goes on may have waited long enough
        trainer.should_stop = self.wait_count >= self.patience
