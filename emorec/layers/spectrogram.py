"""Spectrograms of sound, with noise gating and masking."""

import math
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

Scale = Literal["log_power", "log_mel"]
Denoise = Literal["none", "spectral_gating"]

WINDOW_SECONDS = 0.025

MIN_DECIBELS = -80.0
"""Floor of the dynamic range, relative to the loudest point of a clip."""

MEL_FFT_SIZE = 2048
"""FFT size below mel filters: with a smaller one the lowest filters would contain no frequency."""

GATE_DEVIATIONS = 1.5
"""Power is noise below this many standard deviations above its frequency's mean in the quietest windows."""

QUIET_SHARE = 0.1
"""Share of the windows taken as noise only."""


class Spectrogram(nn.Module):
    """Waveforms (B, samples) -> spectrograms (B, 1, bins, windows), each with mean 0 and standard deviation 1.

    Silence becomes zeros. The recording level does not matter, only the relative loudness within a clip.

    Args:
        rate: Samples a second.
        seconds: Duration of the clips.
        bins: Frequency bins, the lowest first.
        windows: Points in time, seconds / windows apart.
        scale: "log_power" for the lowest bins of the FFT, "log_mel" for mel filters from 0 to half the rate.
        denoise: "spectral_gating" attenuates, at each frequency, power that hardly exceeds the clip's quietest tenth.

    Source: Singh & Fang 2020, arXiv:2006.08129, section 3 (3 seconds as 200 x 300); O'Shaughnessy 1987, Speech
    Communication, p. 150 (mel); Boll 1979, IEEE TASSP 27(2):113-120 (noise from pauses).
    """

    filters: Tensor
    window: Tensor

    def __init__(
        self,
        *,
        rate: int = 16_000,
        seconds: float = 3.0,
        bins: int = 200,
        windows: int = 300,
        scale: Scale = "log_power",
        denoise: Denoise = "none",
    ) -> None:
        super().__init__()
        self.windows = windows
        self.scale = scale
        self.denoise = denoise
        self.window_length = round(rate * WINDOW_SECONDS)
        self.hop = rate * seconds / windows
        self.fft_size = MEL_FFT_SIZE if scale == "log_mel" else max(self.window_length, 2 * bins)
        self.bins = bins
        window = torch.hann_window(self.window_length, periodic=True)
        self.register_buffer("window", window, persistent=False)
        filters = mel_filters(rate, self.fft_size, bins) if scale == "log_mel" else torch.empty(0)
        self.register_buffer("filters", filters, persistent=False)

    @override
    def forward(self, sound: Tensor) -> Tensor:
        """(B, samples) -> (B, 1, bins, windows)."""
        # half precision underflows at 1e-8; autocast does not know the meta device
        full_precision = (
            nullcontext() if sound.is_meta else torch.autocast(sound.device.type, enabled=False)
        )
        with full_precision:
            power = self._power(sound.float())  # (B, fft_size // 2 + 1, windows)
            if self.denoise == "spectral_gating":
                power = spectral_gate(power)
            # the lowest bin without mel filters is 0 Hz, the mean of a window
            log_mel = self.scale == "log_mel"
            power = self.filters @ power if log_mel else power[:, 1 : self.bins + 1]
            return standardize(decibels(power)).unsqueeze(1)  # (B, 1, bins, windows)

    def _power(self, sound: Tensor) -> Tensor:
        starts = torch.arange(self.windows, device=sound.device, dtype=torch.float64) * self.hop
        padded = nn.functional.pad(
            sound, (self.window_length // 2, self.window_length)
        )  # windows are centred on their times
        index = starts.round().long()[:, None] + torch.arange(
            self.window_length, device=sound.device
        )
        framed = padded[:, index] * self.window  # (B, windows, length)
        spectrum: Tensor = torch.fft.rfft(
            framed, n=self.fft_size
        )  # (B, windows, fft_size // 2 + 1)
        return spectrum.abs().square().transpose(1, 2)  # (B, fft_size // 2 + 1, windows)


def decibels(power: Tensor) -> Tensor:
    """Power (B, ...) -> decibels relative to the loudest point of each clip, from `MIN_DECIBELS` to 0.

    >>> decibels(torch.tensor([[100.0, 1.0, 0.0]])).tolist()
    [[0.0, -20.0, -80.0]]
    """
    loudest = power.flatten(1).amax(dim=1).clamp(min=torch.finfo(power.dtype).tiny)
    relative = power / loudest.view(-1, *[1] * (power.ndim - 1))
    return 10 * relative.clamp(min=10 ** (MIN_DECIBELS / 10)).log10()


def standardize(spectrograms: Tensor) -> Tensor:
    """Return (B, ...) with mean 0 and standard deviation 1 in each clip; a constant one becomes 0.

    >>> standardize(torch.tensor([[1.0, 3.0], [5.0, 5.0]])).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    """
    inner = tuple(range(1, spectrograms.ndim))
    centred = spectrograms - spectrograms.mean(dim=inner, keepdim=True)
    deviation = centred.square().mean(dim=inner, keepdim=True).sqrt()
    return torch.where(deviation > 1e-6, centred / deviation.clamp(min=1e-6), 0.0)


def spectral_gate(power: Tensor) -> Tensor:
    """Return power (B, F, windows), lowered by 20 decibels where it hardly exceeds the noise.

    The noise at each frequency is estimated from the quietest tenth of the windows.
    """
    loudness = power.sum(dim=1)  # (B, windows)
    count = max(1, round(QUIET_SHARE * power.shape[2]))
    quiet = loudness.topk(count, dim=1, largest=False).indices  # (B, count)
    noise = power.gather(2, quiet[:, None].expand(-1, power.shape[1], -1))  # (B, F, count)
    spread = noise.var(dim=2, correction=0).sqrt()
    limit = noise.mean(dim=2) + GATE_DEVIATIONS * spread  # (B, F)
    return torch.where(power > limit[:, :, None], power, power * 0.01)


def mel_filters(rate: int, fft_size: int, bins: int) -> Tensor:
    """Return (bins, fft_size // 2 + 1) triangular filters of height 1, evenly spaced in mel from 0 to half the rate.

    >>> mel_filters(16000, 2048, 64).shape
    torch.Size([64, 1025])
    """
    highest = mel(rate / 2)
    edges = torch.tensor([hertz(highest * step / (bins + 1)) for step in range(bins + 2)])
    frequencies = torch.linspace(0, rate / 2, fft_size // 2 + 1)
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


def mel(frequency: float) -> float:
    """Convert hertz to mel.

    >>> round(mel(1000))
    1000
    """
    return 2595 * math.log10(1 + frequency / 700)


def hertz(pitch: float) -> float:
    """Convert mel to hertz.

    >>> round(hertz(mel(440.0)), 6)
    440.0
    """
    return float(700 * (10 ** (pitch / 2595) - 1))


class SpectrogramMask(nn.Module):
    """Mask one frequency band and one time span of each clip with 0, the mean; in training only.

    Args:
        bins: Widest band.
        windows: Longest time span; with both 0 nothing is masked.

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
        masked = _random_span(spectrogram, 2, self.bins)[:, None, :, None]  # (B, 1, bins, 1)
        masked = masked | _random_span(spectrogram, 3, self.windows)[:, None, None, :]
        return spectrogram.masked_fill(masked, 0.0)


def _random_span(spectrogram: Tensor, dim: int, longest: int) -> Tensor:
    """Return a mask (B, size) along an axis: one span a clip, of a length from 0 to `longest`."""
    num_clips, size, device = len(spectrogram), spectrogram.shape[dim], spectrogram.device
    length = torch.randint(min(longest, size) + 1, (num_clips, 1), device=device)
    first = (torch.rand(num_clips, 1, device=device) * (size - length + 1)).long()
    position = torch.arange(size, device=device)
    return (position >= first) & (position < first + length)
