"""Standardisation by the mean and the standard deviation of the training data."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from typing_extensions import override

MIN_STD = 1e-4
"""A feature with a smaller standard deviation is constant, and only centred."""


class Standardize(nn.Module):
    """Subtract the mean of each feature and divide by its standard deviation, both of the training data.

    Before `fit` it returns its input. What was fitted is part of the state dict.

    Args:
        num_features: D.

    >>> standardize = Standardize(num_features=1)
    >>> standardize.fit([torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [7.0]])])
    >>> standardize(torch.tensor([[4.0], [4.0 + 5 ** 0.5]])).round(decimals=3).ravel().tolist()
    [0.0, 1.0]
    """

    mean: Tensor
    std: Tensor
    num_rows: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("std", torch.ones(num_features))
        self.register_buffer("num_rows", torch.zeros((), dtype=torch.int64))

    @property
    def is_fitted(self) -> bool:
        """Whether `fit` was called, here or before the state was saved."""
        return bool(self.num_rows)

    @torch.no_grad()
    def fit(self, batches: Iterable[Tensor]) -> None:
        """Set mean and standard deviation to those of batches, each (..., D), in one pass.

        Raises:
            ValueError: If `batches` is empty.

        Source: Chan, Golub & LeVeque 1979, Updating formulae and a pairwise algorithm for computing sample variances,
        equation 2.1.
        """
        count = 0
        mean = squares = torch.zeros(len(self.mean), dtype=torch.float64)
        for batch in batches:
            rows = batch.detach().cpu().double().reshape(-1, len(self.mean))  # (N, D)
            difference = rows.mean(dim=0) - mean
            share = len(rows) / (count + len(rows))
            squares = squares + (rows - rows.mean(dim=0)).square().sum(dim=0)
            squares = squares + difference.square() * count * share
            mean = mean + difference * share
            count += len(rows)
        if not count:
            raise ValueError("no batch to standardise by")
        std = (squares / count).sqrt()
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std < MIN_STD, 1.0, std))
        self.num_rows.fill_(count)

    @override
    def forward(self, features: Tensor) -> Tensor:
        """(..., D) -> the same shape."""
        return (features - self.mean) / self.std
