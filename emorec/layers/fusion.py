"""What several senses say of a clip becomes one vector."""

from typing import Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

Fusion = Literal["concat", "attention", "gated"]


class SenseFusion(nn.Module):
    """(B, S, D) features of S senses and (B, S) which of them are there -> (B, num_features).

    Args:
        num_senses: S.
        num_features: D.
        fusion: "concat" puts them side by side, zeros where one is missing; "attention" takes their mean, weighted by
            one score each; "gated" takes their sum, every feature of each multiplied by a gate from 0 to 1 that sees
            all senses. The last two look at those that are there alone.

    Attributes:
        num_features: Of the result: S * D for "concat", else D.

    Source: Bahdanau et al. 2015, Neural Machine Translation by Jointly Learning to Align and Translate, section 3.1
    (attention); Arevalo et al. 2017, Gated Multimodal Units for Information Fusion, section 3.1 (gated).
    """

    def __init__(self, num_senses: int, num_features: int, fusion: Fusion) -> None:
        super().__init__()
        self.fusion = fusion
        self.num_features = num_features * (num_senses if fusion == "concat" else 1)
        if fusion == "attention":
            self.score = nn.Sequential(
                nn.Linear(num_features, num_features), nn.Tanh(), nn.Linear(num_features, 1)
            )
        elif fusion == "gated":
            self.gate = nn.Linear(num_senses * num_features, num_senses * num_features)

    @override
    def forward(self, features: Tensor, there: Tensor) -> Tensor:
        """(B, S, D), (B, S) bool -> (B, num_features)."""
        features = features * there.unsqueeze(2)  # (B, S, D)
        if self.fusion == "concat":
            return features.flatten(1)  # (B, S * D)
        if self.fusion == "attention":
            lowest = torch.finfo(
                features.dtype
            ).min  # of a clip without any sense all scores are alike
            score = self.score(features).squeeze(2).masked_fill(~there, lowest)  # (B, S)
            weight: Tensor = score.softmax(dim=1).unsqueeze(2)  # (B, S, 1)
        else:
            weight = self.gate(features.flatten(1)).sigmoid().view_as(features)  # (B, S, D)
        return (weight * features).sum(dim=1)  # (B, D)
