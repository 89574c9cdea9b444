"""Sound becomes a picture of its loudness over time and pitch."""

import math
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

Scale = Literal["log_power", "log_mel"]
Denoise = Literal["none", "spectral_gating"]

WINDOW_SECONDS = 0.025

QUIETEST_DECIBELS = -80.0
"""Below the loudest point of a clip nothing is told apart."""

MEL_POINTS = 2048
"""Of the Fourier transform below mel filters: with fewer the lowest filters would hold no frequency."""

GATE_DEVIATIONS = 1.5
"""A point is noise that is not so many standard deviations above what its pitch is like in the quietest windows."""

QUIET_SHARE = 0.1
"""Of the windows that are taken for noise alone."""


class Spectrogram(nn.Module):
    """(B, samples) around zero -> (B, 1, bins, windows), each clip with mean 0 and deviation 1.

    Silence becomes zeros. How loud a clip was recorded does not matter, only how loud its parts are beside each other.

    Args:
        rate: Samples a second.
        seconds: Of the clips.
        bins: Pitches, the lowest first.
        windows: Points in time; between two of them are seconds / windows.
        scale: "log_power" has the lowest frequencies that an evenly spaced Fourier transform tells apart, "log_mel"
            mel filters from 0 to half the rate.
        denoise: "spectral_gating" takes out, at each pitch, what is hardly louder than in the clip's quietest tenth.

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
        self.length = round(rate * WINDOW_SECONDS)
        self.hop = rate * seconds / windows
        self.points = MEL_POINTS if scale == "log_mel" else max(self.length, 2 * bins)
        self.bins = bins
        window = torch.hann_window(self.length, periodic=True)
        self.register_buffer("window", window, persistent=False)
        filters = mel_filters(rate, self.points, bins) if scale == "log_mel" else torch.empty(0)
        self.register_buffer("filters", filters, persistent=False)

    @override
    def forward(self, sound: Tensor) -> Tensor:
        """(B, samples) -> (B, 1, bins, windows)."""
        # half precision ends at 1e-8; on the meta device there are only shapes
        whole = nullcontext() if sound.is_meta else torch.autocast(sound.device.type, enabled=False)
        with whole:
            power = self._power(sound.float())  # (B, points // 2 + 1, windows)
            if self.denoise == "spectral_gating":
                power = gated(power)
            # evenly spaced ones begin above 0 hertz, which is the mean of a window
            mels = self.scale == "log_mel"
            power = (
                self.filters @ power if mels else power[:, 1 : self.bins + 1]
            )  # (B, bins, windows)
            return standardized(decibels(power)).unsqueeze(1)  # (B, 1, bins, windows)

    def _power(self, sound: Tensor) -> Tensor:
        starts = torch.arange(self.windows, device=sound.device, dtype=torch.float64) * self.hop
        padded = nn.functional.pad(
            sound, (self.length // 2, self.length)
        )  # windows lie around their times
        index = starts.round().long()[:, None] + torch.arange(self.length, device=sound.device)
        parts = padded[:, index] * self.window  # (B, windows, length)
        spectrum: Tensor = torch.fft.rfft(parts, n=self.points)  # (B, windows, points // 2 + 1)
        return spectrum.abs().square().transpose(1, 2)  # (B, points // 2 + 1, windows)


def decibels(power: Tensor) -> Tensor:
    """Power (B, ...) -> decibels below the loudest point of each clip, from `QUIETEST_DECIBELS` to 0.

    >>> decibels(torch.tensor([[100.0, 1.0, 0.0]])).tolist()
    [[0.0, -20.0, -80.0]]
    """
    loudest = power.flatten(1).amax(dim=1).clamp(min=torch.finfo(power.dtype).tiny)
    relative = power / loudest.view(-1, *[1] * (power.ndim - 1))
    return 10 * relative.clamp(min=10 ** (QUIETEST_DECIBELS / 10)).log10()


def standardized(pictures: Tensor) -> Tensor:
    """(B, ...) with mean 0 and deviation 1 in each; what is the same everywhere becomes 0.

    >>> standardized(torch.tensor([[1.0, 3.0], [5.0, 5.0]])).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    """
    inner = tuple(range(1, pictures.ndim))
    centred = pictures - pictures.mean(dim=inner, keepdim=True)
    deviation = centred.square().mean(dim=inner, keepdim=True).sqrt()
    return torch.where(deviation > 1e-6, centred / deviation.clamp(min=1e-6), 0.0)


def gated(power: Tensor) -> Tensor:
    """Power (B, F, windows) without what is hardly louder than noise: there 20 decibels less.

    What noise is like at each frequency is told by the quietest tenth of the windows.
    """
    loudness = power.sum(dim=1)  # (B, windows)
    count = max(1, round(QUIET_SHARE * power.shape[2]))
    quiet = loudness.topk(count, dim=1, largest=False).indices  # (B, count)
    noise = power.gather(2, quiet[:, None].expand(-1, power.shape[1], -1))  # (B, F, count)
    spread = noise.var(dim=2, correction=0).sqrt()
    limit = noise.mean(dim=2) + GATE_DEVIATIONS * spread  # (B, F)
    return torch.where(power > limit[:, :, None], power, power * 0.01)


def mel_filters(rate: int, points: int, bins: int) -> Tensor:
    """(bins, points // 2 + 1) triangles, evenly spaced in mel from 0 to half the rate, each of height 1.

    >>> mel_filters(16000, 2048, 64).shape
    torch.Size([64, 1025])
    """
    highest = mel(rate / 2)
    edges = torch.tensor([hertz(highest * step / (bins + 1)) for step in range(bins + 2)])
    frequencies = torch.linspace(0, rate / 2, points // 2 + 1)
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


def mel(frequency: float) -> float:
    """Hertz in mel.

    >>> round(mel(1000))
    1000
    """
    return 2595 * math.log10(1 + frequency / 700)


def hertz(pitch: float) -> float:
    """Mel in hertz.

    >>> round(hertz(mel(440.0)), 6)
    440.0
    """
    return float(700 * (10 ** (pitch / 2595) - 1))
