"""How emorec's first study loaded its clips: JPEG files, opened one by one in the main process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from emorec.bench.speed import clips_per_second, one_thread, over_epochs
from emorec.data.clip import Clip
from emorec.data.preprocessing import ReadFrames
from emorec.image_size import Size
from emorec.layers.normalize import IMAGENET

STORED_SIDE = 224
"""Pixels a side of the files, whatever the networks then saw."""

JPEG_QUALITY = 95


class SeedClips(Dataset[tuple[Tensor, int]]):
    """Clips whose frames are JPEG files: each is opened, resized, cropped and flipped anew, and normalised.

    Args:
        folders: One a clip, see `write_jpegs`.
        size: Frames are resized to it.
        image_size: And cropped to it.
    """

    def __init__(self, folders: Sequence[Path], *, size: Size, image_size: Size) -> None:
        self.files = [sorted(folder.glob("*.jpg")) for folder in folders]
        self.transform = transforms.Compose(
            [
                transforms.Resize(size),
                transforms.RandomCrop(image_size),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(IMAGENET.mean, IMAGENET.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        frames = [self.transform(Image.open(file).convert("RGB")) for file in self.files[index]]
        return torch.stack(frames), index  # (T, C, H, W)


def write_jpegs(clips: Sequence[Clip], source: ReadFrames, root: Path) -> list[Path]:
    """A folder a clip with its T frames as JPEG files of 224 x 224 pixels.

    Args:
        clips: Which.
        source: Gives their pictures.
        root: The folder for the folders.
    """
    folders = []
    for number, clip in enumerate(clips):
        folder = root / f"{number:05d}"
        folder.mkdir(parents=True)
        for index, frame in enumerate(source(clip)):
            picture = cv2.resize(frame, (STORED_SIDE, STORED_SIDE), interpolation=cv2.INTER_AREA)
            Image.fromarray(picture).save(folder / f"{index:02d}.jpg", quality=JPEG_QUALITY)
        folders.append(folder)
    return folders


def main_process_speed(clips: SeedClips, batch_size: int, seconds: float) -> float:
    """How fast one core makes batches of them, as that study did: without workers."""
    loader: DataLoader[Any] = DataLoader(
        clips, batch_size=min(batch_size, len(clips)), shuffle=True
    )
    batches = over_epochs(loader)
    with one_thread():
        return clips_per_second(lambda: len(next(batches)[1]), seconds)
