"""Hides parts of a spectrogram while a network learns."""

import torch
from torch import Tensor, nn
from typing_extensions import override


class SpectrogramMask(nn.Module):
    """Sets a band of pitches and a stretch of time to 0, the mean, in each clip; only in training.

    Args:
        bins: Widest band.
        windows: Longest stretch; with both 0 nothing is hidden.

    Source: Park et al. 2019, SpecAugment, section 2 (one frequency mask, one time mask).
    """

    def __init__(self, bins: int, windows: int) -> None:
        super().__init__()
        self.bins = bins
        self.windows = windows

    @override
    def forward(self, spectrogram: Tensor) -> Tensor:
        """(B, 1, bins, windows) -> the same shape."""
        if not self.training or not (self.bins or self.windows):
            return spectrogram
        hidden = _stretch(spectrogram, 2, self.bins)[:, None, :, None]  # (B, 1, bins, 1)
        hidden = hidden | _stretch(spectrogram, 3, self.windows)[:, None, None, :]
        return spectrogram.masked_fill(hidden, 0.0)


def _stretch(spectrogram: Tensor, dim: int, longest: int) -> Tensor:
    """(B, size) which places along an axis are hidden: one stretch a clip, its length from 0 to `longest`."""
    num_clips, size, device = len(spectrogram), spectrogram.shape[dim], spectrogram.device
    length = torch.randint(min(longest, size) + 1, (num_clips, 1), device=device)
    first = (torch.rand(num_clips, 1, device=device) * (size - length + 1)).long()
    place = torch.arange(size, device=device)
    return (place >= first) & (place < first + length)
