"""What people would rather look at, drawn into TensorBoard."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from typing_extensions import override

from emorec.callbacks.run_record import last_step
from emorec.data.clip import Clip
from emorec.data.datamodule import ClipDataModule
from emorec.data.dataset import ClipDataset
from emorec.evaluation.figures import (
    confusion_figure,
    contact_sheet,
    figure_to_image,
    sound_sheet,
)
from emorec.evaluation.metrics import summarize
from emorec.evaluation.predictions import Predictions, most_confident_errors
from emorec.layers.spectrogram import Spectrogram
from emorec.models.base import ClipClassifier

ON_A_SHEET = 8
"""Clips a contact sheet shows at most."""


class Pictures(Callback):
    """Confusion matrix, clips as the network sees them, and misclassified clips.

    The validation confusion matrix comes every epoch, the training clips once, and at the end the validation clips of
    the best epoch that were misclassified with most confidence.
    """

    def __init__(self) -> None:
        self._best_uar = -1.0
        self._best: Predictions | None = None

    @override
    def state_dict(self) -> dict[str, Any]:
        best = (
            None if self._best is None else (self._best.index, self._best.target, self._best.logits)
        )
        return {"best_uar": self._best_uar, "best": best}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best_uar = state_dict["best_uar"]
        self._best = None if state_dict["best"] is None else Predictions(*state_dict["best"])

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch > 0 or not _draws(trainer):
            return
        data = ClipDataModule.of(trainer)
        if data.recipe.num_frames:
            _draw(trainer, "train/clips_as_the_network_sees_them", training_sheet(data))
        network = ClipClassifier.of(pl_module)
        if any(isinstance(layer, Spectrogram) for layer in network.modules()):
            figure = training_sounds(data, network)
            _draw(trainer, "train/clips_as_the_network_hears_them", figure)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        predictions = ClipClassifier.of(pl_module).collected
        summary = summarize(predictions)
        if summary.uar > self._best_uar:
            self._best_uar, self._best = summary.uar, predictions
        if _draws(trainer):
            title = f"validation, epoch {trainer.current_epoch + 1}, UAR {summary.uar:.1%}"
            names = ClipDataModule.of(trainer).class_names
            figure = confusion_figure(summary.confusion_matrix, names, title)
            _draw(trainer, "val/confusion_matrix", figure)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._best is None or not _draws(trainer):
            return
        data = ClipDataModule.of(trainer)
        rows = most_confident_errors(self._best, ON_A_SHEET)
        if rows and data.recipe.num_frames:
            _draw(trainer, "val/misclassified", misclassified_sheet(data, self._best, rows))


def training_sheet(data: ClipDataModule) -> Figure:
    """A training clip of each class, augmented as in the first epoch."""
    positions, captions = _chosen(data)
    return _sheet(data.dataset(data.sides["train"], augment=data.augment), positions, captions)


def training_sounds(data: ClipDataModule, network: ClipClassifier) -> Figure:
    """The spectrogram of a training clip of each class, its sound varied as in the first epoch."""
    positions, captions = _chosen(data)
    dataset = data.dataset(data.sides["train"], vary_sound=data.sound_augment)
    sound = torch.stack([dataset[position]["sound"] for position in positions])  # (N, samples)
    spectrogram = next(layer for layer in network.modules() if isinstance(layer, Spectrogram))
    with torch.no_grad():
        pictures = spectrogram(sound.to(network.device)).squeeze(1).cpu()  # (N, bins, windows)
    return sound_sheet(pictures.numpy(), captions)


def _chosen(data: ClipDataModule) -> tuple[list[int], list[str]]:
    """Positions of training clips of different classes, and what stands below each."""
    clips = data.sides["train"]
    labels = [int(clip.label) for clip in clips]  # type: ignore[arg-type]
    positions = one_of_each(labels, ON_A_SHEET)
    return positions, [f"{data.class_names[labels[at]]}: {_called(clips[at])}" for at in positions]


def misclassified_sheet(
    data: ClipDataModule, predictions: Predictions, rows: Sequence[int]
) -> Figure:
    """The validation clips of some rows of their predictions, with what they are and what they were taken for."""
    positions = [int(predictions.index[row]) for row in rows]
    captions = []
    for row, position in zip(rows, positions, strict=True):
        true = data.class_names[int(predictions.target[row])]
        said = data.class_names[int(predictions.predicted[row])]
        share = f"{float(predictions.confidence[row]):.0%}"
        name = _called(data.sides["val"][position])
        captions.append(f"{true}, taken for {said} ({share}): {name}")
    return _sheet(data.dataset(data.sides["val"]), positions, captions)


def one_of_each(labels: Sequence[int], limit: int) -> list[int]:
    """Positions of clips of different classes, each from a later part of its class's clips than the one before.

    Data sets list their clips in some order of people: these are then of different people too.

    Args:
        labels: Of the clips.
        limit: How many at most. With fewer classes there are several clips of each, with more some have none.

    >>> one_of_each([0, 0, 0, 1, 1, 1, 2, 2, 2], limit=3)
    [0, 4, 8]
    >>> one_of_each([5, 5, 5, 5], limit=2)
    [0, 2]
    """
    classes = sorted(set(labels))
    members = {label: [at for at, own in enumerate(labels) if own == label] for label in classes}
    if len(classes) > limit:
        classes = [classes[turn * len(classes) // limit] for turn in range(limit)]
    chosen = set()
    for turn in range(limit if classes else 0):
        own = members[classes[turn % len(classes)]]
        chosen.add(own[turn * len(own) // limit])
    return sorted(chosen, key=lambda at: (labels[at], at))


def _sheet(dataset: ClipDataset, positions: Sequence[int], captions: Sequence[str]) -> Figure:
    frames = torch.stack([dataset[position]["frames"] for position in positions])  # (N, T, H, W, C)
    return contact_sheet(frames.numpy(), captions)


def _called(clip: Clip) -> str:
    return clip.path.stem if clip.span_seconds is None else clip.take


def _draws(trainer: Trainer) -> bool:
    return isinstance(trainer.logger, TensorBoardLogger) and trainer.is_global_zero


def _draw(trainer: Trainer, tag: str, figure: Figure) -> None:
    assert isinstance(trainer.logger, TensorBoardLogger)
    image = figure_to_image(figure)  # (H, W, C)
    trainer.logger.experiment.add_image(tag, image, last_step(trainer), dataformats="HWC")
