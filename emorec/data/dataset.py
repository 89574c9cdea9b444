"""A list of clips as a torch data set: decode, transform, nothing else."""

from collections.abc import Sequence
from functools import partial
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from emorec.data.clip import Batch, Clip
from emorec.data.decode import decode
from emorec.data.sample import linspace_indices
from emorec.data.transform import ClipTransform


class Sample(TypedDict):
    """One clip as the network sees it: frames (T, H, W, C) uint8, its label and its position."""

    frames: Tensor
    label: int
    index: int


class ClipDataset(Dataset[Sample]):
    """Clips by position, or by (epoch, position) where each epoch must be augmented anew.

    Args:
        clips: The clips.
        num_frames: T, evenly spaced over the clip.
        transform: What is done to the frames.
        seed: The run's seed; with the epoch and the position it decides what is drawn.
    """

    def __init__(
        self, clips: Sequence[Clip], num_frames: int, transform: ClipTransform, seed: int = 0
    ) -> None:
        self.clips = clips
        self.transform = transform
        self.seed = seed
        self._sampler = partial(linspace_indices, num_frames=num_frames)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        clip = self.clips[index]
        decoded = decode(clip.path, self._sampler, clip.span_seconds)
        frames = self.transform(decoded.frames, draw_seed(self.seed, epoch, index))
        # decoding has put out what torch.from_numpy would share; the label is a class here
        return Sample(frames=torch.from_numpy(frames), label=int(clip.label), index=index)  # type: ignore[arg-type]


def draw_seed(seed: int, epoch: int, index: int) -> int:
    """32 bits that depend on all three and on nothing else.

    >>> draw_seed(0, 0, 1) != draw_seed(0, 1, 0) != draw_seed(1, 0, 0)
    True
    """
    return int(np.random.SeedSequence([seed, epoch, index]).generate_state(1)[0])


def collate(samples: Sequence[Sample]) -> Batch:
    """Samples become a batch: frames (B, T, C, H, W), a view of (B, T, H, W, C) memory, so nothing is copied twice."""
    batch = default_collate(list(samples))
    return Batch(
        frames=batch["frames"].permute(0, 1, 4, 2, 3),  # (B, T, C, H, W)
        label=batch["label"],
        index=batch["index"],
    )
