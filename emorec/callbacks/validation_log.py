"""A run's validation scores as a file that other programs read while it trains."""

import json
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from emorec.callbacks.loggers import run_folder
from emorec.io import VALIDATION_LOG
from emorec.models.base import ClipNetwork


class ValidationLog(Callback):
    """Appends the validation score of each epoch to `validation.jsonl` in the run folder.

    A line is `{"epoch": 3, "value": 0.51, "best": 0.53, "max_epochs": 8, "metric": "val/uar"}`: the epoch from 1,
    `max_epochs` null without an end, `best` the best value so far, also of the epochs before the run was resumed. An
    epoch that is repeated after a kill has two lines, of which the later one counts.
    """

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        path, best = _path(trainer), _best_score(trainer, pl_module)
        # a resumed run may have no epoch left, and its file may be missing
        if path is not None and best is not None and not path.exists():
            entry = {"epoch": trainer.current_epoch, "value": best, "best": best}
            _append(path, trainer, pl_module, entry)

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        path, best = _path(trainer), _best_score(trainer, pl_module)
        score = trainer.callback_metrics.get(ClipNetwork.of(pl_module).monitor)
        if path is not None and score is not None:
            value = float(score)
            highest = value if best is None else max(best, value)
            entry = {"epoch": trainer.current_epoch + 1, "value": value, "best": highest}
            _append(path, trainer, pl_module, entry)


def _path(trainer: Trainer) -> Path | None:
    """Return the file of the run folder; `None` without a folder and in all processes but the first."""
    folder = trainer.strategy.broadcast(run_folder(trainer))  # every process takes part
    return Path(folder, VALIDATION_LOG) if folder and trainer.is_global_zero else None


def _best_score(trainer: Trainer, pl_module: LightningModule) -> float | None:
    """Return the score of the best checkpoint so far; `None` when it was chosen by another metric."""
    checkpointing = trainer.checkpoint_callback
    if getattr(checkpointing, "monitor", None) != ClipNetwork.of(pl_module).monitor:
        return None
    score = getattr(checkpointing, "best_model_score", None)
    return None if score is None else float(score)


def _append(
    path: Path, trainer: Trainer, pl_module: LightningModule, entry: dict[str, float]
) -> None:
    max_epochs = trainer.max_epochs if (trainer.max_epochs or -1) > 0 else None
    run = {"max_epochs": max_epochs, "metric": ClipNetwork.of(pl_module).monitor}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps({**entry, **run})}\n")
