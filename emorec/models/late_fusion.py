"""Each frame is seen by itself; what was seen is then put together without regard to time."""

from typing import Any, Literal

from torch import Tensor, nn
from typing_extensions import override

from emorec.layers.backbone import image_backbone
from emorec.layers.freeze import Freeze
from emorec.models.base import ClipClassifier


class LateFusion(ClipClassifier):
    """One image network for every frame, then one linear layer; 11,180,616 parameters with K = 8 and the mean.

    Args:
        backbone: An image network by its torchvision name.
        weights: "DEFAULT" for ImageNet's, "none", or the path of a state dict.
        freeze: "none", "all", or "stages" for all but the last quarter.
        fusion: "mean" or "max" of the frames' features, or "concat", which alone keeps their order.
        training: See `ClipClassifier`.

    Source: Karpathy et al. 2014, Large-scale Video Classification with CNNs, section 3.1 (late fusion).
    """

    def __init__(
        self,
        *,
        backbone: str = "resnet18",
        weights: str = "DEFAULT",
        freeze: Freeze = "none",
        fusion: Literal["mean", "concat", "max"] = "mean",
        **training: Any,
    ) -> None:
        super().__init__(**training)
        self.backbone = image_backbone(
            backbone, weights=weights, freeze=freeze, image_size=self.image_size
        )
        self.fusion = fusion
        fused = self.backbone.num_features * (self.num_frames if fusion == "concat" else 1)
        self.classifier = nn.Linear(fused, self.num_classes)

    @override
    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 -> logits (B, K).

        Raises:
            ValueError: When there are other than T frames of three channels.
        """
        pictures = self.normalized(frames).flatten(0, 1)  # (B*T, 3, H, W)
        features = self.backbone(pictures)  # (B*T, D)
        features = features.unflatten(0, (-1, self.num_frames))  # (B, T, D)
        if self.fusion == "concat":
            fused = features.flatten(1)  # (B, T*D)
        elif self.fusion == "max":
            fused = features.amax(dim=1)  # (B, D)
        else:
            fused = features.mean(dim=1)  # (B, D)
        logits: Tensor = self.classifier(fused)  # (B, K)
        return logits
