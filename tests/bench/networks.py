"""A network and a data module with configurable delays."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import Trainer
from torch import Tensor, nn

from emorec.bench.training import endless_trainer
from emorec.data import RavdessDataModule
from emorec.data.preprocessing import ReadFrames
from emorec.models import ClipClassifier


def nothing() -> None:
    """Do nothing."""


class MeanColour(ClipClassifier):
    """A tiny network with a delay per clip."""

    def __init__(self, *, delay: Callable[[], None] = nothing, **training: Any) -> None:
        super().__init__(num_frames=2, image_size=16, **training)
        self.delay = delay
        self.head = nn.Linear(3, self.num_classes)

    def forward(self, frames: Tensor) -> Tensor:
        for _ in frames:
            self.delay()
        logits: Tensor = self.head(frames.float().mean(dim=(1, 3, 4)) / 255)
        return logits


class Delayed:
    """A frame source or transform that first calls a delay."""

    def __init__(self, before: Callable[[], None], inner: Any) -> None:
        self.before = before
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __call__(self, *arguments: Any) -> Any:
        self.before()
        return self.inner(*arguments)


class DelayedData(RavdessDataModule):
    """Synthetic clips with a delay per clip when reading or augmenting."""

    def __init__(
        self,
        root: str,
        *,
        read: Callable[[], None] = nothing,
        augment: Callable[[], None] = nothing,
        num_workers: int = 0,
        cache: str = "auto",
    ) -> None:
        super().__init__(
            root=root,
            num_frames=2,
            image_size=(16, 16),
            augment=True,
            batch_size=8,
            num_workers=num_workers,
            cache=cache,
        )
        self.on_read = read
        self.on_augment = augment

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if self.on_read is not nothing:
            source: ReadFrames = Delayed(self.on_read, self.read_frames)
            self.read_frames = source

    def dataset(self, clips: Any, **arguments: Any) -> Any:
        dataset = super().dataset(clips, **arguments)
        if self.on_augment is not nothing:
            dataset.transform = Delayed(self.on_augment, dataset.transform)
        return dataset


def endless_cpu_trainer() -> Trainer:
    """The trainer of `emorec bench`, on one CPU."""
    return endless_trainer(accelerator="cpu", devices=1)
