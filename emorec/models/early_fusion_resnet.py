"""Early fusion: a pretrained ResNet over all frames stacked as channels."""

from typing import Any, Literal

from torch import Tensor, nn
from typing_extensions import override

from emorec.layers.backbone import Freeze, Inflate, image_backbone, inflate_frames, subtract_onset
from emorec.models.classifier import ClipClassifier


class EarlyFusionResNet(ClipClassifier):
    """A ResNet whose first convolution takes 3T channels; 11,265,288 parameters with T = 10 and K = 8.

    Args:
        backbone: A ResNet by its torchvision name.
        weights: "DEFAULT" for ImageNet's, "none", or the path of a state dict.
        freeze: "none", "all", or "stages" for all but the last quarter; the first convolution is always trained.
        inflate: Initialisation of the first convolution: "mean" of the pretrained filters over the frames, or "random".
        relative_to_onset: Whether the later frames are differences to the first, see `subtract_onset`.
        training: See `ClipClassifier`.

    Source: He et al. 2016, Deep Residual Learning for Image Recognition, table 1; Karpathy et al. 2014, Large-scale
    Video Classification with CNNs, section 3.1 (early fusion); Carreira & Zisserman 2017, Quo Vadis, section 2.4
    (inflation).
    """

    def __init__(
        self,
        *,
        backbone: Literal[
            "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"
        ] = "resnet18",
        weights: str = "DEFAULT",
        freeze: Freeze = "none",
        inflate: Inflate = "mean",
        relative_to_onset: bool = False,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        self.relative_to_onset = relative_to_onset
        self.backbone = image_backbone(
            backbone, weights=weights, freeze=freeze, image_size=self.image_size
        )
        conv = self.backbone.network.get_submodule("conv1")
        assert isinstance(conv, nn.Conv2d)
        inflated = inflate_frames(conv, self.num_frames, inflate)
        self.backbone.network.set_submodule("conv1", inflated)
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
        stacked = images.flatten(1, 2)  # (B, 3T, H, W)
        features = self.backbone(stacked)  # (B, D)
        logits: Tensor = self.classifier(features)  # (B, K)
        return logits
