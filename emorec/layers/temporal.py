"""Layers over time: recurrent networks, a transformer encoder over frames, attention pooling."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError

RNN = Literal["rnn", "gru", "lstm"]

_RNNS: dict[RNN, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def recurrent(
    kind: RNN,
    num_features: int,
    hidden_size: int,
    num_layers: int = 1,
    *,
    bidirectional: bool = False,
    dropout: float = 0.0,
) -> nn.RNNBase:
    """Return torch's recurrent network over (B, T, D) sequences, whose first output is (B, T, S).

    Args:
        kind: "rnn", "gru" or "lstm".
        num_features: D.
        hidden_size: Size of the state in each direction; S is twice that if bidirectional.
        num_layers: Stacked layers.
        bidirectional: Read the sequence backwards as well.
        dropout: Between the layers.

    >>> recurrent("gru", 4, 3, bidirectional=True)(torch.rand(2, 5, 4))[0].shape
    torch.Size([2, 5, 6])
    """
    return _RNNS[kind](
        num_features,
        hidden_size,
        num_layers,
        batch_first=True,
        bidirectional=bidirectional,
        dropout=dropout if num_layers > 1 else 0.0,
    )


TemporalNetwork = Literal["lstm", "gru", "transformer", "none"]
"""A network over the frames of a clip; "none" takes the features as they are."""


def temporal_network(
    kind: TemporalNetwork,
    num_features: int,
    hidden_size: int,
    num_layers: int,
    *,
    bidirectional: bool,
    num_heads: int,
    dropout: float,
) -> "nn.RNNBase | FrameTransformer | None":
    """Return a network over (B, T, D) sequences; `temporal_states` runs it.

    Args:
        kind: Which one; `None` is returned for "none".
        num_features: D.
        hidden_size: Of the states, in each direction.
        num_layers: Stacked recurrent or encoder layers.
        bidirectional: Read the sequence backwards as well.
        num_heads: Attention heads of a transformer.
        dropout: Between the layers; of a transformer also within them.

    Raises:
        UserError: When it has no direction and is to be bidirectional.
    """
    if bidirectional and kind in ("none", "transformer"):
        raise UserError(f"model.bidirectional true: rnn {kind} has no direction, leave it out")
    if kind == "none":
        return None
    if kind == "transformer":
        return FrameTransformer(
            num_features,
            hidden_size=hidden_size,
            num_layers=num_layers,
            num_heads=num_heads,
            dropout=dropout,
        )
    return recurrent(
        kind,
        num_features,
        hidden_size,
        num_layers,
        bidirectional=bidirectional,
        dropout=dropout,
    )


def temporal_states(network: nn.Module | None, features: Tensor) -> Tensor:
    """Features (B, T, D) -> the states (B, T, S) of a `temporal_network`; without one the features."""
    if network is None:
        return features
    output = network(features)  # of recurrent networks the states, and the last state
    states: Tensor = output[0] if isinstance(output, tuple) else output
    return states


def last_state(states: Tensor, *, bidirectional: bool = False) -> Tensor:
    """States (B, T, S) of a recurrent network -> (B, S), the last state in each direction.

    Read backwards, the last state is that of the first frame. The states that torch returns besides the outputs would
    do as well, but torch 2.11 exports those of an LSTM with one dimension too many.
    """
    if not bidirectional:
        return states[:, -1]  # (B, S)
    forward, backward = states.chunk(2, dim=2)  # (B, T, S/2) each
    return torch.cat([forward[:, -1], backward[:, 0]], dim=1)  # (B, S)


class AttentionPool(nn.Module):
    """Weighted mean over time, the weights given by a small network.

    Args:
        num_features: D.
        hidden_size: Of the small network; half of D by default.

    Source: Lin et al. 2017, A Structured Self-attentive Sentence Embedding, equations 5 and 6 with one hop (there
    without biases); over the frames of a video Meng et al. 2019, Frame Attention Networks, section 2.2.

    >>> pool = AttentionPool(num_features=4)
    >>> frames = torch.rand(2, 7, 4)
    >>> pool(frames).shape, bool(pool.weights(frames).sum(dim=1).allclose(torch.ones(2)))
    (torch.Size([2, 4]), True)
    """

    def __init__(self, num_features: int, hidden_size: int | None = None) -> None:
        super().__init__()
        hidden_size = hidden_size or max(1, num_features // 2)
        self.score = nn.Sequential(
            nn.Linear(num_features, hidden_size),
            nn.Tanh(),
            # a bias would raise all scores alike, which the softmax ignores
            nn.Linear(hidden_size, 1, bias=False),
        )

    def weights(self, features: Tensor) -> Tensor:
        """Features (B, T, D) -> weights (B, T), each from 0 to 1, with sum 1."""
        scores: Tensor = self.score(features)  # (B, T, 1)
        return scores.squeeze(2).softmax(dim=1)  # (B, T)

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Features (B, T, D) -> (B, D)."""
        weights = self.weights(features).unsqueeze(2)  # (B, T, 1)
        return (weights * features).sum(dim=1)  # (B, D)


class FrameTransformer(nn.Module):
    """Transformer encoder over frame features, with a linear projection and sinusoidal positions.

    Args:
        num_features: D of the frames.
        hidden_size: Size of the output; a multiple of twice `num_heads`.
        num_layers: Encoder layers.
        num_heads: Attention heads of each layer.
        dropout: Within the layers and before the first.

    Raises:
        UserError: When `hidden_size` can't be divided among the heads.

    Source: Vaswani et al. 2017, Attention Is All You Need, sections 3.1 to 3.5; pre-norm as in Xiong et al. 2020, On
    Layer Normalization in the Transformer Architecture.

    >>> FrameTransformer(6, hidden_size=8, num_heads=2)(torch.rand(2, 5, 6)).shape
    torch.Size([2, 5, 8])
    """

    def __init__(
        self,
        num_features: int,
        *,
        hidden_size: int = 256,
        num_layers: int = 1,
        num_heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if num_heads < 1 or hidden_size % (2 * num_heads):
            raise UserError(
                f"model.hidden_size {hidden_size} can't be divided among {num_heads} heads of a transformer: "
                f"choose a multiple of {2 * max(1, num_heads)}"
            )
        self.project = nn.Linear(num_features, hidden_size)
        self.dropout = nn.Dropout(dropout)
        layer = nn.TransformerEncoderLayer(
            hidden_size,
            num_heads,
            dim_feedforward=4 * hidden_size,
            dropout=dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        # the fast path of nested tensors needs post-norm
        self.encoder = nn.TransformerEncoder(
            layer, num_layers, norm=nn.LayerNorm(hidden_size), enable_nested_tensor=False
        )

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Features (B, T, D) -> (B, T, hidden_size)."""
        projected = self.project(features)  # (B, T, hidden_size)
        positions = positional_encoding(projected.shape[1], projected.shape[2])
        encoded: Tensor = self.encoder(self.dropout(projected + positions.to(projected)))
        return encoded  # (B, T, hidden_size)


def positional_encoding(num_positions: int, num_features: int) -> Tensor:
    """Return (T, D) sines and cosines; D is even.

    Source: Vaswani et al. 2017, section 3.5.

    >>> positional_encoding(2, 4)[:, :2]
    tensor([[0.0000, 1.0000],
            [0.8415, 0.5403]])
    """
    rates = torch.exp(-math.log(10_000) * torch.arange(0, num_features, 2) / num_features)
    angles = torch.arange(num_positions)[:, None] * rates  # (T, D/2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)  # (T, D)
