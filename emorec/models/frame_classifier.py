"""What the networks share that look at each frame by itself: an image network, and features that are computed once."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.layers.backbone import image_backbone
from emorec.layers.freeze import Freeze
from emorec.models.base import ClipClassifier

MOST_KEPT_BYTES = 2_000_000_000
"""Of features in the device's memory; RAVDESS takes 30 MB with ten frames of a ResNet-18."""


class FrameClassifier(ClipClassifier):
    """One image network for every frame; a subclass puts what was seen together in `classify`.

    Clips that look the same in every epoch (`data.augment: false`) go through a network that learns nothing
    (`freeze: all`) once in a run: their features are kept, and later epochs train the rest alone.

    Args:
        backbone: An image network by its torchvision name.
        weights: "DEFAULT" for ImageNet's, "none", or the path of a state dict.
        freeze: "none", "all", or "stages" for all but the last quarter.
        training: See `ClipClassifier`.
    """

    def __init__(
        self,
        *,
        backbone: str = "resnet18",
        weights: str = "DEFAULT",
        freeze: Freeze = "none",
        **training: Any,
    ) -> None:
        super().__init__(**training)
        self.backbone = image_backbone(
            backbone, weights=weights, freeze=freeze, image_size=self.image_size
        )
        self.freeze_backbone = freeze
        self._kept: dict[tuple[bool, int], Tensor] = {}
        self._kept_bytes = 0

    @property
    @override
    def last_maps(self) -> nn.Module | None:
        return self.backbone.last_maps

    @abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Features (B, T, D) of the frames -> logits (B, K)."""
        raise NotImplementedError

    @override
    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 -> logits (B, K).

        Raises:
            ValueError: When there are other than T frames of three channels.
        """
        return self.classify(self.frame_features(frames))

    def frame_features(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 -> features (B, T, D)."""
        pictures = self.normalized(frames).flatten(0, 1)  # (B*T, 3, H, W)
        features = self.backbone(pictures)  # (B*T, D)
        per_clip: Tensor = features.unflatten(0, (-1, self.num_frames))  # (B, T, D)
        return per_clip

    @override
    def logits_of(self, batch: Mapping[str, Any]) -> Tensor:
        if not self._sees_the_same_again():
            return super().logits_of(batch)
        return self.classify(self._features_once(batch["frames"], batch["index"].tolist()))

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        self._kept.clear()
        self._kept_bytes = 0

    def _sees_the_same_again(self) -> bool:
        """Whether the frozen part of the network gets the same pixels of a clip in every epoch of a training."""
        if self.freeze_backbone != "all" or self.trainer.state.fn != "fit":
            return False
        # a data module of somebody else's may vary its clips without saying so
        varied = getattr(getattr(self.trainer, "datamodule", None), "augment", True)
        return not self.training or varied is False

    @torch.no_grad()
    def _features_once(self, frames: Tensor, clips: list[int]) -> Tensor:
        """(B, T, D); a clip that is not known yet goes through the network alone.

        Beside other clips its features would differ in the last bit, and a run that goes on after a stop, which meets
        its clips in another order, would not end as an undisturbed one.
        """
        features = []
        for number, clip in enumerate(clips):
            key = self.training, clip  # positions in the training set and in the validation set
            known = self._kept.get(key)
            if known is None:
                known = self.frame_features(frames[number : number + 1])  # (1, T, D)
                size = known.numel() * known.element_size()
                if self._kept_bytes + size <= MOST_KEPT_BYTES:
                    self._kept[key] = known
                    self._kept_bytes += size
            features.append(known)
        return torch.cat(features)
