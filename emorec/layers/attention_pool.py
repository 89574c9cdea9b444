"""Which moments count: a weighted mean over time whose weights are learned."""

from torch import Tensor, nn
from typing_extensions import override


class AttentionPool(nn.Module):
    """The mean over time, each moment weighted by how telling a small network finds it.

    Args:
        num_features: D.
        hidden_size: Of the small network; by default half of D.

    Source: Lin et al. 2017, A Structured Self-attentive Sentence Embedding, equations 5 and 6 with one hop (there
    without biases); over the frames of a video Meng et al. 2019, Frame Attention Networks, section 2.2.

    >>> import torch
    >>> pool = AttentionPool(num_features=4)
    >>> moments = torch.rand(2, 7, 4)
    >>> pool(moments).shape, bool(pool.weights(moments).sum(dim=1).allclose(torch.ones(2)))
    (torch.Size([2, 4]), True)
    """

    def __init__(self, num_features: int, hidden_size: int | None = None) -> None:
        super().__init__()
        hidden_size = hidden_size or max(1, num_features // 2)
        self.score = nn.Sequential(
            nn.Linear(num_features, hidden_size),
            nn.Tanh(),
            # a bias would raise all moments alike, which the softmax does not see
            nn.Linear(hidden_size, 1, bias=False),
        )

    def weights(self, moments: Tensor) -> Tensor:
        """Moments (B, T, D) -> their weights (B, T), each from 0 to 1 and 1 together."""
        scores: Tensor = self.score(moments)  # (B, T, 1)
        return scores.squeeze(2).softmax(dim=1)  # (B, T)

    @override
    def forward(self, moments: Tensor) -> Tensor:
        """Moments (B, T, D) -> (B, D)."""
        weights = self.weights(moments).unsqueeze(2)  # (B, T, 1)
        return (weights * moments).sum(dim=1)  # (B, D)
