"""A face, from a frame or from those before it too: what is the same whether classes or numbers are predicted."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.layers.frame_sequence import FrameSequence, Rnn
from emorec.layers.freeze import Freeze
from emorec.models.network import ClipNetwork


class FaceNetwork(ClipNetwork):
    """An image network a frame, recurrent layers or none, one linear layer; a subclass says what it predicts.

    It takes frames, or with backbone none the features of frames that another such network has computed.

    Args:
        backbone: "face_cnn" (grey, 96 pixels), an image network by its torchvision name, or "none".
        weights: "DEFAULT" for ImageNet's, "none", or the path of a state dict; a checkpoint of a first stage with the
            same backbone goes on from it, so that both stages are trained end to end.
        freeze: "none", "all", or "stages" for all but the last quarter.
        num_features: D of the features, with backbone none.
        rnn: "none" looks at the last frame alone; "rnn", "gru" or "lstm" follow the window.
        hidden_sizes: Of the recurrent layers, one above the other.
        dropout: Before the last layer.
        training: See the class that says what is predicted, and `ClipNetwork`.

    Source: Rangulov & Fahim 2020, arXiv 2006.11168, section 3.
    """

    def __init__(
        self,
        *,
        backbone: str = "face_cnn",
        weights: str = "none",
        freeze: Freeze = "none",
        num_features: int = 300,
        rnn: Rnn = "none",
        hidden_sizes: tuple[int, ...] = (100, 100, 50),
        dropout: float = 0.5,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        self.network = FrameSequence(
            self.num_outputs,
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
    @abstractmethod
    def num_outputs(self) -> int:
        """K or R."""

    @property
    @override
    def example_inputs(self) -> tuple[Tensor, ...]:
        if self.network.backbone is not None:
            return super().example_inputs
        return (torch.zeros(1, self.num_frames, self.network.num_features, device="meta"),)

    @property
    @override
    def last_maps(self) -> nn.Module | None:
        return None if self.network.backbone is None else self.network.backbone.last_maps

    @override
    def given(self, batch: Mapping[str, Any]) -> tuple[Tensor, ...]:
        return (batch["features"] if "features" in batch else batch["frames"],)

    @override
    def forward(self, clips: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 or features (B, T, D) -> logits (B, K) or numbers (B, R).

        Raises:
            ValueError: When there are other than T frames of three channels.
            UserError: When the network takes the one and gets the other.
        """
        said: Tensor = self.network(self.normalized(clips) if clips.ndim == 5 else clips)
        return said

    def frame_features(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 -> features (B, T, D)."""
        return self.network.frame_features(self.normalized(frames))
