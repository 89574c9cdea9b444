"""Each frame is seen by itself; a recurrent network then follows what was seen over time."""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.models.frame_classifier import FrameClassifier


class CNNLSTM(FrameClassifier):
    """One image network for every frame, an LSTM, one linear layer; 11,967,048 parameters with K = 8.

    Args:
        hidden_size: Of the LSTM's state, in each direction.
        num_layers: LSTMs, one above the other.
        bidirectional: Read the clip backwards too; the two last states stand side by side.
        dropout: Between the LSTMs and before the last layer.
        frames_and_training: See `FrameClassifier` and `ClipClassifier`.

    Source: Donahue et al. 2015, Long-term Recurrent Convolutional Networks, section 3.
    """

    def __init__(
        self,
        *,
        hidden_size: int = 256,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        **frames_and_training: Any,
    ) -> None:
        super().__init__(**frames_and_training)
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
    def classify(self, features: Tensor) -> Tensor:
        _, (states, _) = self.lstm(features)  # (layers * directions, B, hidden_size)
        last = torch.cat(
            states[-self.directions :].unbind(), dim=1
        )  # (B, directions * hidden_size)
        logits: Tensor = self.classifier(self.dropout(last))  # (B, K)
        return logits
