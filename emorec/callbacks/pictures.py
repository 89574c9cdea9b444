"""What people would rather look at, drawn into TensorBoard."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from torch import Tensor
from typing_extensions import override

from emorec.callbacks.run_record import best_score, last_step
from emorec.data.clip import Clip
from emorec.data.datamodule import ClipDataModule
from emorec.data.dataset import ClipDataset, label_name
from emorec.evaluation.figures import contact_sheet, figure_to_image, sound_sheet
from emorec.evaluation.plane import counts_figure
from emorec.evaluation.figures import plane_figure
from emorec.layers.spectrogram import Spectrogram
from emorec.models.base import ClipNetwork

ON_A_SHEET = 8
"""Clips a contact sheet shows at most."""

MOST_LOOKED_AT = 5000
"""Training clips, evenly spread, that those are chosen from."""


class Pictures(Callback):
    """Truth against prediction, clips as the network sees them, and the clips that were missed most.

    The validation's confusion matrix (or plane of numbers) comes every epoch, the training clips once, and at the end
    the validation clips of the best epoch that were misclassified with most confidence, or whose numbers were furthest
    from the truth.
    """

    def __init__(self) -> None:
        self._best_score = -math.inf
        self._best: tuple[Tensor, Tensor, Tensor] | None = None

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"best_score": self._best_score, "best": self._best}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best_score = best_score(state_dict)
        self._best = state_dict["best"]

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch > 0 or not _draws(trainer):
            return
        data, network = ClipDataModule.of(trainer), ClipNetwork.of(pl_module)
        _draw(trainer, "train/clips_as_the_network_sees_them", training_sheet(data))
        _draw(trainer, "train/clips_as_the_network_hears_them", training_sounds(data, network))
        _draw(trainer, "train/balance", balance_figure(data))

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        network = ClipNetwork.of(pl_module)
        data = ClipDataModule.of(trainer)
        results = network.results(data.class_names or data.target_names)
        if results.summary.score > self._best_score:
            self._best_score, self._best = results.summary.score, results.predictions.parts
        if _draws(trainer):
            title = f"validation, epoch {trainer.current_epoch + 1}, {results.headline}"
            _draw(trainer, network.picture_tag, results.picture(title))

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._best is None or not _draws(trainer):
            return
        network, data = ClipNetwork.of(pl_module), ClipDataModule.of(trainer)
        results = network.results(
            data.class_names or data.target_names, network.predictions_of(*self._best)
        )
        if worst := results.worst(ON_A_SHEET):
            _draw(trainer, "val/misclassified", worst_sheet(data, worst))


def training_sheet(data: ClipDataModule) -> Figure | None:
    """A training clip of each class (of numbers: of each quadrant), augmented as in the first epoch."""
    positions, captions = _chosen(data)
    return _sheet(data.dataset(data.sides["train"], augment=data.augment), positions, captions)


def training_sounds(data: ClipDataModule, network: ClipNetwork) -> Figure | None:
    """The spectrograms of these clips, their sound varied as in the first epoch; `None` where nobody hears."""
    layers = [layer for layer in network.modules() if isinstance(layer, Spectrogram)]
    if not layers or data.hearing is None:
        return None
    positions, captions = _chosen(data)
    dataset = data.dataset(data.sides["train"], vary_sound=data.sound_augment)
    sound = torch.stack([dataset[position]["sound"] for position in positions])  # (N, samples)
    with torch.no_grad():
        pictures = layers[0](sound.to(network.device)).squeeze(1).cpu()  # (N, bins, windows)
    return sound_sheet(pictures.numpy(), captions)


def _chosen(data: ClipDataModule) -> tuple[list[int], list[str]]:
    """Positions of training clips of different labels, and what stands beside each."""
    clips = data.sides["train"]
    looked_at = range(0, len(clips), max(1, len(clips) // MOST_LOOKED_AT))
    kinds = [kind_of(clips[at].label) for at in looked_at]
    positions = [looked_at[at] for at in one_of_each(kinds, ON_A_SHEET)]
    return positions, [
        f"{label_name(clips[at].label, data.class_names)}: {_called(clips[at])}" for at in positions
    ]


def balance_figure(data: ClipDataModule) -> Figure | None:
    """The labels of the training clips that there were and that were kept; `None` where all were."""
    both: tuple[Any, Any] | None = getattr(data, "before_and_after", None)
    if both is None:
        return None
    parts = dict(zip(("before", "after"), both, strict=True))
    title = "training clips before and after some were left out"
    if data.class_names:
        return counts_figure(parts, data.class_names, title)
    return plane_figure(parts, data.target_names, title)


def kind_of(label: int | tuple[float, ...]) -> int:
    """A class, or the quadrant that numbers lie in.

    >>> kind_of(5), kind_of((-0.1, 0.3)), kind_of((0.2, 0.3))
    (5, 2, 3)
    """
    if isinstance(label, int):
        return label
    return sum(1 << place for place, value in enumerate(label) if value > 0)


def worst_sheet(data: ClipDataModule, worst: Sequence[tuple[int, str]]) -> Figure | None:
    """Validation clips by position, each with what there is to say of it."""
    clips = data.sides["val"]
    positions = [position for position, _ in worst]
    captions = [f"{caption}: {_called(clips[at])}" for at, caption in worst]
    return _sheet(data.dataset(clips), positions, captions)


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


def _sheet(
    dataset: ClipDataset, positions: Sequence[int], captions: Sequence[str]
) -> Figure | None:
    """The clips below each other; `None` where there are features in place of frames, or no pictures at all."""
    samples = [dataset[position] for position in positions]
    if not all(len(sample.get("frames", ())) for sample in samples):
        return None
    frames = torch.stack([sample["frames"] for sample in samples])  # (N, T, H, W, C)
    return contact_sheet(frames.numpy(), captions)


def _called(clip: Clip) -> str:
    return clip.path.stem if clip.span_seconds is None else clip.take


def _draws(trainer: Trainer) -> bool:
    return isinstance(trainer.logger, TensorBoardLogger) and trainer.is_global_zero


def _draw(trainer: Trainer, tag: str, figure: Figure | None) -> None:
    if figure is None:
        return
    assert isinstance(trainer.logger, TensorBoardLogger)
    image = figure_to_image(figure)  # (H, W, C)
    trainer.logger.experiment.add_image(tag, image, last_step(trainer), dataformats="HWC")
