"""CNN-RNN and CNN-LSTM: an image network for each frame, then a network over time."""

from typing import Any, ClassVar, Literal

from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError
from emorec.layers.temporal import (
    AttentionPool,
    TemporalNetwork,
    last_state,
    temporal_network,
    temporal_states,
)
from emorec.models.frame_classifier import FrameClassifier

Pool = Literal["last", "mean", "attention"]


class CNNRNN(FrameClassifier):
    """An image network for every frame, a network over time, pooling over time, one linear layer.

    11,967,048 parameters with K = 8 and the defaults: a ResNet-18 and an LSTM, classified by its last state.

    Args:
        rnn: "lstm", "gru", "transformer" (an encoder over the frames), or "none" for the features as they are.
        pool: "last" state (of a transformer that of the last frame), "mean" over time, or "attention" for a mean with
            learned weights.
        hidden_size: Of the states, in each direction.
        num_layers: Stacked recurrent or encoder layers.
        bidirectional: Read the clip backwards too; the states of both directions are concatenated.
        num_heads: Attention heads of the transformer.
        dropout: Between the layers and before the last one.
        feature_dropout: Of the features, before the network over time.
        frames_and_training: See `FrameClassifier` and `ClipClassifier`.

    Raises:
        UserError: When a size is below 1 or settings contradict each other.

    Source: Donahue et al. 2015, Long-term Recurrent Convolutional Networks, section 3; the GRU is of Cho et al. 2014.
    """

    temporal_name: ClassVar[str] = "over_time"
    """Attribute of the network over time, by which checkpoints name its weights."""

    def __init__(
        self,
        *,
        rnn: TemporalNetwork = "lstm",
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
        _check_settings(rnn, pool, hidden_size, num_layers)
        self.pool = pool
        self.bidirectional = bidirectional
        self.feature_dropout = nn.Dropout(feature_dropout)
        network = temporal_network(
            rnn,
            self.num_features,
            hidden_size,
            num_layers,
            bidirectional=bidirectional,
            num_heads=num_heads,
            dropout=dropout,
        )
        self.add_module(self.temporal_name, network)
        size = self.num_features if rnn == "none" else hidden_size * (2 if bidirectional else 1)
        self.attention = AttentionPool(size) if pool == "attention" else None
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(size, self.num_classes)

    @override
    def classify(self, features: Tensor) -> Tensor:
        network = getattr(self, self.temporal_name)
        states = temporal_states(network, self.feature_dropout(features))  # (B, T, S)
        if self.attention is not None:
            pooled: Tensor = self.attention(states)  # (B, S)
        elif self.pool == "mean":
            pooled = states.mean(dim=1)  # (B, S)
        else:
            pooled = last_state(states, bidirectional=self.bidirectional)  # (B, S)
        logits: Tensor = self.classifier(self.dropout(pooled))  # (B, K)
        return logits


class CNNLSTM(CNNRNN):
    """`CNNRNN` with an LSTM and its last state; 11,967,048 parameters with K = 8.

    Args:
        hidden_size: Of the LSTM's state, in each direction.
        num_layers: Stacked LSTMs.
        bidirectional: Read the clip backwards too; the two last states are concatenated.
        dropout: Between the LSTMs and before the last layer.
        frames_and_training: See `FrameClassifier` and `ClipClassifier`.

    Source: Donahue et al. 2015, Long-term Recurrent Convolutional Networks, section 3.
    """

    temporal_name = "lstm"
    fixed_arguments = ("rnn", "pool", "num_heads", "feature_dropout")

    def __init__(
        self,
        *,
        hidden_size: int = 256,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        **frames_and_training: Any,
    ) -> None:
        super().__init__(
            rnn="lstm",
            pool="last",
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            **frames_and_training,
        )


def _check_settings(rnn: TemporalNetwork, pool: Pool, hidden_size: int, num_layers: int) -> None:
    if hidden_size < 1 or num_layers < 1:
        raise UserError(
            f"model.hidden_size {hidden_size} and model.num_layers {num_layers} have to be at least 1"
        )
    if pool == "last" and rnn == "none":
        raise UserError(
            "model.rnn none with model.pool last classifies the last frame only: choose mean or attention"
        )
