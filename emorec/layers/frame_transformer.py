"""A transformer that lets every frame look at every other."""

import math

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError


class FrameTransformer(nn.Module):
    """A transformer encoder over frame features, which are projected to its size and told their place in time.

    Args:
        num_features: D of the frames.
        hidden_size: D of what comes out; a multiple of twice the heads.
        num_layers: Encoder layers, one above the other.
        num_heads: Of the attention of each.
        dropout: Within the layers and before the first.

    Raises:
        UserError: When the heads can't share the size.

    Source: Vaswani et al. 2017, Attention Is All You Need, sections 3.1 to 3.5; the normalisation comes first, as in
    Xiong et al. 2020, On Layer Normalization in the Transformer Architecture.

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
                f"model.hidden_size {hidden_size} can't be shared by {num_heads} heads of a transformer: "
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
        # the nested tensors of its fast path need the normalisation last
        self.encoder = nn.TransformerEncoder(
            layer, num_layers, norm=nn.LayerNorm(hidden_size), enable_nested_tensor=False
        )

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Features (B, T, D) of frames -> (B, T, hidden_size)."""
        projected = self.project(features)  # (B, T, hidden_size)
        placed = projected + places(projected.shape[1], projected.shape[2]).to(projected)
        encoded: Tensor = self.encoder(self.dropout(placed))
        return encoded


def places(num_places: int, num_features: int) -> Tensor:
    """(T, D) sines and cosines that tell places apart; D is even.

    Source: Vaswani et al. 2017, section 3.5.

    >>> places(2, 4)[:, :2]
    tensor([[0.0000, 1.0000],
            [0.8415, 0.5403]])
    """
    rates = torch.exp(-math.log(10_000) * torch.arange(0, num_features, 2) / num_features)
    angles = torch.arange(num_places)[:, None] * rates  # (T, D/2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)  # (T, D)
