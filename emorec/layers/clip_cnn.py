"""The small 3D network of the seed study of sound and sight."""

from itertools import pairwise

from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError
from emorec.image_size import Size, format_frames

CHANNELS = (3, 16, 32, 64, 128)

LEAST = (9, 45, 45)
"""Frames, height and width of which the last convolution still leaves something."""


class ClipCNN(nn.Module):
    """Four convolutions over time and picture, 256 features; 5,797,120 parameters for 20 frames of 60 x 100.

    Args:
        num_frames: T.
        image_size: Of the frames. Places of the last maps stay apart: clips of other sizes are for another network.

    Raises:
        UserError: When there would be nothing left of so few frames or so small ones.

    Source: The authors' code of Singh & Fang 2020 (arXiv:2006.08129). That the steps of the pools are 1, 2 and 2
    follows from the 21,504 numbers that its linear layer takes.
    """

    num_features = 256

    def __init__(self, num_frames: int, image_size: Size) -> None:
        super().__init__()
        if any(side < least for side, least in zip((num_frames, *image_size), LEAST, strict=True)):
            raise UserError(
                f"clip_cnn takes at least {format_frames(LEAST[0], LEAST[1:])}, not "
                f"{format_frames(num_frames, image_size)}"
            )
        layers: list[nn.Module] = []
        time, (height, width) = num_frames, image_size
        for before, after in pairwise(CHANNELS):
            layers += [nn.Conv3d(before, after, 3), nn.ReLU()]
            time, height, width = time - 2, height - 2, width - 2
            if after != CHANNELS[-1]:
                layers.append(nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2)))
                height, width = (height - 1) // 2, (width - 1) // 2
        self.features = nn.Sequential(*layers, nn.Flatten())
        inputs = CHANNELS[-1] * time * height * width
        self.linear = nn.Sequential(nn.Linear(inputs, self.num_features), nn.ReLU())

    @override
    def forward(self, clips: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, 256)."""
        features: Tensor = self.linear(self.features(clips))
        return features
