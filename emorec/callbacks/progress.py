"""Progress and throughput: the bar in a terminal, a line an epoch elsewhere."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import (
    BatchesProcessedColumn,
    CustomBarColumn,
)
from rich.progress import ProgressColumn, TextColumn, TimeRemainingColumn
from typing_extensions import override

DURING_AN_EPOCH = {
    "loss": "train/loss_step",
    "UAR": "val/uar",
    "CCC": "val/ccc",
    "clips/s": "train/clips_per_second",
}
AFTER_AN_EPOCH = {
    "loss": "train/loss_epoch",
    "val loss": "val/loss",
    "UAR": "val/uar",
    "CCC": "val/ccc",
    "clips/s": "train/clips_per_second",
}
"""Short names and the logged metrics they stand for."""

WIDTH_BESIDE_BAR = 70
"""Characters of a line besides the bar itself, in a long run."""


def format_metrics(names: Mapping[str, str], logged: Mapping[str, Any]) -> dict[str, str]:
    """Return the metrics logged so far, by their short names and rounded.

    >>> format_metrics(DURING_AN_EPOCH, {"train/loss_step": 1.86, "train/clips_per_second": 4.71})
    {'loss': '1.860', 'clips/s': '4.7'}
    """
    return {
        short: f"{float(logged[name]):.{1 if short == 'clips/s' else 3}f}"
        for short, name in names.items()
        if name in logged
    }


class ProgressBar(RichProgressBar):
    """Lightning's rich bar on standard error, with loss, UAR and clips/s, which fits into a line of 80 characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"console_kwargs": {"stderr": True}, **options})

    @override
    def _init_progress(self, trainer: Trainer) -> None:
        stdout = sys.stdout
        super()._init_progress(trainer)
        if not stdout.isatty():
            sys.stdout = stdout  # else Rich would print what goes to a file into the terminal

    @override
    def configure_columns(self, trainer: Trainer) -> list[ProgressColumn]:
        assert self._console is not None
        theme = self.theme
        bar = CustomBarColumn(
            bar_width=min(40, max(8, self._console.width - WIDTH_BESIDE_BAR)),
            complete_style=theme.progress_bar,
            finished_style=theme.progress_bar_finished,
            pulse_style=theme.progress_bar_pulse,
        )
        return [
            TextColumn("{task.description}"),
            bar,
            BatchesProcessedColumn(style=theme.batch_progress),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        ]

    @override
    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        if trainer.sanity_checking:
            return {}
        return {
            **format_metrics(
                DURING_AN_EPOCH, trainer.callback_metrics | trainer.progress_bar_metrics
            )
        }

    @override
    def _get_train_description(self, current_epoch: int) -> str:
        # Lightning counts from 0 here and from 1 elsewhere
        return f"{format_epoch(self.trainer, current_epoch):{len(self.validation_description)}}"


class EpochLines(Callback):
    """One line an epoch, for log files and other places without a terminal."""

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # in every process: averaging over them is collective
        numbers = format_metrics(AFTER_AN_EPOCH, trainer.callback_metrics)
        if trainer.is_global_zero:
            shown = "  ".join(f"{name} {value}" for name, value in numbers.items())
            print(f"{format_epoch(trainer, trainer.current_epoch)}  {shown}", flush=True)


def format_epoch(trainer: Trainer, epoch: int) -> str:
    """Return the epoch counted from 1, such as "Epoch 3/20"; just "Epoch 3" without a limit."""
    end = trainer.max_epochs
    return f"Epoch {epoch + 1}" + (f"/{end}" if end is not None and end > 0 else "")


class Throughput(Callback):
    """Logs training clips a second over all processes, loading included, as `train/clips_per_second`.

    The bar shows it step by step; loggers get it epoch by epoch, so that the shortest run has it too.
    """

    def __init__(self) -> None:
        self._start = 0.0
        self._clips = 0
        self._seconds = 0.0
        self._earlier_clips = 0
        self._earlier_seconds = 0.0

    @property
    def overall(self) -> float | None:
        """The rate over all epochs, including those before the run was resumed; `None` before the first batch."""
        clips, seconds = self.state_dict().values()
        return clips / seconds if seconds > 0 else None

    @override
    def state_dict(self) -> dict[str, Any]:
        return {
            "clips": self._earlier_clips + self._clips,
            "seconds": self._earlier_seconds + self._seconds,
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._earlier_clips, self._earlier_seconds = state_dict["clips"], state_dict["seconds"]
        self._clips, self._seconds = 0, 0.0

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.load_state_dict(self.state_dict())  # the last epoch becomes one of the earlier ones
        self._start = time.perf_counter()

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._clips += len(batch["label"]) * trainer.world_size
        self._seconds = time.perf_counter() - self._start
        log = pl_module.log
        log("train/clips_per_second", self._rate, on_step=True, prog_bar=True, logger=False)

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # the rate after the last batch: the validation that followed is not training
        pl_module.log("train/clips_per_second", self._rate, sync_dist=True)

    @property
    def _rate(self) -> float:
        """The rate of this epoch."""
        return self._clips / self._seconds if self._clips else 0.0
