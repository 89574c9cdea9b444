"""The two checkpoints of a run: its best epoch, and the last one to go on from."""

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from typing_extensions import override

from emorec.models.base import ClipNetwork

OF_THE_NETWORK = "auto"
"""Monitor what the network itself would be chosen by: `val/uar` of a classifier, `val/ccc` of a regressor."""


class BestAndLast(ModelCheckpoint):
    """Lightning's `ModelCheckpoint`, with a `last.ckpt` of every epoch and in a run folder that may be moved.

    Lightning 2.6 writes `last.ckpt` only when the epoch is also among the best, so a run would go on from its best
    epoch; and it forgets which epoch was best when the folder's name has changed, if only from relative to absolute.
    """

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # before a checkpoint's state is read: it lies under the name of what is monitored
        if self.monitor == OF_THE_NETWORK:
            self.monitor = ClipNetwork.of(pl_module).monitor
        super().setup(trainer, pl_module, stage)

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        if self.save_last and not self._should_skip_saving_checkpoint(trainer):
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if not self._here(state_dict["best_model_path"]).is_file():
            return  # the checkpoint alone was moved: what is best begins anew
        super().load_state_dict(
            {
                **state_dict,
                "dirpath": self.dirpath,
                "best_k_models": {
                    str(self._here(path)): score
                    for path, score in state_dict["best_k_models"].items()
                },
                **{
                    key: str(self._here(state_dict[key]))
                    for key in ("best_model_path", "kth_best_model_path", "last_model_path")
                    if state_dict[key]
                },
            }
        )

    def _here(self, path: str) -> Path:
        """The file of that name in today's folder."""
        return Path(self.dirpath or "", Path(path).name)
