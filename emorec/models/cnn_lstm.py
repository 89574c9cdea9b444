"""Each frame is seen by itself; a recurrent network then follows what was seen over time."""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.layers.backbone import image_backbone
from emorec.layers.freeze import Freeze
from emorec.models.base import ClipClassifier


class CNNLSTM(ClipClassifier):
    """One image network for every frame, an LSTM, one linear layer; 11,967,048 parameters with K = 8.

    Args:
        backbone: An image network by its torchvision name.
        weights: "DEFAULT" for ImageNet's, "none", or the path of a state dict.
        freeze: "none", "all", or "stages" for all but the last quarter.
        hidden_size: Of the LSTM's state, in each direction.
        num_layers: LSTMs, one above the other.
        bidirectional: Read the clip backwards too; the two last states stand side by side.
        dropout: Between the LSTMs and before the last layer.
        training: See `ClipClassifier`.

    Source: Donahue et al. 2015, Long-term Recurrent Convolutional Networks, section 3.
    """

    def __init__(
        self,
        *,
        backbone: str = "resnet18",
        weights: str = "DEFAULT",
        freeze: Freeze = "none",
        hidden_size: int = 256,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        self.backbone = image_backbone(
            backbone, weights=weights, freeze=freeze, image_size=self.image_size
        )
        self.lstm = nn.LSTM(
            self.backbone.num_features,
            hidden_size,
            num_layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.directions = 2 if bidirectional else 1
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(self.directions * hidden_size, self.num_classes)

    @override
    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 -> logits (B, K).

        Raises:
            ValueError: When there are other than T frames of three channels.
        """
        pictures = self.normalized(frames).flatten(0, 1)  # (B*T, 3, H, W)
        features = self.backbone(pictures)  # (B*T, D)
        features = features.unflatten(0, (-1, self.num_frames))  # (B, T, D)
        _, (states, _) = self.lstm(features)  # (layers * directions, B, hidden_size)
        last = torch.cat(
            states[-self.directions :].unbind(), dim=1
        )  # (B, directions * hidden_size)
        logits: Tensor = self.classifier(self.dropout(last))  # (B, K)
        return logits
