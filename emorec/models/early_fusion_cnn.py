"""Early fusion: a plain CNN over all frames stacked as channels."""

from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from emorec.models.classifier import ClipClassifier


class EarlyFusionCNN(ClipClassifier):
    """Four convolutions over the stacked frames, trained from scratch.

    Args:
        dropout: Before the last layer.
        training: See `ClipClassifier`.

    Source: Karpathy et al. 2014, Large-scale Video Classification with CNNs, section 3.1 (early fusion).
    """

    def __init__(self, *, dropout: float = 0.5, **training: Any) -> None:
        super().__init__(**training)
        self.features = nn.Sequential(
            _conv(3 * self.num_frames, 64, stride=2),
            _conv(64, 128, stride=2),
            _conv(128, 256),
            _conv(256, 512),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.classifier = nn.Sequential(
            nn.Linear(512, 1024),
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
        stacked = self.normalized(frames).flatten(1, 2)  # (B, 3T, H, W)
        features = self.features(stacked)  # (B, 512)
        logits: Tensor = self.classifier(features)  # (B, K)
        return logits


def _conv(channels: int, filters: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, filters, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(filters),
        nn.ReLU(inplace=True),
    )
