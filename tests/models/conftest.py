"""Random clips and a data module of random clips."""

from typing import Any

import pytest
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

torch.set_num_threads(1)


def random_frames(clips: int, num_frames: int, image_size: int, *, seed: int = 0) -> Tensor:
    """(B, T, 3, H, W) uint8 noise with memory layout (B, T, H, W, 3), as from the loader."""
    shape = (clips, num_frames, image_size, image_size, 3)
    noise = torch.randint(
        0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )
    return noise.permute(0, 1, 4, 2, 3)


class NoiseDataModule(LightningDataModule):
    """Data module of noise clips with random labels in a fixed order.

    Args:
        clips: Of each side.
        class_weights: As a data module of ours would offer them.
    """

    def __init__(
        self,
        clips: int = 8,
        *,
        num_frames: int = 2,
        image_size: int = 16,
        num_classes: int = 8,
        batch_size: int = 4,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.shape = (clips, num_frames, image_size)
        self.num_classes = num_classes
        self.batch_size = batch_size
        self.class_weights = class_weights

    def clips(self, seed: int) -> list[dict[str, Tensor]]:
        frames = random_frames(*self.shape, seed=seed)
        generator = torch.Generator().manual_seed(seed)
        labels = torch.randint(self.num_classes, (len(frames),), generator=generator)
        return [
            {"frames": clip, "label": label, "index": torch.tensor(index)}
            for index, (clip, label) in enumerate(zip(frames, labels, strict=True))
        ]

    def loader(self, seed: int) -> DataLoader[Any]:
        clips: Any = self.clips(seed)
        return DataLoader(clips, batch_size=self.batch_size)

    def train_dataloader(self) -> DataLoader[Any]:
        return self.loader(1)

    def val_dataloader(self) -> DataLoader[Any]:
        return self.loader(2)

    def test_dataloader(self) -> DataLoader[Any]:
        return self.loader(3)

    def predict_dataloader(self) -> DataLoader[Any]:
        return self.loader(4)


@pytest.fixture
def make_frames() -> Any:
    """See `random_frames`."""
    return random_frames


@pytest.fixture
def make_data() -> type[NoiseDataModule]:
    """See `NoiseDataModule`."""
    return NoiseDataModule
