"""A network whose weights are numbers of 16 bits: half the size, and faster on GPUs."""

from torch import Tensor, nn
from typing_extensions import override

from emorec.layers.normalize import Normalize
from emorec.layers.spectrogram import Spectrogram

EXACT = (Normalize, Spectrogram)
"""Stay at 32 bits: a window's loudness goes below what 16 bits can tell, and brightness comes in 256 steps."""


class ThenHalf(nn.Module):
    """A layer of 32 bits whose result goes on at 16."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    @override
    def forward(self, pixels: Tensor) -> Tensor:
        """What the layer takes -> what it gives, float16."""
        given: Tensor = self.layer(pixels)
        return given.half()


def halve(network: nn.Module) -> None:
    """Makes a network compute at 16 bits, from the pixels' normalization and the spectrogram on; it is changed.

    >>> import torch
    >>> from emorec.layers.normalize import IMAGENET
    >>> network = nn.Sequential(Normalize(IMAGENET), nn.Conv2d(3, 2, 1))
    >>> halve(network)
    >>> network(torch.zeros(1, 3, 4, 4, dtype=torch.uint8)).dtype, network[1].weight.dtype
    (torch.float16, torch.float16)
    """
    exact = {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, EXACT)
    }
    for name in exact:
        network.set_submodule(name, nn.Identity())
    network.half()
    for name, layer in exact.items():
        network.set_submodule(name, ThenHalf(layer))
