"""A run says what it is: in the terminal, in its folder, in TensorBoard and in every checkpoint."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from typing_extensions import override

from emorec import checkpoint
from emorec.callbacks.description import (
    describe_network,
    describe_split,
    network_page,
    split_page,
)
from emorec.callbacks.device import device_name, forget_peak_memory, peak_memory_bytes
from emorec.callbacks.hparams_tab import columns, mark_finished, open_row
from emorec.callbacks.progress import Throughput
from emorec.data.datamodule import ClipDataModule
from emorec.data.split import SIDES
from emorec.errors import UserError
from emorec.files import whole_file
from emorec.models.base import ClipNetwork


class RunRecord(Callback):
    """Writes `config.yaml`, the split, the network's size and the best result; fills the checkpoint's record.

    The best result, `best/...`, has the validation figures of the epoch with the highest score (UAR or CCC) so far.

    Args:
        config: The whole configuration of the run, as plain values; empty for a run from Python.
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.config = dict(config or {})
        self._seconds_before = 0.0
        self._start = time.monotonic()
        self._memory_before = 0
        self._best_score = -math.inf
        self._temperature: tuple[int, float] | None = None  # and the step whose weights it is for

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"best_score": self._best_score}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best_score = best_score(state_dict)

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit" or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        # asked by every process, as the first one tells it the others; without a logger it is no run folder
        folder = trainer.log_dir if trainer.logger else None
        if not trainer.is_global_zero:
            return
        if self.config and folder:
            path = Path(folder, "config.yaml")
            try:
                with whole_file(path) as file:
                    file.write(yaml.safe_dump(self.config, sort_keys=False).encode())
            except OSError as error:
                raise UserError(f"can't write {path}: {error.strerror}") from error
        say(describe_network(ClipNetwork.of(pl_module)))
        say(describe_split(ClipDataModule.of(trainer).split_record()))

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._start = time.monotonic()
        forget_peak_memory(trainer.strategy.root_device)
        if isinstance(trainer.logger, TensorBoardLogger) and trainer.is_global_zero:
            writer = trainer.logger.experiment
            open_row(writer, columns(settings(trainer, pl_module)))
            split = ClipDataModule.of(trainer).split_record()
            writer.add_text("network", network_page(ClipNetwork.of(pl_module)), trainer.global_step)
            writer.add_text("split", split_page(split), trainer.global_step)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        network = ClipNetwork.of(pl_module)
        predictions = network.collected
        temperature = network.fitted_temperature(predictions)
        self._temperature = None if temperature is None else (trainer.global_step, temperature)
        summary = network.summary_of(predictions)
        if summary.score <= self._best_score:
            return
        self._best_score = summary.score
        best: dict[str, float] = {"best/epoch": trainer.current_epoch + 1}
        best |= {f"best/{name}": value for name, value in summary.logged.items() if name != "ece"}
        for logger in trainer.loggers:
            logger.log_metrics(best, last_step(trainer))

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if isinstance(trainer.logger, TensorBoardLogger) and trainer.is_global_zero:
            mark_finished(trainer.logger.experiment)

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint_: dict[str, Any]
    ) -> None:
        data = ClipDataModule.of(trainer)
        settings = {key: self.config[key] for key in self.config if key not in {"model", "data"}}
        checkpoint_[checkpoint.RECORD] = checkpoint.record(
            pl_module,
            data,
            settings=settings,
            class_names=data.class_names,
            split=data.split_record(),
            epochs=trainer.current_epoch + 1,
            train_seconds=self._seconds_before + time.monotonic() - self._start,
            train_clips_per_second=throughput(trainer),
            peak_memory_bytes=self._peak_memory_bytes(trainer),
            trained_on=device_name(trainer.strategy.root_device),
            temperatures=self._temperatures(trainer),
            clip_seconds=data.clip_seconds,
        )

    def _peak_memory_bytes(self, trainer: Trainer) -> int | None:
        """Of this process and its GPU, also before the run was stopped."""
        now = peak_memory_bytes(trainer.strategy.root_device)
        return None if now is None else max(now, self._memory_before)

    def _temperatures(self, trainer: Trainer) -> dict[int, float]:
        """Empty where the weights have been trained further since they were validated."""
        if self._temperature is None or self._temperature[0] != trainer.global_step:
            return {}
        return {1: self._temperature[1]}

    @override
    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint_: dict[str, Any]
    ) -> None:
        said = checkpoint_[checkpoint.RECORD]
        if trainer.state.fn == "fit":
            refuse_other_run(said, ClipDataModule.of(trainer).split_record(), trainer.max_epochs)
        self._seconds_before = said["train_seconds"]
        self._memory_before = said.get("peak_memory_bytes") or 0


def best_score(state: Mapping[str, Any]) -> float:
    """That of the best epoch so far, by either of the names that it has had in checkpoints.

    >>> best_score({"best_uar": 0.5}), best_score({"best_score": 0.25})
    (0.5, 0.25)
    """
    return float(state["best_score"] if "best_score" in state else state["best_uar"])


def refuse_other_run(
    said: Mapping[str, Any], split: Mapping[str, Any], max_epochs: int | None
) -> None:
    """Stops when a run can't go on as it is asked to.

    Args:
        said: What the checkpoint says of its run.
        split: Who would train and validate now.
        max_epochs: How many epochs the run may have now; below 0 any number.

    Raises:
        UserError: When actors have changed sides, for some that have trained could then be tested, or when the run
            has had more epochs than it may have.
    """
    if any(said["split"][side] != split[side] for side in SIDES):
        names = [
            " fold ".join(map(str, filter(None, (it["name"], it["fold"]))))
            for it in (said["split"], split)
        ]
        raise UserError(
            f"the run trains on split {names[0]} and can't go on with {names[1]}: start a new run for that"
        )
    if max_epochs is not None and 0 <= max_epochs < said["epochs"]:
        raise UserError(
            f"the run has had {said['epochs']} epochs already, more than --trainer.max_epochs {max_epochs}"
        )


def settings(trainer: Trainer, network: LightningModule) -> dict[str, Any]:
    """What one would compare runs by: network and data, their arguments, how long and how precisely it is trained."""
    data = ClipDataModule.of(trainer)
    return {
        "network": type(network).__name__,
        "data": type(data).__name__,
        **network.hparams,
        **data.hparams,
        "max_epochs": trainer.max_epochs,
        "devices": trainer.world_size,
        "precision": str(trainer.precision),
    }


def throughput(trainer: Trainer) -> float | None:
    """Training clips a second over the whole run; `None` where nobody counts them."""
    counting = (each for each in trainer.callbacks if isinstance(each, Throughput))  # type: ignore[attr-defined]
    return next((each.overall for each in counting), None)


def last_step(trainer: Trainer) -> int:
    """The step at which Lightning logs an epoch that has just ended: its last one, counted from 0."""
    return max(0, trainer.global_step - 1)


def say(line: str) -> None:
    """Prints a line, broken between words in a terminal and whole in a file."""
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(line, soft_wrap=not console.is_terminal)
