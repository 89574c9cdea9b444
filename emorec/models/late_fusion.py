"""Late fusion: an image network for each frame, features pooled over time."""

from typing import Any, Literal

from torch import Tensor, nn
from typing_extensions import override

from emorec.models.frame_classifier import FrameClassifier


class LateFusion(FrameClassifier):
    """An image network for every frame, pooling, one linear layer; 11,180,616 parameters with K = 8 and the mean.

    Args:
        fusion: "mean" or "max" of the features over time, or "concat", which keeps their order.
        frames_and_training: See `FrameClassifier` and `ClipClassifier`.

    Source: Karpathy et al. 2014, Large-scale Video Classification with CNNs, section 3.1 (late fusion).
    """

    def __init__(
        self,
        *,
        fusion: Literal["mean", "concat", "max"] = "mean",
        **frames_and_training: Any,
    ) -> None:
        super().__init__(**frames_and_training)
        self.fusion = fusion
        fused = self.backbone.num_features * (self.num_frames if fusion == "concat" else 1)
        self.classifier = nn.Linear(fused, self.num_classes)

    @override
    def classify(self, features: Tensor) -> Tensor:
        if self.fusion == "concat":
            fused = features.flatten(1)  # (B, T*D)
        elif self.fusion == "max":
            fused = features.amax(dim=1)  # (B, D)
        else:
            fused = features.mean(dim=1)  # (B, D)
        logits: Tensor = self.classifier(fused)  # (B, K)
        return logits
