"""Small convolutional networks of published systems, trained from scratch."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError
from emorec.image_size import Size, format_frames
from emorec.layers.normalize import IMAGENET

LUMA = (0.299, 0.587, 0.114)
"""Luminance weights of red, green and blue. Source: ITU-R BT.601, section 2.5.1."""


class Grey(nn.Module):
    """Convert images normalised for ImageNet to grey levels of 0 to 1, so that this network takes the same input.

    >>> from emorec.layers.normalize import Normalize
    >>> Grey()(Normalize(IMAGENET)(torch.full((1, 3, 1, 1), 51, dtype=torch.uint8))).flatten()
    tensor([0.2000])
    """

    weights: Tensor
    black: Tensor

    def __init__(self) -> None:
        super().__init__()
        luma = torch.tensor(LUMA).view(3, 1, 1)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in IMAGENET)
        self.register_buffer("weights", luma * std, persistent=False)
        self.register_buffer("black", (luma * mean).sum(), persistent=False)

    @override
    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 1, H, W)."""
        return (images * self.weights).sum(dim=1, keepdim=True) + self.black


class FaceCNN(nn.Sequential):
    """Three convolutions over a grey face of 96 pixels, 300 features; 1,333,102 parameters.

    Source: Khorrami et al. 2016, How Deep Neural Networks Can Improve Emotion Recognition on Video Data, section 3, as
    in the authors' code of Rangulov & Fahim 2020 (arXiv 2006.11168), `simple_cnn_ccc_loss`.
    """

    image_size = 96
    num_features = 300

    def __init__(self) -> None:
        # eps and momentum are Keras' defaults, as in the original
        super().__init__(
            Grey(),  # (N, 1, 96, 96)
            nn.BatchNorm2d(1, eps=1e-3, momentum=0.01),
            nn.Conv2d(1, 64, 5, padding="same", bias=False),  # (N, 64, 96, 96)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (N, 64, 48, 48)
            nn.Conv2d(64, 128, 5, bias=False),  # (N, 128, 44, 44)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (N, 128, 22, 22)
            nn.Conv2d(128, 256, 5, bias=False),  # (N, 256, 18, 18)
            nn.ReLU(),
            nn.AvgPool2d(9),  # (N, 256, 2, 2)
            nn.Flatten(),  # (N, 1024)
            nn.Linear(1024, self.num_features),  # (N, 300)
        )
        # Keras' default initialisation: torch's starts with features a third as large
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.bias)


CLIP_CHANNELS = (3, 16, 32, 64, 128)

MIN_CLIP_SHAPE = (9, 45, 45)
"""Fewest frames, height and width that the last convolution leaves an output for."""


class ClipCNN(nn.Module):
    """Four 3D convolutions and a linear layer to 256 features; 5,797,120 parameters for 20 frames of 60 x 100.

    Args:
        num_frames: T.
        image_size: Of the frames. The last maps are flattened, not averaged, so the network is tied to this size.

    Raises:
        UserError: When the frames are too few or too small for the convolutions.

    Source: The authors' code of Singh & Fang 2020 (arXiv:2006.08129). Strides of 1, 2 and 2 of its pools are inferred
    from the 21,504 inputs of its linear layer.
    """

    num_features = 256

    def __init__(self, num_frames: int, image_size: Size) -> None:
        super().__init__()
        if any(
            side < least
            for side, least in zip((num_frames, *image_size), MIN_CLIP_SHAPE, strict=True)
        ):
            raise UserError(
                f"clip_cnn takes at least {format_frames(MIN_CLIP_SHAPE[0], MIN_CLIP_SHAPE[1:])}, not "
                f"{format_frames(num_frames, image_size)}"
            )
        layers: list[nn.Module] = []
        time, (height, width) = num_frames, image_size
        for inputs, outputs in pairwise(CLIP_CHANNELS):
            layers += [nn.Conv3d(inputs, outputs, 3), nn.ReLU()]
            time, height, width = time - 2, height - 2, width - 2
            if outputs != CLIP_CHANNELS[-1]:
                layers.append(nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2)))
                height, width = (height - 1) // 2, (width - 1) // 2
        self.features = nn.Sequential(*layers, nn.Flatten())
        flattened = CLIP_CHANNELS[-1] * time * height * width
        self.linear = nn.Sequential(nn.Linear(flattened, self.num_features), nn.ReLU())

    @override
    def forward(self, clips: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, 256)."""
        features: Tensor = self.linear(self.features(clips))
        return features
