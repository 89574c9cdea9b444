"""Fusion of the features of several modalities."""

from typing import Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

Fusion = Literal["concat", "attention", "gated"]


class ModalityFusion(nn.Module):
    """Fuse (B, M, D) features of M modalities, given a mask (B, M) of those present, into (B, num_features).

    Args:
        num_modalities: M.
        num_features: D.
        fusion: "concat" concatenates, with zeros for a missing modality; "attention" takes a mean weighted by one score
            a modality; "gated" takes a sum, each feature multiplied by a gate from 0 to 1 that depends on all
            modalities. The last two ignore missing modalities.

    Attributes:
        num_features: Size of the result: M * D for "concat", else D.

    Source: Bahdanau et al. 2015, Neural Machine Translation by Jointly Learning to Align and Translate, section 3.1
    (attention); Arevalo et al. 2017, Gated Multimodal Units for Information Fusion, section 3.1 (gated).
    """

    def __init__(self, num_modalities: int, num_features: int, fusion: Fusion) -> None:
        super().__init__()
        self.fusion = fusion
        self.num_features = num_features * (num_modalities if fusion == "concat" else 1)
        if fusion == "attention":
            self.score = nn.Sequential(
                nn.Linear(num_features, num_features), nn.Tanh(), nn.Linear(num_features, 1)
            )
        elif fusion == "gated":
            self.gate = nn.Linear(num_modalities * num_features, num_modalities * num_features)

    @override
    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """Features (B, M, D) and mask (B, M) bool -> (B, num_features)."""
        features = features * present.unsqueeze(2)  # (B, M, D)
        if self.fusion == "concat":
            return features.flatten(1)  # (B, M * D)
        if self.fusion == "attention":
            # finite, so that a clip without any modality gets equal weights instead of NaN
            lowest = torch.finfo(features.dtype).min
            score = self.score(features).squeeze(2).masked_fill(~present, lowest)  # (B, M)
            weight: Tensor = score.softmax(dim=1).unsqueeze(2)  # (B, M, 1)
        else:
            weight = self.gate(features.flatten(1)).sigmoid().view_as(features)  # (B, M, D)
        return (weight * features).sum(dim=1)  # (B, D)
