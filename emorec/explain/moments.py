"""When a network looked: how much the score falls without each frame, or without each moment of the sound."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emorec.explain.score import Score

Importance = npt.NDArray[np.float32]

MOMENT_SECONDS = 0.2
"""Of sound that are silent at a time: about a syllable."""


def frame_importance(score: Score, given: Mapping[str, Tensor]) -> Importance:
    """(T,): how much the score falls when a frame's place is taken by the mean of all others; below 0 it rises.

    The mean keeps person, light and place, and has nothing that this frame alone shows: neither its expression nor a
    movement. It is a picture like the others to a network that sees each frame by itself, it leaves those that count
    frames or their order as many as they know, and of a still clip no frame matters. Grey would be news to all of them.

    Raises:
        ValueError: When there is one frame: nothing could take its place.
    """
    frames = given["frames"][0]  # (T, 3, H, W)
    num_frames = len(frames)
    if num_frames == 1:
        raise ValueError("one frame matters as much as the clip")
    total = frames.float().sum(dim=0)  # (3, H, W)

    def without() -> Iterator[Tensor]:
        for frame in range(num_frames):
            variant = frames.clone()
            others = (total - frames[frame].float()) / (num_frames - 1)
            variant[frame] = others.round().to(frames.dtype)
            yield variant

    falls = score.of(given) - score.of_each(given, "frames", without())
    importance: Importance = falls.cpu().numpy()
    return importance


def sound_importance(score: Score, given: Mapping[str, Tensor], seconds: float) -> Importance:
    """(M,): how much the score falls when a moment of the sound is silent; M moments of about 0.2 seconds."""
    sound = given["sound"][0]  # (samples,)
    moments = moments_in(seconds)
    edges = torch.linspace(0, len(sound), moments + 1).round().long().tolist()

    def without() -> Iterator[Tensor]:
        for start, stop in pairwise(edges):
            variant = sound.clone()
            variant[start:stop] = 0
            yield variant

    falls = score.of(given) - score.of_each(given, "sound", without())
    importance: Importance = falls.cpu().numpy()
    return importance


def moments_in(seconds: float) -> int:
    """M, at least one.

    >>> moments_in(3.0), moments_in(0.05)
    (15, 1)
    """
    return max(1, round(seconds / MOMENT_SECONDS))
