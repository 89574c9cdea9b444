"""3D CNN: convolutions over time and space."""

from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from emorec.layers.backbone import Freeze, VideoBackbone, subtract_onset, video_backbone
from emorec.layers.pretrained import KINETICS
from emorec.models.classifier import ClipClassifier


class CNN3D(ClipClassifier):
    """A 3D network with a new head; 33,170,376 parameters with r3d_18 and K = 8.

    Args:
        backbone: "r3d_18", "mc3_18" or "r2plus1d_18"; "clip_cnn" is the small one of Singh & Fang 2020, which
            has no pretrained weights.
        weights: "DEFAULT" for Kinetics-400's, "none", or the path of a state dict.
        freeze: "none", "all", or "stages" for all but the last quarter.
        relative_to_onset: Whether the later frames are differences to the first, see `subtract_onset`.
        training: See `ClipClassifier`.

    Source: Tran et al. 2018, A Closer Look at Spatiotemporal Convolutions for Action Recognition, table 1.
    """

    statistics = KINETICS

    def __init__(
        self,
        *,
        backbone: VideoBackbone = "r3d_18",
        weights: str = "DEFAULT",
        freeze: Freeze = "none",
        relative_to_onset: bool = False,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        self.relative_to_onset = relative_to_onset
        self.backbone = video_backbone(
            backbone,
            weights=weights,
            freeze=freeze,
            num_frames=self.num_frames,
            image_size=self.image_size,
        )
        self.classifier = nn.Linear(self.backbone.num_features, self.num_classes)

    @property
    @override
    def cam_layer(self) -> nn.Module | None:
        return self.backbone.cam_layer

    @override
    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 -> logits (B, K).

        Raises:
            ValueError: When they are not T frames of three channels.
        """
        images = self.normalized(frames)  # (B, T, 3, H, W)
        if self.relative_to_onset:
            images = subtract_onset(images)
        features = self.backbone(images.transpose(1, 2))  # (B, D)
        logits: Tensor = self.classifier(features)  # (B, K)
        return logits
