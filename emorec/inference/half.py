"""A network whose weights are numbers of 16 bits: half the size, and faster on GPUs."""

from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from emorec.layers.normalize import Normalize
from emorec.layers.spectrogram import Spectrogram

EXACT = (Normalize, Spectrogram, nn.RNNBase)
"""Stay at 32 bits: a sound's power goes below what 16 bits can tell, brightness comes in steps, and ONNX Runtime has
recurrent layers of 32 bits alone on a CPU (its version 1.31 crashes on some of 16)."""


class Exact(nn.Module):
    """A layer of 32 bits within a network of 16.

    Args:
        layer: Takes one tensor.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    @override
    def forward(self, given: Tensor) -> Any:
        """What the layer takes -> what it gives, float16."""
        return _halved(self.layer(given.float()))


def halve(network: nn.Module) -> None:
    """Makes a network compute at 16 bits, all but what has to be `EXACT`; it is changed.

    >>> import torch
    >>> from emorec.layers.normalize import IMAGENET
    >>> network = nn.Sequential(Normalize(IMAGENET), nn.Conv2d(3, 2, 1))
    >>> halve(network)
    >>> network(torch.zeros(1, 3, 4, 4, dtype=torch.uint8)).dtype, network[1].weight.dtype
    (torch.float16, torch.float16)
    """
    exact = {name: layer for name, layer in network.named_modules() if isinstance(layer, EXACT)}
    for name in exact:
        network.set_submodule(name, nn.Identity())
    network.half()
    for name, layer in exact.items():
        network.set_submodule(name, Exact(layer))


def _halved(given: Any) -> Any:
    """A tensor, or a tuple of them or of more tuples, at 16 bits."""
    return tuple(map(_halved, given)) if isinstance(given, tuple) else given.half()
