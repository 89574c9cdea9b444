"""Images in the loggers: confusion matrices, clips as the network sees them, and the largest errors."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from torch.utils.data import Dataset
from typing_extensions import override

from emorec.callbacks.checkpointing import is_best
from emorec.callbacks.loggers import log_image, takes_images
from emorec.callbacks.run_record import last_step
from emorec.data.clip import Clip, Sample, label_name
from emorec.data.datamodule import ClipDataModule
from emorec.data.landmarks import BLENDSHAPES, LEFT_EYE, RIGHT_EYE, face_mesh
from emorec.evaluation.figures import (
    blendshape_sheet,
    class_counts_figure,
    contact_sheet,
    figure_to_image,
    mesh_sheet,
    plane_figure,
    spectrogram_sheet,
)
from emorec.layers.geometry import align
from emorec.layers.spectrogram import Spectrogram
from emorec.models.base import ClipNetwork

MAX_CLIPS = 8
"""Clips on a contact sheet."""

MAX_CANDIDATES = 5000
"""Training clips, evenly spaced, from which those of a sheet are chosen."""


class Pictures(Callback):
    """Draws truth against prediction, clips as the network sees and hears them, and the largest errors.

    The confusion matrix (or the plane of numbers) of every validation, training clips at the start, and at the end the
    validation clips that the best epoch misclassified most confidently, or whose numbers were furthest from the truth.
    The best epoch is that of `ModelCheckpoint`.
    """

    def __init__(self) -> None:
        self._worst: list[tuple[int, str]] = []

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"worst": self._worst}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._worst = state_dict.get("worst", [])

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch > 0 or not takes_images(trainer):
            return
        data, network = ClipDataModule.of(trainer), ClipNetwork.of(pl_module)
        _draw(trainer, "train/clips_as_the_network_sees_them", training_clips(data))
        _draw(trainer, "train/faces_as_the_network_sees_them", training_faces(data))
        _draw(trainer, "train/clips_as_the_network_hears_them", training_audio(data, network))
        _draw(trainer, "train/balance", balance_figure(data))

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        network = ClipNetwork.of(pl_module)
        task, collected = network.task, network.collected
        if is_best(trainer):
            worst = task.worst(collected.target, collected.output, MAX_CLIPS)
            self._worst = [(int(collected.index[row]), caption) for row, caption in worst]
        if takes_images(trainer):
            scores = task.evaluate(collected.target, collected.output)
            title = f"validation, epoch {trainer.current_epoch + 1}, {task.headline(scores)}"
            figure = task.plot(collected.target, collected.output, title)
            _draw(trainer, f"val/{task.plot_name}", figure)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._worst and takes_images(trainer):
            data = ClipDataModule.of(trainer)
            _draw(trainer, "val/misclassified", worst_clips(data, self._worst))
            _draw(trainer, "val/misclassified_blendshapes", worst_blendshapes(data, self._worst))


def training_clips(data: ClipDataModule) -> Figure | None:
    """Draw a training clip of each class (of numbers: of each quadrant), augmented as in the first epoch."""
    positions, captions = _choose_clips(data)
    return _sheet(data.dataset(data.subsets["train"], augment=data.augment), positions, captions)


def training_faces(data: ClipDataModule) -> Figure | None:
    """Draw the aligned landmarks of these clips, augmented as in the first epoch; `None` without landmarks."""
    if data.landmark_spec is None:
        return None
    positions, captions = _choose_clips(data)
    dataset = data.dataset(data.subsets["train"], augment=data.augment)
    landmarks = torch.stack([dataset[position]["landmarks"] for position in positions])
    faces = align(landmarks, (RIGHT_EYE, LEFT_EYE))  # (N, T, 478, 3)
    return mesh_sheet(faces.numpy(), face_mesh().triangles, captions)


def training_audio(data: ClipDataModule, network: ClipNetwork) -> Figure | None:
    """Draw the spectrograms of these clips, augmented as in the first epoch; `None` without audio."""
    layers = [layer for layer in network.modules() if isinstance(layer, Spectrogram)]
    if not layers or data.audio_spec is None:
        return None
    positions, captions = _choose_clips(data)
    dataset = data.dataset(data.subsets["train"], augment_sound=data.sound_augment)
    sound = torch.stack([dataset[position]["sound"] for position in positions])  # (N, samples)
    with torch.no_grad():
        pictures = layers[0](sound.to(network.device)).squeeze(1).cpu()  # (N, bins, windows)
    return spectrogram_sheet(pictures.numpy(), captions)


def _choose_clips(data: ClipDataModule) -> tuple[list[int], list[str]]:
    """Return the positions of training clips of different labels, and their captions."""
    clips = data.subsets["train"]
    candidates = range(0, len(clips), max(1, len(clips) // MAX_CANDIDATES))
    groups = [label_group(clips[at].label) for at in candidates]
    positions = [candidates[at] for at in one_of_each(groups, MAX_CLIPS)]
    return positions, [
        f"{label_name(clips[at].label, data.class_names)}: {_clip_name(clips[at])}"
        for at in positions
    ]


def balance_figure(data: ClipDataModule) -> Figure | None:
    """Plot the labels of the training clips before and after undersampling; `None` without it."""
    labels: tuple[Any, Any] | None = getattr(data, "labels_before_and_after", None)
    if labels is None:
        return None
    parts = dict(zip(("before", "after"), labels, strict=True))
    title = "training clips before and after some were left out"
    if data.class_names:
        return class_counts_figure(parts, data.class_names, title)
    return plane_figure(parts, data.target_names, title)


def label_group(label: int | tuple[float, ...]) -> int:
    """Return a label, or the quadrant of numbers.

    >>> label_group(5), label_group((-0.1, 0.3)), label_group((0.2, 0.3))
    (5, 2, 3)
    """
    if isinstance(label, int):
        return label
    return sum(1 << place for place, value in enumerate(label) if value > 0)


def worst_clips(data: ClipDataModule, worst: Sequence[tuple[int, str]]) -> Figure | None:
    """Draw validation clips by position, each under its caption."""
    clips = data.subsets["val"]
    positions = [position for position, _ in worst]
    captions = [f"{caption}: {_clip_name(clips[at])}" for at, caption in worst]
    return _sheet(data.dataset(clips), positions, captions)


def worst_blendshapes(data: ClipDataModule, worst: Sequence[tuple[int, str]]) -> Figure | None:
    """Draw the blendshapes of these validation clips over time; `None` without landmarks."""
    if data.landmark_spec is None:
        return None
    clips = data.subsets["val"]
    dataset = data.dataset(clips)
    blendshapes = torch.stack([dataset[position]["blendshapes"] for position, _ in worst])
    captions = [f"{caption}: {_clip_name(clips[at])}" for at, caption in worst]
    return blendshape_sheet(blendshapes.numpy(), BLENDSHAPES, captions)


def one_of_each(labels: Sequence[int], limit: int) -> list[int]:
    """Choose positions of clips of different classes, each from a later part of its class than the one before.

    Data sets list their clips in some order of people: the chosen ones are then of different people too.

    Args:
        labels: Labels of the clips.
        limit: With fewer classes there are several clips of each, with more some have none.

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
    dataset: Dataset[Sample], positions: Sequence[int], captions: Sequence[str]
) -> Figure | None:
    """Draw clips below each other; `None` where samples have features in place of frames, or no frames at all."""
    samples = [dataset[position] for position in positions]
    if not all(len(sample.get("frames", ())) for sample in samples):
        return None
    frames = torch.stack([sample["frames"] for sample in samples])  # (N, T, H, W, C)
    return contact_sheet(frames.numpy(), captions)


def _clip_name(clip: Clip) -> str:
    return clip.path.stem if clip.span_seconds is None else clip.take


def _draw(trainer: Trainer, tag: str, figure: Figure | None) -> None:
    if figure is None:
        return
    image = figure_to_image(figure)  # (H, W, C)
    for logger in trainer.loggers:
        log_image(logger, tag, image, last_step(trainer))
