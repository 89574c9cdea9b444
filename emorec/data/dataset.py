"""A list of clips as a torch data set: pictures, transform, nothing else."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from emorec.data.clip import Clip
from emorec.data.sound.hearing import Heard, Hearing
from emorec.data.source import Source
from emorec.data.transform import ClipTransform


class Sample(TypedDict):
    """One clip as the network sees and hears it: frames (T, H, W, C) uint8, sound (samples,), label and position."""

    frames: Tensor
    label: int | Tensor
    index: int
    sound: NotRequired[Tensor]
    heard: NotRequired[bool]


class ClipDataset(Dataset[Sample]):
    """Clips by position, or by (epoch, position) where each epoch must be augmented anew.

    Args:
        clips: The clips.
        source: Gives the pictures of a clip.
        transform: What is done to them.
        seed: The run's seed; with the epoch and the position it decides what is drawn.
        hearing: Gives the sound of a clip, where it is wanted.
        vary_sound: Whether the sound is a little different in every epoch.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        source: Source,
        transform: ClipTransform,
        seed: int = 0,
        *,
        hearing: Hearing | None = None,
        vary_sound: bool = False,
    ) -> None:
        self.clips = clips
        self.source = source
        self.transform = transform
        self.seed = seed
        self.hearing = hearing
        self.vary_sound = vary_sound

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        clip = self.clips[index]
        frames = self.transform(self.source(clip), draw_seed(self.seed, epoch, index))
        # the memory is this sample's own
        seen = Sample(frames=torch.from_numpy(frames), label=label_of(clip), index=index)
        return cast("Sample", {**seen, **self.sound_of(index, epoch)})

    def sound_of(self, index: int, epoch: int) -> Heard:
        """The sound of a clip; empty where nobody listens."""
        if self.hearing is None:
            return Heard()
        return self.hearing(self.clips[index], (epoch, index) if self.vary_sound else None)


def label_of(clip: Clip) -> int | Tensor:
    """A class as it is, numbers as (R,) float32.

    >>> from pathlib import Path
    >>> label_of(Clip(path=Path("a.jpg"), label=(0.5, -1.0), actor="a", take="a"))
    tensor([ 0.5000, -1.0000])
    """
    if isinstance(clip.label, int):
        return clip.label
    return torch.tensor(clip.label, dtype=torch.float32)


def label_name(label: int | tuple[float, ...], class_names: Sequence[str]) -> str:
    """A class's name, or numbers as people read them.

    >>> label_name(1, ("calm", "sad")), label_name((0.126, -1.0), ())
    ('sad', '(0.13, -1.00)')
    """
    if isinstance(label, int):
        return class_names[label]
    return f"({', '.join(f'{value:.2f}' for value in label)})"


def draw_seed(seed: int, epoch: int, index: int) -> int:
    """32 bits that depend on all three and on nothing else.

    >>> draw_seed(0, 0, 1) != draw_seed(0, 1, 0) != draw_seed(1, 0, 0)
    True
    """
    return int(np.random.SeedSequence([seed, epoch, index]).generate_state(1)[0])
