"""What a run records of itself: in the terminal, in its folder, in its loggers and in every checkpoint."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from typing_extensions import override

from emorec import checkpoint
from emorec.callbacks.checkpointing import is_best
from emorec.callbacks.held_out import check_weights, weights_in
from emorec.callbacks.loggers import (
    log_settings,
    log_success,
    log_text,
    run_folder,
    with_run_ids,
)
from emorec.callbacks.progress import Throughput
from emorec.checkpoint import TrainingRecord, class_path
from emorec.console import print_line
from emorec.data.datamodule import ClipDataModule
from emorec.data.split import SUBSETS
from emorec.errors import UserError
from emorec.evaluation.calibration import fit_temperature
from emorec.evaluation.report import split_remarks
from emorec.evaluation.task import Classification
from emorec.image_size import format_frames
from emorec.io import atomic_write
from emorec.models.base import ClipNetwork
from emorec.models.flops import network_record, num_parameters
from emorec.text import number_ranges


class RunRecord(Callback):
    """Writes `config.yaml`, network, split and the best scores to the run folder, and the record into checkpoints.

    The scalars `best/...` are the validation scores of the best epoch so far, by the score that `ModelCheckpoint`
    monitors; there are none without one.

    Args:
        config: The whole configuration of the run, as plain values; empty for a run from Python.
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.config = dict(config or {})
        self._start = time.monotonic()
        self._earlier_seconds = 0.0
        self._earlier_peak_bytes = 0
        self._network: dict[str, Any] = {}
        self._temperature: tuple[int, float] | None = None  # and the global step of its weights

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit" or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        for weights in weights_in(pl_module.hparams):
            check_weights(weights, ClipDataModule.of(trainer))
        folder = trainer.strategy.broadcast(run_folder(trainer))
        for each in trainer.checkpoint_callbacks:
            if folder and isinstance(each, ModelCheckpoint) and each.dirpath is None:
                each.dirpath = str(folder / "checkpoints")
        if not trainer.is_global_zero:
            return
        if self.config and folder:
            path = Path(folder, "config.yaml")
            try:
                with atomic_write(path) as file:
                    file.write(yaml.safe_dump(self.config, sort_keys=False).encode())
            except OSError as error:
                raise UserError(f"can't write {path}: {error.strerror}") from error
        network = ClipNetwork.of(pl_module)
        self._network = network_record(network)
        print_line(describe_network(network, self._network))
        print_line(describe_split(ClipDataModule.of(trainer).split_record()))

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._start = time.monotonic()
        reset_peak_memory(trainer.strategy.root_device)
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        network, split = ClipNetwork.of(pl_module), ClipDataModule.of(trainer).split_record()
        gflops = self._network["gflops_per_clip"]
        texts = {"network": network_markdown(network, gflops), "split": split_markdown(split)}
        chosen = settings(trainer, pl_module)
        for logger in trainer.loggers:
            log_settings(logger, chosen)
            for tag, text in texts.items():
                log_text(logger, tag, text, trainer.global_step)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        network = ClipNetwork.of(pl_module)
        if isinstance(network.task, Classification):
            temperature = fit_temperature(network.collected.target, network.collected.output)
            self._temperature = trainer.global_step, temperature
        if is_best(trainer):
            best: dict[str, float] = {"best/epoch": trainer.current_epoch + 1}
            for name, value in trainer.callback_metrics.items():
                if name.startswith("val/") and name != "val/ece":
                    best[name.replace("val/", "best/", 1)] = float(value)
            for logger in trainer.loggers:
                logger.log_metrics(best, last_step(trainer))

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                log_success(logger)

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint_: dict[str, Any]
    ) -> None:
        data = ClipDataModule.of(trainer)
        device = trainer.strategy.root_device
        peak = peak_memory_bytes(device)
        throughput = (each for each in trainer.callbacks if isinstance(each, Throughput))  # type: ignore[attr-defined]
        # none where the weights have been trained since they were validated
        step, temperature = self._temperature or (None, None)
        checkpoint_[checkpoint.RECORD] = checkpoint.record(
            type(pl_module),
            type(data),
            TrainingRecord(
                settings=with_run_ids(
                    {k: v for k, v in self.config.items() if k not in {"model", "data"}},
                    trainer.loggers,
                ),
                class_names=data.class_names,
                split=data.split_record(),
                epochs=trainer.current_epoch + 1,
                train_seconds=self._earlier_seconds + time.monotonic() - self._start,
                train_clips_per_second=next((each.overall for each in throughput), None),
                peak_memory_bytes=None if peak is None else max(peak, self._earlier_peak_bytes),
                trained_on=device_name(device),
                temperatures={1: temperature}
                if temperature and step == trainer.global_step
                else {},
                clip_seconds=data.clip_seconds,
                network=self._network,
            ),
        )

    @override
    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint_: dict[str, Any]
    ) -> None:
        record = checkpoint_[checkpoint.RECORD]
        if trainer.state.fn == "fit":
            check_resumable(record, ClipDataModule.of(trainer).split_record(), trainer.max_epochs)
        self._earlier_seconds = record["train_seconds"]
        self._earlier_peak_bytes = record["peak_memory_bytes"] or 0


def check_resumable(
    record: Mapping[str, Any], split: Mapping[str, Any], max_epochs: int | None
) -> None:
    """Refuse to resume a run with another split or fewer epochs.

    Args:
        record: The record in the checkpoint.
        split: The present split: training actors of the run could then be tested.
        max_epochs: Present limit of epochs; None or below 0 for no limit.

    Raises:
        UserError: When the subsets have different actors, or the run has trained for more epochs already.
    """
    if any(record["split"][subset] != split[subset] for subset in SUBSETS):
        raise UserError(
            f"the run trains on {_split_name(record['split'])} and can't be resumed with {_split_name(split)}: "
            "start a new run for that"
        )
    if max_epochs is not None and 0 <= max_epochs < record["epochs"]:
        raise UserError(
            f"the run has trained for {record['epochs']} epochs already, more than --trainer.max_epochs {max_epochs}"
        )


def last_step(trainer: Trainer) -> int:
    """Return the step at which Lightning logs an epoch that has just ended: its last one, from 0."""
    return max(0, trainer.global_step - 1)


def describe_network(network: ClipNetwork, record: Mapping[str, Any]) -> str:
    """Return a line on what is trained and what it costs.

    Args:
        network: The network.
        record: Its `network_record`.
    """
    return (
        f"network {class_path(type(network))}: {record['num_parameters']:,} parameters, "
        f"{record['num_trained_parameters']:,} trained; {record['gflops_per_clip']:.2f} GFLOPs a clip"
    )


def network_markdown(network: ClipNetwork, gflops_per_clip: float) -> str:
    """Return the same in Markdown, by submodule.

    Args:
        network: The network.
        gflops_per_clip: 1e9 multiply-adds for one clip.
    """
    parts = {name: part for name, part in network.named_children() if num_parameters(part)}
    rows = [
        f"| {name} | {num_parameters(part):,} | {_num_trained(part):,} |"
        for name, part in {**parts, "**all**": network}.items()
    ]
    clip = format_frames(network.num_frames, network.image_size)
    cost = f"{gflops_per_clip:.2f} GFLOPs (multiply-adds) for a clip of {clip}"
    table = ["| part | parameters | trained |", "|---|--:|--:|", *rows]
    return "\n\n".join([f"**{class_path(type(network))}**", "\n".join(table), cost])


def _num_trained(network: nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters() if weights.requires_grad)


def describe_split(split: Mapping[str, Any]) -> str:
    """Return a line on who trains, validates and is tested.

    >>> describe_split({"name": "mine", "fold": None, "train": [1, 2], "val": [3], "test": [4], "hash": "ab",
    ...                 "num_clips": {"train": 120, "val": 60, "test": 60}, "skipped": []})
    'split mine: actors 1-2 train (120 clips), 3 val (60), 4 test (60); clip list ab'
    """
    clips = split["num_clips"]
    train, val, test = (
        f"{number_ranges(split[subset]) or 'none'} {subset} ({clips[subset]}" for subset in SUBSETS
    )
    remarks = "".join(f"; {remark}" for remark in split_remarks(split))
    return (
        f"{_split_name(split)}: {split.get('whose', 'actors')} {train} clips), {val}), {test}); "
        f"clip list {split['hash']}{remarks}"
    )


def split_markdown(split: Mapping[str, Any]) -> str:
    """Return the same in Markdown."""
    rows = [f"| {it} | {number_ranges(split[it])} | {split['num_clips'][it]} |" for it in SUBSETS]
    table = [f"| subset | {split.get('whose', 'actors')} | clips |", "|---|---|--:|", *rows]
    heading = f"**{_split_name(split)}**, clip list {split['hash']}"
    return "\n\n".join([heading, "\n".join(table), *split_remarks(split)])


def _split_name(split: Mapping[str, Any]) -> str:
    fold = f" fold {split['fold']}" if split["fold"] is not None else ""
    return f"split {split['name']}{fold}"


def settings(trainer: Trainer, network: LightningModule) -> dict[str, Any]:
    """Return what runs are compared by: network and data, their arguments, epochs, devices, precision."""
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


def device_name(device: torch.device) -> str:
    """Return what a device is called in reports.

    >>> device_name(torch.device("cpu"))
    'cpu'
    """
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def peak_memory_bytes(device: torch.device) -> int | None:
    """Return the peak memory: of a GPU what tensors held, else what this process held, without loader processes.

    `None` where the operating system doesn't report it.

    >>> peak_memory_bytes(torch.device("cpu")) > 0
    True
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return max_resident_bytes()
    # not getrusage: a child process starts there with what its parent held
    kib = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return max_resident_bytes() if kib is None else 1024 * int(kib)


def max_resident_bytes() -> int | None:
    """Return the peak memory of this process where there is no /proc; a child's includes what its parent held."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def reset_peak_memory(device: torch.device) -> None:
    """Start the peak of a GPU anew; that of a process can't be reset."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
