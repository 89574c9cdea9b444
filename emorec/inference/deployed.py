"""A network as it is used and exported: from frames as they are decoded to probabilities."""

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.inference.facts import Facts
from emorec.layers.normalize import PixelStatistics
from emorec.models import AudioVisual, ClipNetwork


class Deployed(nn.Module):
    """A trained network with its normalization before it and its temperature and softmax behind it.

    It takes what `facts.inputs` names, in that order: frames (B, T, H, W, 3) uint8, sound (B, samples) float32, heard
    (B,) bool; and gives (B, K) probabilities or (B, R) numbers, float32.

    Args:
        network: The trained network.
        facts: What there is to know of it.
    """

    def __init__(self, network: ClipNetwork, facts: Facts) -> None:
        super().__init__()
        self.network = network
        self.frames_at = facts.inputs.index("frames") if facts.sees else None
        self.temperature = facts.temperature or 1.0
        self.says_classes = facts.says == "classes"
        self.eval().requires_grad_(False)

    @property
    def statistics(self) -> PixelStatistics:
        """What pixels are normalized with; of two senses, the eyes'."""
        network = self.network
        return network.video.statistics if isinstance(network, AudioVisual) else network.statistics

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        """The inputs -> (B, K) or (B, R)."""
        given = list(inputs)
        if self.frames_at is not None:
            # the memory stays (B, T, H, W, 3), as in training
            given[self.frames_at] = given[self.frames_at].permute(0, 1, 4, 2, 3)  # (B, T, 3, H, W)
        said: Tensor = self.network(*given)
        said = said.float()
        return (said / self.temperature).softmax(dim=1) if self.says_classes else said


def example_inputs(facts: Facts, batch: int = 1) -> tuple[Tensor, ...]:
    """Zeros of the shapes and types that a deployed network takes, for B windows."""
    shapes = {
        "frames": ((batch, facts.num_frames, *facts.image_size, 3), torch.uint8),
        "sound": ((batch, facts.sound_samples), torch.float32),
        "heard": ((batch,), torch.bool),
    }
    return tuple(torch.zeros(shapes[name][0], dtype=shapes[name][1]) for name in facts.inputs)
