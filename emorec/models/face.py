"""Face networks for single frames or sequences: expressions (classes), or valence and arousal (numbers)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError
from emorec.image_size import Size
from emorec.layers.backbone import Backbone, Freeze, image_backbone
from emorec.layers.temporal import last_state, recurrent
from emorec.models.base import ClipNetwork
from emorec.models.classifier import ClipClassifier
from emorec.models.regressor import ClipRegressor

FaceRNN = Literal["none", "rnn", "gru", "lstm"]


class RecurrentStack(nn.Module):
    """Recurrent layers of different sizes; the last state of the last one.

    Args:
        num_features: D.
        kind: "rnn", "gru", "lstm", or "none" for the features of the last frame.
        hidden_sizes: Sizes of the states, first layer first.

    Raises:
        UserError: When a size is below 1, or a recurrent network has none.
    """

    def __init__(self, num_features: int, kind: FaceRNN, hidden_sizes: Sequence[int]) -> None:
        super().__init__()
        sizes = [num_features, *hidden_sizes] if kind != "none" else [num_features]
        if min(sizes) < 1 or (kind != "none" and not hidden_sizes):
            raise UserError(
                f"model.hidden_sizes is {list(hidden_sizes)}: rnn {kind} needs one or more, each above 0"
            )
        self.layers = nn.ModuleList(
            recurrent(kind, inputs, hidden) for inputs, hidden in pairwise(sizes) if kind != "none"
        )
        self.num_features = sizes[-1]

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Features (B, T, D) -> (B, H)."""
        for layer in self.layers:
            features, _ = layer(features)  # (B, T, H)
        return last_state(features)  # (B, H)


class FrameSequence(nn.Module):
    """An image network for every frame, recurrent layers, dropout, one linear layer.

    Args:
        num_outputs: K or R.
        backbone: An image network (see `image_backbone`), or "none" where clips come as features.
        weights: Of the backbone.
        freeze: Which part of the backbone is frozen.
        image_size: Of the frames.
        num_features: D of the features that come instead of frames; unused with a backbone.
        rnn: Kind of the recurrent layers.
        hidden_sizes: Their sizes.
        dropout: Before the last layer.

    Source: Rangulov & Fahim 2020, arXiv 2006.11168, section 3.
    """

    def __init__(
        self,
        num_outputs: int,
        *,
        backbone: str,
        weights: str,
        freeze: Freeze,
        image_size: Size,
        num_features: int,
        rnn: FaceRNN,
        hidden_sizes: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__()
        self.backbone: Backbone | None = None
        if backbone != "none":
            self.backbone = image_backbone(
                backbone, weights=weights, freeze=freeze, image_size=image_size
            )
            num_features = self.backbone.num_features
        self.num_features = num_features
        self.recurrent = RecurrentStack(num_features, rnn, hidden_sizes)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.recurrent.num_features, num_outputs)

    def frame_features(self, frames: Tensor) -> Tensor:
        """Normalised frames (B, T, 3, H, W) -> features (B, T, D).

        Raises:
            UserError: When there is no backbone.
        """
        if self.backbone is None:
            raise UserError(
                "model.backbone none takes features and the data has images: compute features with "
                "emorec features CKPT and name their folder with --data.features, or choose a backbone"
            )
        features: Tensor = self.backbone(frames.flatten(0, 1))  # (B*T, D)
        return features.view(*frames.shape[:2], -1)  # (B, T, D)

    @override
    def forward(self, clips: Tensor) -> Tensor:
        """Normalised frames (B, T, 3, H, W) or features (B, T, D) -> (B, num_outputs).

        Raises:
            UserError: When it is given features instead of frames or the reverse, or features of another size.
        """
        if not self.recurrent.layers:
            clips = clips[:, -1:]  # only the last frame counts
        if clips.ndim == 5:
            clips = self.frame_features(clips)  # (B, T, D)
        elif self.backbone is not None:
            raise UserError(
                "data.features gives features instead of images: choose --model.backbone none for them"
            )
        elif clips.shape[-1] != self.num_features:
            raise UserError(
                f"the features have {clips.shape[-1]} numbers and the network takes {self.num_features}: "
                f"set --model.num_features {clips.shape[-1]}"
            )
        output: Tensor = self.head(self.dropout(self.recurrent(clips)))  # (B, num_outputs)
        return output


class FaceNetwork(ClipNetwork):
    """Mixin: an image network for each frame, recurrent layers or none, one linear layer.

    It takes frames, or with backbone none the features of frames that another such network has computed.

    Args:
        backbone: "face_cnn" (grey, 96 pixels), an image network by its torchvision name, or "none".
        weights: "DEFAULT" for ImageNet's, "none", or the path of a state dict; with a checkpoint of a first stage with
            the same backbone both stages are trained end to end.
        freeze: "none", "all", or "stages" for all but the last quarter.
        num_features: D of the features, with backbone none.
        rnn: "none" for the last frame only; "rnn", "gru" or "lstm" for the sequence.
        hidden_sizes: Of the recurrent layers, first layer first.
        dropout: Before the last layer.
        training: See `ClipClassifier` or `ClipRegressor`, and `ClipNetwork`.

    Source: Rangulov & Fahim 2020, arXiv 2006.11168, section 3.
    """

    def __init__(
        self,
        *,
        backbone: str = "face_cnn",
        weights: str = "none",
        freeze: Freeze = "none",
        num_features: int = 300,
        rnn: FaceRNN = "none",
        hidden_sizes: tuple[int, ...] = (100, 100, 50),
        dropout: float = 0.5,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        self.network = FrameSequence(
            len(self.task.names),
            backbone=backbone,
            weights=weights,
            freeze=freeze,
            image_size=self.image_size,
            num_features=num_features,
            rnn=rnn,
            hidden_sizes=hidden_sizes,
            dropout=dropout,
        )

    @property
    @override
    def example_inputs(self) -> tuple[Tensor, ...]:
        if self.network.backbone is not None:
            return super().example_inputs
        return (torch.zeros(1, self.num_frames, self.network.num_features, device="meta"),)

    @property
    @override
    def cam_layer(self) -> nn.Module | None:
        return None if self.network.backbone is None else self.network.backbone.cam_layer

    @override
    def output(self, batch: Mapping[str, Any]) -> Tensor:
        output: Tensor = self(batch["features"] if "features" in batch else batch["frames"])
        return output

    @override
    def forward(self, clips: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 or features (B, T, D) -> logits (B, K) or numbers (B, R).

        Raises:
            ValueError: When they are not T frames of three channels.
            UserError: When the network is given features instead of frames or the reverse.
        """
        output: Tensor = self.network(self.normalized(clips) if clips.ndim == 5 else clips)
        return output

    def frame_features(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 -> features (B, T, D)."""
        return self.network.frame_features(self.normalized(frames))


class FaceClassifier(FaceNetwork, ClipClassifier):
    """Expression of a face: an image network for each frame, recurrent layers or none, one linear layer.

    Its arguments are those of `FaceNetwork`, `ClipClassifier` and `ClipNetwork`.

    Source: Rangulov & Fahim 2020, arXiv 2006.11168, section 3.
    """


class FaceRegressor(FaceNetwork, ClipRegressor):
    """Valence and arousal of a face: an image network for each frame, recurrent layers or none, one linear layer.

    Its arguments are those of `FaceNetwork`, `ClipRegressor` and `ClipNetwork`.

    Source: Rangulov & Fahim 2020, arXiv 2006.11168, section 3.
    """
