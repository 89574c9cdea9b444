"""Each frame is seen by itself; a network over time then follows what was seen, and its states are pooled."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError
from emorec.layers.attention_pool import AttentionPool
from emorec.layers.frame_transformer import FrameTransformer
from emorec.models.frame_classifier import FrameClassifier

Recurrence = Literal["lstm", "gru", "transformer", "none"]
Pool = Literal["last", "mean", "attention"]


class CNNRNN(FrameClassifier):
    """One image network for every frame, a network over time, a pool over time, one linear layer.

    11,967,048 parameters with K = 8 and the defaults: a ResNet-18 and an LSTM whose last state decides, as `CNNLSTM`.

    Args:
        rnn: "lstm", "gru", "transformer" (an encoder in which every frame looks at every other), or "none" for the
            frames' features as they are.
        pool: The "last" state (of a transformer that of the last frame), the "mean" over time, or by "attention" a mean
            whose weights are learned.
        hidden_size: Of the states, in each direction.
        num_layers: Recurrent or encoder layers, one above the other.
        bidirectional: Read the clip backwards too; both states stand side by side.
        num_heads: Of the transformer's attention.
        dropout: Between the layers and before the last one.
        feature_dropout: Of the frames' features, before the network over time.
        frames_and_training: See `FrameClassifier` and `ClipClassifier`.

    Raises:
        UserError: When a size makes no sense, or settings contradict each other.

    Source: Donahue et al. 2015, Long-term Recurrent Convolutional Networks, section 3; the GRU is of Cho et al. 2014.
    """

    def __init__(
        self,
        *,
        rnn: Recurrence = "lstm",
        pool: Pool = "last",
        hidden_size: int = 256,
        num_layers: int = 1,
        bidirectional: bool = False,
        num_heads: int = 4,
        dropout: float = 0.0,
        feature_dropout: float = 0.0,
        **frames_and_training: Any,
    ) -> None:
        super().__init__(**frames_and_training)
        refuse_impossible(rnn, pool, hidden_size, num_layers, bidirectional=bidirectional)
        self.pool = pool
        self.directions = 2 if bidirectional else 1
        self.feature_dropout = nn.Dropout(feature_dropout)
        num_features = self.backbone.num_features
        self.over_time: nn.LSTM | nn.GRU | FrameTransformer | None = None
        if rnn == "transformer":
            self.over_time = FrameTransformer(
                num_features,
                hidden_size=hidden_size,
                num_layers=num_layers,
                num_heads=num_heads,
                dropout=dropout,
            )
        elif rnn != "none":
            self.over_time = {"lstm": nn.LSTM, "gru": nn.GRU}[rnn](
                num_features,
                hidden_size,
                num_layers,
                batch_first=True,
                bidirectional=bidirectional,
                dropout=dropout if num_layers > 1 else 0.0,
            )
        size = num_features if rnn == "none" else self.directions * hidden_size
        self.attention = AttentionPool(size) if pool == "attention" else None
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(size, self.num_classes)

    @override
    def classify(self, features: Tensor) -> Tensor:
        states = self.states(self.feature_dropout(features))  # (B, T, S)
        if self.attention is not None:
            pooled = self.attention(states)  # (B, S)
        elif self.pool == "mean":
            pooled = states.mean(dim=1)  # (B, S)
        else:
            # read backwards, the last state is that of the first frame
            forward, *backward = states.chunk(self.directions, dim=2)
            pooled = torch.cat(
                [forward[:, -1], *(each[:, 0] for each in backward)], dim=1
            )  # (B, S)
        logits: Tensor = self.classifier(self.dropout(pooled))  # (B, K)
        return logits

    def states(self, features: Tensor) -> Tensor:
        """Features (B, T, D) -> states (B, T, S), S being `hidden_size` in each direction, or D without a network."""
        if self.over_time is None:
            return features
        if isinstance(self.over_time, FrameTransformer):
            encoded: Tensor = self.over_time(features)
            return encoded
        states: Tensor = self.over_time(features)[0]
        return states


def refuse_impossible(
    rnn: Recurrence, pool: Pool, hidden_size: int, num_layers: int, *, bidirectional: bool
) -> None:
    """Stops at settings that contradict each other.

    Raises:
        UserError: With the setting and what to do.
    """
    if hidden_size < 1 or num_layers < 1:
        raise UserError(
            f"model.hidden_size {hidden_size} and model.num_layers {num_layers} have to be at least 1"
        )
    if pool == "last" and rnn == "none":
        raise UserError(
            "model.rnn none with model.pool last: the last frame would decide alone, choose mean or attention"
        )
    if bidirectional and rnn in ("none", "transformer"):
        raise UserError(f"model.bidirectional true: rnn {rnn} has no direction, leave it out")
