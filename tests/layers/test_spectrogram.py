"""Spectrograms against numpy; robustness to loudness, silence and half precision."""

import numpy as np
import pytest
import torch
from scipy.signal import get_window

from emorec.layers.spectrogram import (
    Spectrogram,
    SpectrogramMask,
    decibels,
    mel_filters,
    spectral_gate,
)

RATE = 16_000


def tone(pitch: float, seconds: float = 3.0, rate: int = RATE) -> torch.Tensor:
    times = torch.arange(round(seconds * rate)) / rate
    return 0.3 * torch.sin(2 * torch.pi * pitch * times)[None]


def test_the_spectrogram_equals_numpy_s_fourier_transform_in_decibels() -> None:
    sound = torch.randn(1, 3 * RATE, generator=torch.Generator().manual_seed(0)) * 0.1
    spectrogram = Spectrogram()(sound)[0, 0].numpy()
    padded = np.pad(sound[0].numpy().astype(float), (200, 400))
    window = get_window("hann", 400)
    power = np.stack(
        [
            np.abs(np.fft.rfft(padded[160 * window_index : 160 * window_index + 400] * window)) ** 2
            for window_index in range(300)
        ],
        axis=1,
    )[1:201]
    expected = np.maximum(10 * np.log10(power / power.max()), -80)
    expected = (expected - expected.mean()) / expected.std()
    np.testing.assert_allclose(spectrogram, expected, atol=2e-3)


@pytest.mark.parametrize("scale", ["log_power", "log_mel"])
@pytest.mark.parametrize(("rate", "seconds"), [(16_000, 3.0), (8_000, 2.0), (22_050, 3.0)])
def test_any_sound_becomes_an_image_of_200_by_300(scale: str, rate: int, seconds: float) -> None:
    layer = Spectrogram(rate=rate, seconds=seconds, scale=scale)  # type: ignore[arg-type]
    picture = layer(torch.randn(2, round(rate * seconds)))
    assert picture.shape == (2, 1, 200, 300)
    assert picture.mean(dim=(1, 2, 3)).abs().max() < 1e-4
    torch.testing.assert_close(picture.std(dim=(1, 2, 3)), torch.ones(2), atol=1e-3, rtol=0)


@pytest.mark.parametrize("pitch", [400.0, 1000.0, 4000.0])
def test_a_tone_is_a_line_at_its_frequency(pitch: float) -> None:
    picture = Spectrogram()(tone(pitch))[0, 0]
    assert (
        picture[:, 50:250].argmax(dim=0) == pitch / 40 - 1
    ).all()  # bins of 40 hertz, beginning at 40
    mels = Spectrogram(scale="log_mel")(tone(pitch))[0, 0]
    highest = 2595 * np.log10(1 + 8000 / 700)
    position = 2595 * np.log10(1 + pitch / 700) / highest * 201 - 1
    assert abs(int(mels[:, 150].argmax()) - position) <= 1


def test_a_click_is_a_line_at_its_time() -> None:
    sound = torch.zeros(1, 3 * RATE)
    sound[0, RATE] = 0.5
    assert abs(int(Spectrogram()(sound)[0, 0].mean(dim=0).argmax()) - 100) <= 1


def test_spectrograms_are_invariant_to_loudness_and_zero_for_silence() -> None:
    sound = torch.randn(1, 3 * RATE) * 0.1
    loud, quiet, silent = Spectrogram()(torch.cat([sound, sound * 0.01, sound * 0]))
    torch.testing.assert_close(loud, quiet, atol=1e-3, rtol=1e-3)
    assert not silent.any()
    assert silent.isfinite().all()


def test_autocast_does_not_change_the_spectrogram() -> None:
    sound = torch.randn(1, 3 * RATE) * 1e-3
    layer = Spectrogram(scale="log_mel")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = layer(sound)
    assert torch.equal(half, layer(sound))


def test_mel_filters_cover_every_pitch_evenly() -> None:
    filters = mel_filters(RATE, 2048, 64)
    assert (filters.amax(dim=1) > 0.5).all()  # none is empty
    inside = filters.sum(dim=0)[5:-60]  # adjacent triangles add up to 1 between their peaks
    torch.testing.assert_close(inside, torch.ones_like(inside), atol=1e-4, rtol=0)


def test_spectral_gating_reduces_noise_and_keeps_the_tone() -> None:
    noise = torch.randn(1, 3 * RATE, generator=torch.Generator().manual_seed(1)) * 0.01
    sound = noise.clone()
    sound[:, RATE : 2 * RATE] += tone(1000.0, 1.0)
    spectrum = torch.stft(sound, 400, 160, window=torch.hann_window(400), return_complex=True)
    power = spectrum.abs().square()
    after = spectral_gate(power)
    line, elsewhere = slice(24, 27), slice(100, 200)
    tone_share = after[0, line, 120:180].sum() / power[0, line, 120:180].sum()
    noise_share = after[0, elsewhere].sum() / power[0, elsewhere].sum()
    assert tone_share > 0.99
    assert noise_share < 0.7
    assert torch.equal(decibels(power).amax(dim=(1, 2)), torch.zeros(1))


def test_a_frequency_band_and_a_time_span_are_masked_in_training_only() -> None:
    torch.manual_seed(0)
    mask, spectrogram = SpectrogramMask(bins=30, windows=40), torch.ones(64, 1, 200, 300)
    hidden = mask.train()(spectrogram) == 0
    bands, stretches = hidden[:, 0].all(dim=2).sum(dim=1), hidden[:, 0].all(dim=1).sum(dim=1)
    assert 0 <= bands.min() < 4
    assert 26 < bands.max() <= 30
    assert 0 <= stretches.min() < 6
    assert 34 < stretches.max() <= 40
    expected = 200 * 300 - (200 - bands) * (300 - stretches)
    assert torch.equal(hidden.flatten(1).sum(dim=1), expected)
    assert len({tuple(row.tolist()) for row in hidden[:, 0].all(dim=2)}) > 50
    assert mask.eval()(spectrogram) is spectrogram
    assert SpectrogramMask(0, 0).train()(spectrogram) is spectrogram
