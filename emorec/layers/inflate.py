"""A convolution over one picture becomes one over a stack of frames."""

from typing import Literal

import torch
from torch import nn

Inflate = Literal["random", "mean"]
"""Draw the new filters, or spread the pretrained ones over the frames."""


def inflate_frames(conv: nn.Conv2d, num_frames: int, how: Inflate) -> nn.Conv2d:
    """The convolution for T frames whose channels are stacked, frame after frame.

    With "mean" each frame gets the filter divided by T: a clip that stands still gives what its picture gave before.

    Args:
        conv: Takes C channels.
        num_frames: T.
        how: "mean", or "random" for torchvision's own first draw (He et al. 2015, Delving Deep into Rectifiers).

    >>> conv = inflate_frames(nn.Conv2d(3, 8, 7), num_frames=10, how="mean")
    >>> conv.weight.shape
    torch.Size([8, 30, 7, 7])
    """
    inflated = nn.Conv2d(
        num_frames * conv.in_channels,
        conv.out_channels,
        kernel_size=conv.kernel_size,  # type: ignore[arg-type]
        stride=conv.stride,  # type: ignore[arg-type]
        padding=conv.padding,  # type: ignore[arg-type]
        bias=conv.bias is not None,
    )
    with torch.no_grad():
        if how == "mean":
            inflated.weight.copy_(conv.weight.repeat(1, num_frames, 1, 1) / num_frames)
        else:
            nn.init.kaiming_normal_(inflated.weight, mode="fan_out", nonlinearity="relu")
        if inflated.bias is not None and conv.bias is not None:
            inflated.bias.copy_(conv.bias)
    return inflated
