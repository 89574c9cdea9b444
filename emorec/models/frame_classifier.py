"""An image network shared by all frames: the base class of such classifiers, and late fusion."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError
from emorec.layers.backbone import (
    Freeze,
    add_stochastic_depth,
    decayed_groups,
    image_backbone,
)
from emorec.models.classifier import ClipClassifier

MAX_CACHED_BYTES = 2_000_000_000
"""Of features on the device; those of RAVDESS take 30 MB with ten frames and a ResNet-18."""


class FrameClassifier(ClipClassifier):
    """One image network for every frame; a subclass classifies the sequence of features in `classify`.

    With a frozen backbone (`freeze: all`) and clips that are the same in every epoch (`data.augment: false`), the
    features of a clip are computed once a run and kept; later epochs train the remaining layers only.

    Args:
        backbone: An image network by its torchvision name.
        weights: "DEFAULT" for ImageNet's, "none", or the path of a state dict.
        freeze: "none", "all", or "stages" for all but the last quarter.
        layer_decay: Factor of the learning rate from each stage of the backbone to the one before it; 1 trains all
            alike. Source: Clark et al. 2020, ELECTRA, table 8.
        stochastic_depth: Share of training images for which the last residual block is skipped; it grows linearly from
            0 at the first block. Source: Huang et al. 2016, Deep Networks with Stochastic Depth, section 3.
        relative_to_onset: Append to the features of each frame their difference to those of the first frame, so that
            what a person always looks like can be told from what changes.
        training: See `ClipClassifier`.

    Attributes:
        num_features: D, of a frame.
    """

    def __init__(
        self,
        *,
        backbone: str = "resnet18",
        weights: str = "DEFAULT",
        freeze: Freeze = "none",
        layer_decay: float = 1.0,
        stochastic_depth: float = 0.0,
        relative_to_onset: bool = False,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        if not (0 < layer_decay <= 1 and 0 <= stochastic_depth < 1):
            raise UserError(
                f"model.layer_decay {layer_decay:g} has to be above 0 and at most 1, model.stochastic_depth "
                f"{stochastic_depth:g} from 0 to below 1"
            )
        self.backbone = image_backbone(
            backbone, weights=weights, freeze=freeze, image_size=self.image_size
        )
        if stochastic_depth:
            add_stochastic_depth(self.backbone.network, stochastic_depth)
        self.layer_decay = layer_decay
        self.relative_to_onset = relative_to_onset
        self.num_features = self.backbone.num_features * (2 if relative_to_onset else 1)
        self.freeze_backbone = freeze
        self._cached: dict[tuple[bool, int], Tensor] = {}
        self._cached_bytes = 0

    @property
    @override
    def cam_layer(self) -> nn.Module | None:
        return self.backbone.cam_layer

    @abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Features (B, T, D) of the frames -> logits (B, K)."""

    @override
    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 -> logits (B, K).

        Raises:
            ValueError: When they are not T frames of three channels.
        """
        return self.classify(self.frame_features(frames))

    def frame_features(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 -> features (B, T, D)."""
        images = self.normalized(frames).flatten(0, 1)  # (B*T, 3, H, W)
        features = self.backbone(images)  # (B*T, D)
        per_clip: Tensor = features.unflatten(0, (-1, self.num_frames))  # (B, T, D)
        if self.relative_to_onset:
            return torch.cat([per_clip, per_clip - per_clip[:, :1]], dim=2)
        return per_clip

    @override
    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the trained parameters, those of each stage of the backbone with its own learning rate."""
        if self.layer_decay == 1:
            return super().parameter_groups()
        return decayed_groups(self, self.backbone.network, lr=self.lr, decay=self.layer_decay)

    @override
    def output(self, batch: Mapping[str, Any]) -> Tensor:
        if not self._features_are_constant():
            return super().output(batch)
        return self.classify(self._cached_features(batch["frames"], batch["index"].tolist()))

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        self._cached.clear()
        self._cached_bytes = 0

    def _features_are_constant(self) -> bool:
        """Whether the features of a clip are the same in every epoch of this training."""
        if self.freeze_backbone != "all" or self.trainer.state.fn != "fit":
            return False
        # a data module without the attribute may augment its clips
        augmented = getattr(getattr(self.trainer, "datamodule", None), "augment", True)
        return not self.training or (augmented is False and not (self.mixup or self.cutmix))

    @torch.no_grad()
    def _cached_features(self, frames: Tensor, clips: list[int]) -> Tensor:
        """Return features (B, T, D); a clip that is not cached goes through the network alone.

        In a batch with others its features would differ in the last bit, and a resumed run, which meets its clips in
        another order, would end differently from an uninterrupted one.
        """
        features = []
        for row, clip in enumerate(clips):
            key = self.training, clip  # positions in the training set and in the validation set
            cached = self._cached.get(key)
            if cached is None:
                cached = self.frame_features(frames[row : row + 1])  # (1, T, D)
                size = cached.numel() * cached.element_size()
                if self._cached_bytes + size <= MAX_CACHED_BYTES:
                    self._cached[key] = cached
                    self._cached_bytes += size
            features.append(cached)
        return torch.cat(features)  # (B, T, D)


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
        fused = self.num_features * (self.num_frames if fusion == "concat" else 1)
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
