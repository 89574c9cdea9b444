"""Early fusion: a plain CNN over all frames stacked as channels."""

from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError
from emorec.layers.backbone import Inflate, inflate_frames, subtract_onset
from emorec.models.classifier import ClipClassifier

CHANNELS = (3, 64, 128, 256, 512)


class EarlyFusionCNN(ClipClassifier):
    """Four convolutions over the stacked frames, trained from scratch.

    Args:
        num_strided: How many of the four convolutions, from the first one, halve height and width.
        grid: The maps are averaged to so many cells a side. With 1 the network knows what it saw, but not where; in
            aligned faces each cell is a part of the face.
        inflate: Initialisation of the first convolution: "mean" starts with the same filters for all frames, divided by
            T, or "random".
        relative_to_onset: Whether the later frames are differences to the first, see `subtract_onset`.
        dropout: Before the last layer.
        training: See `ClipClassifier`.

    Raises:
        UserError: When `num_strided` is not 0 to 4, or `grid` below 1.

    Source: Karpathy et al. 2014, Large-scale Video Classification with CNNs, section 3.1 (early fusion); Carreira &
    Zisserman 2017, Quo Vadis, section 2.4 (inflation).
    """

    def __init__(
        self,
        *,
        num_strided: int = 2,
        grid: int = 1,
        inflate: Inflate = "random",
        relative_to_onset: bool = False,
        dropout: float = 0.5,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        if not 0 <= num_strided < len(CHANNELS) or grid < 1:
            raise UserError(
                f"num_strided {num_strided} has to be 0 to 4, and grid {grid} at least 1"
            )
        first, *others = [
            nn.Conv2d(
                inputs, outputs, 3, stride=2 if number < num_strided else 1, padding=1, bias=False
            )
            for number, (inputs, outputs) in enumerate(pairwise(CHANNELS))
        ]
        convs = [inflate_frames(first, self.num_frames, inflate), *others]
        self.features = nn.Sequential(
            *map(_normalized, convs), nn.AdaptiveAvgPool2d(grid), nn.Flatten()
        )
        self.relative_to_onset = relative_to_onset
        self.classifier = nn.Sequential(
            nn.Linear(CHANNELS[-1] * grid**2, 1024),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(1024, self.num_classes),
        )

    @property
    @override
    def cam_layer(self) -> nn.Module | None:
        return self.features[3]

    @override
    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 -> logits (B, K).

        Raises:
            ValueError: When they are not T frames of three channels.
        """
        images = self.normalized(frames)  # (B, T, 3, H, W)
        if self.relative_to_onset:
            images = subtract_onset(images)
        stacked = images.flatten(1, 2)  # (B, 3T, H, W)
        features = self.features(stacked)  # (B, 512 * grid * grid)
        logits: Tensor = self.classifier(features)  # (B, K)
        return logits


def _normalized(conv: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU(inplace=True))
