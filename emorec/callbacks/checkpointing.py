"""Checkpoints and early stopping by the validation score, for runs that may be resumed."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from typing_extensions import override

from emorec.checkpoint import load, save
from emorec.data.dataset import sample_seed
from emorec.models.base import ClipNetwork, DivergedError

AUTO_MONITOR = "auto"
"""Monitor the network's own score: `val/uar` of a classifier, `val/ccc` of a regressor."""


class BestAndLast(ModelCheckpoint):
    """Lightning's `ModelCheckpoint`, with a `last.ckpt` of every epoch and in a run folder that may be moved.

    Lightning 2.6 writes `last.ckpt` only when the epoch is also among the best, so a run would resume from its best
    epoch; and it forgets which epoch was best when the path of the folder has changed, if only from relative to
    absolute. Without validation data the last epoch is the best.
    """

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # before the state of a checkpoint is read: its key contains the monitor
        if not _validates(trainer):
            self.monitor = None
        elif self.monitor == AUTO_MONITOR:
            self.monitor = ClipNetwork.of(pl_module).monitor
        super().setup(trainer, pl_module, stage)

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        if self.save_last and not self._should_skip_saving_checkpoint(trainer):
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        # `save_on_exception` would write it over the best epoch
        if not isinstance(exception, DivergedError):
            super().on_exception(trainer, pl_module, exception)

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if not self._moved(state_dict["best_model_path"]).is_file():
            return  # the checkpoint alone was moved: the best epoch starts anew
        best = state_dict["best_k_models"].items()
        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        super().load_state_dict(
            {
                **state_dict,
                "dirpath": self.dirpath,
                "best_k_models": {str(self._moved(path)): score for path, score in best},
                **{key: str(self._moved(state_dict[key])) for key in paths if state_dict[key]},
            }
        )

    def _moved(self, path: str) -> Path:
        """Return the file of that name in the present folder."""
        return Path(self.dirpath or "", Path(path).name)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints atomically and loads them with `weights_only=True`, see `emorec.checkpoint`."""

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        save(checkpoint, Path(path))

    @override
    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return load(Path(path))


def is_best(trainer: Trainer) -> bool:
    """Return whether the epoch just validated is the best so far, by the score that `ModelCheckpoint` monitors.

    To be called before it saves the epoch, which Lightning lets it do after all other callbacks. False without one.
    """
    checkpointing = trainer.checkpoint_callback
    if not isinstance(checkpointing, ModelCheckpoint) or checkpointing.monitor is None:
        return False
    score = trainer.callback_metrics.get(checkpointing.monitor)
    if score is None or score.isnan():
        return False
    best = checkpointing.best_model_score
    if best is None:
        return True
    return bool(score > best if checkpointing.mode == "max" else score < best)


def _validates(trainer: Trainer) -> bool:
    """Return whether the split of a training has people who validate."""
    split = getattr(getattr(trainer, "datamodule", None), "split", None)
    return split is None or bool(split.holds_out)


class Patience(EarlyStopping):
    """Lightning's `EarlyStopping` for runs that are resumed.

    Lightning's own trains one more epoch each time a finished run is started again, and takes the patience from the
    checkpoint even if another one is configured.
    """

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # before the state of a checkpoint is read: its key contains the monitor
        self.strict = _validates(trainer)  # without a score it never stops
        if self.monitor == AUTO_MONITOR:
            self.monitor = ClipNetwork.of(pl_module).monitor
        super().setup(trainer, pl_module, stage)

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "patience": self.patience})

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # a new run has waited for nothing; a resumed one may have waited long enough
        trainer.should_stop = self.wait_count >= self.patience


class EpochSeed(Callback):
    """Seeds torch before every epoch by seed, epoch and process, so that a resumed run draws the same dropout.

    Lightning's checkpoints don't contain the state of torch's random number generators.

    Args:
        seed: The run's seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # not at the start of the epoch: the loader draws a number then, but in a resumed run it has done so before
        if batch_idx == 0:
            torch.manual_seed(sample_seed(self.seed, trainer.current_epoch, trainer.global_rank))
