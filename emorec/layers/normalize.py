"""Normalisation of pixels on the device."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override


class PixelStatistics(NamedTuple):
    """Mean and standard deviation of red, green and blue, on a scale of 0 to 1."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = PixelStatistics(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""Source: torchvision, `ResNet18_Weights.DEFAULT.transforms()`."""

KINETICS = PixelStatistics(mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989))
"""Source: torchvision, `R3D_18_Weights.DEFAULT.transforms()`."""


class Normalize(nn.Module):
    """Normalise RGB values of 0 to 255 by channel.

    Part of the network, so that uint8 is copied to the device: a quarter of the transfer.

    Args:
        statistics: Those of the images that the weights were trained on.

    >>> Normalize(IMAGENET)(torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)).flatten()
    tensor([2.2489, 2.4286, 2.6400])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, statistics: PixelStatistics) -> None:
        super().__init__()
        mean, std = (255 * torch.tensor(values).view(3, 1, 1) for values in statistics)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    @override
    def forward(self, pixels: Tensor) -> Tensor:
        """(..., 3, H, W) uint8 or float of 0 to 255 -> the same shape and strides, float."""
        return (pixels - self.mean) / self.std
