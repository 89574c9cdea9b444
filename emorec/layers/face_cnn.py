"""The small network for grey faces of 96 pixels."""

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.layers.normalize import IMAGENET

LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue are. Source: ITU-R BT.601, section 2.5.1."""


class Grey(nn.Module):
    """Pictures that were normalised for ImageNet become grey ones of 0 to 1.

    So that this network is fed as all others are.

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
    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 1, H, W)."""
        return (pictures * self.weights).sum(dim=1, keepdim=True) + self.black


class FaceCNN(nn.Sequential):
    """Three convolutions over a grey face of 96 pixels, 300 features; 1,333,102 parameters.

    Source: Khorrami et al. 2016, How Deep Neural Networks Can Improve Emotion Recognition on Video Data, section 3, as
    in the authors' code of Rangulov & Fahim 2020 (arXiv 2006.11168), `simple_cnn_ccc_loss`.
    """

    image_size = 96
    num_features = 300

    def __init__(self) -> None:
        # as Keras does it, of which this is a copy: a new value of the running statistics counts 1 %
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
        # Keras' initialisation: torch's would begin with features a third as large
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.bias)
