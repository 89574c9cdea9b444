"""How rarer classes are made to count as much as the others."""

from collections import Counter
from collections.abc import Sequence

import torch

from emorec.data.clip import Clip


def loss_weights(clips: Sequence[Clip], num_classes: int) -> torch.Tensor:
    """(K,) weights of the loss, inversely as frequent as the classes, mean 1 over the clips.

    Args:
        clips: Labelled with classes.
        num_classes: K.
    """
    counts = Counter(clip.label for clip in clips)
    numbers = torch.tensor([counts[label] for label in range(num_classes)], dtype=torch.float32)
    return numbers.sum() / (numbers.clamp(min=1) * (numbers > 0).sum())


def draw_weights(clips: Sequence[Clip]) -> list[float]:
    """How often each clip is to be drawn, so that every class is drawn as often as any other."""
    counts = Counter(clip.label for clip in clips)
    return [1 / counts[clip.label] for clip in clips]
