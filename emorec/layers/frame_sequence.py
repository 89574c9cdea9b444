"""A face a frame, or the features of one, in their order: what is said of the frame that a window leads to."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError
from emorec.image_size import Size
from emorec.layers.backbone import Backbone, image_backbone
from emorec.layers.freeze import Freeze

Rnn = Literal["none", "rnn", "gru", "lstm"]

_KINDS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(nn.Module):
    """Recurrent layers of any sizes one above the other; the last state of the last one.

    Args:
        num_features: D.
        kind: "rnn", "gru", "lstm", or "none" for the features of the last frame themselves.
        hidden_sizes: Of the layers' states, the lowest first.
    """

    def __init__(self, num_features: int, kind: Rnn, hidden_sizes: Sequence[int]) -> None:
        super().__init__()
        sizes = [num_features, *hidden_sizes] if kind != "none" else [num_features]
        if min(sizes) < 1 or (kind != "none" and not hidden_sizes):
            raise UserError(
                f"model.hidden_sizes is {list(hidden_sizes)}: rnn {kind} needs one or more, each above 0"
            )
        self.layers = nn.ModuleList(
            _KINDS[kind](below, above, batch_first=True) for below, above in pairwise(sizes)
        )
        self.num_features = sizes[-1]

    @override
    def forward(self, features: Tensor) -> Tensor:
        """(B, T, D) -> (B, H)."""
        for layer in self.layers:
            features, _ = layer(features)  # (B, T, H)
        return features[:, -1]  # (B, H)


class FrameSequence(nn.Module):
    """An image network for every frame, recurrent layers over time, dropout, one linear layer.

    Args:
        num_outputs: Numbers that are said of a clip.
        backbone: An image network (see `image_backbone`), or "none" where clips come as features.
        weights: Of the backbone.
        freeze: What of the backbone does not learn.
        image_size: Of the frames.
        num_features: D of the features that come in place of frames; unused with a backbone.
        rnn: What follows them through time.
        hidden_sizes: Of its layers.
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
        rnn: Rnn,
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
        self.recurrent = Recurrent(num_features, rnn, hidden_sizes)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.recurrent.num_features, num_outputs)

    def frame_features(self, frames: Tensor) -> Tensor:
        """Normalised frames (B, T, 3, H, W) -> features (B, T, D).

        Raises:
            UserError: When there is no network for pictures.
        """
        if self.backbone is None:
            raise UserError(
                "model.backbone none takes features and the data has pictures: compute features with "
                "emorec features CKPT and name their folder with --data.features, or choose a backbone"
            )
        features: Tensor = self.backbone(frames.flatten(0, 1))  # (B*T, D)
        return features.view(*frames.shape[:2], -1)  # (B, T, D)

    @override
    def forward(self, clips: Tensor) -> Tensor:
        """Normalised frames (B, T, 3, H, W) or features (B, T, D) -> (B, num_outputs).

        Raises:
            UserError: When the network takes the one and gets the other, or features of another size.
        """
        if not self.recurrent.layers:
            clips = clips[:, -1:]  # nobody looks at the others
        if clips.ndim == 5:
            clips = self.frame_features(clips)  # (B, T, D)
        elif self.backbone is not None:
            raise UserError(
                "data.features gives features in place of pictures: choose --model.backbone none for them"
            )
        elif clips.shape[-1] != self.num_features:
            raise UserError(
                f"the features have {clips.shape[-1]} numbers and the network takes {self.num_features}: "
                f"set --model.num_features {clips.shape[-1]}"
            )
        said: Tensor = self.head(self.dropout(self.recurrent(clips)))  # (B, num_outputs)
        return said
