"""Augmented sound is shifted and scaled, with or without noise."""

import numpy as np

from emorec.data.audio.augment import GAIN_DECIBELS, MAX_SHIFT_SECONDS, augment_audio
from tests.data.audio.test_decode import RATE


def pulse(at: int) -> np.ndarray:
    sound = np.zeros(RATE, dtype=np.float32)
    sound[at : at + 50] = 0.25
    return sound


def test_shift_gain_and_noise_cover_their_ranges() -> None:
    shifts, gains, num_noisy = [], [], 0
    for seed in range(200):
        augmented = augment_audio(pulse(8000), np.random.default_rng(seed), RATE)
        assert (augmented.shape, augmented.dtype) == ((RATE,), np.float32)
        start = int(np.argmax(np.convolve(augmented, np.ones(50), mode="valid")))
        shifts.append(start - 8000)
        gains.append(20 * np.log10(np.median(augmented[start : start + 50]) / 0.25))
        num_noisy += bool(np.abs(augmented[:100]).max() > 0)
    max_shift = MAX_SHIFT_SECONDS * RATE
    assert -max_shift - 5 <= min(shifts) < -0.7 * max_shift
    assert 0.7 * max_shift < max(shifts) <= max_shift + 5
    assert -GAIN_DECIBELS - 1 < min(gains) < -4
    assert 4 < max(gains) < GAIN_DECIBELS + 1
    assert 70 < num_noisy < 130


def test_noise_is_ten_to_forty_decibels_below_the_sound() -> None:
    tone = np.sin(np.arange(RATE) / 5).astype(np.float32) * 0.3
    decibels = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        augmented = augment_audio(tone, rng, RATE)
        silent = augmented[: RATE // 100] if abs(augmented[0]) < 0.1 else augmented[-RATE // 100 :]
        noise = silent.std()
        if 0 < noise < 0.05:
            decibels.append(20 * np.log10(augmented.std() / noise))
    assert decibels
    assert min(decibels) > 8


def test_loud_sound_is_clipped() -> None:
    loud = np.full(RATE, 0.99, dtype=np.float32)
    assert all(
        np.abs(augment_audio(loud, np.random.default_rng(seed), RATE)).max() <= 1
        for seed in range(20)
    )
