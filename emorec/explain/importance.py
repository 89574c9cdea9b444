"""Importance of frames and of spans of sound: how far the score drops without each of them."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emorec.explain.score import Score

Importance = npt.NDArray[np.float32]

SPAN_SECONDS = 0.2
"""Length of the spans of sound that are silenced: about a syllable."""


def frame_importance(score: Score, inputs: Mapping[str, Tensor]) -> Importance:
    """Return (T,): the drop of the score when a frame is replaced by the mean of all others; negative for a rise.

    The mean keeps the person, the light and the background, and removes what only this frame shows: its expression and
    any movement. It resembles the other frames, keeps their number and order, and in a still clip no frame matters.

    Raises:
        ValueError: When there is only one frame.
    """
    frames = inputs["frames"][0]  # (T, 3, H, W)
    num_frames = len(frames)
    if num_frames == 1:
        raise ValueError("a single frame can't be replaced by the mean of the others")
    total = frames.float().sum(dim=0)  # (3, H, W)

    def replaced() -> Iterator[Tensor]:
        for position in range(num_frames):
            variant = frames.clone()
            others = (total - frames[position].float()) / (num_frames - 1)
            variant[position] = others.round().to(frames.dtype)
            yield variant

    drops = score.of(inputs) - score.of_variants(inputs, "frames", replaced())
    importance: Importance = drops.cpu().numpy()
    return importance


def sound_importance(score: Score, inputs: Mapping[str, Tensor], seconds: float) -> Importance:
    """Return (M,): the drop of the score when a span of about 0.2 seconds is silenced."""
    sound = inputs["sound"][0]  # (samples,)
    edges = torch.linspace(0, len(sound), num_spans(seconds) + 1).round().long().tolist()

    def silenced() -> Iterator[Tensor]:
        for start, stop in pairwise(edges):
            variant = sound.clone()
            variant[start:stop] = 0
            yield variant

    drops = score.of(inputs) - score.of_variants(inputs, "sound", silenced())
    importance: Importance = drops.cpu().numpy()
    return importance


def num_spans(seconds: float) -> int:
    """Return M, the number of spans in a clip's sound, at least one.

    >>> num_spans(3.0), num_spans(0.05)
    (15, 1)
    """
    return max(1, round(seconds / SPAN_SECONDS))
