"""Varied sound is the same sound, a little earlier or later, louder or quieter, with or without noise."""

import numpy as np

from emorec.data.audio.augment import GAIN_DECIBELS, MAX_SHIFT_SECONDS, augment_audio
from tests.data.audio.test_decode import RATE


def click(at: int) -> np.ndarray:
    sound = np.zeros(RATE, dtype=np.float32)
    sound[at : at + 50] = 0.25
    return sound


def test_the_limits_are_kept_and_all_of_it_happens() -> None:
    shifts, gains, noisy = [], [], 0
    for seed in range(200):
        varied = augment_audio(click(8000), np.random.default_rng(seed), RATE)
        assert (varied.shape, varied.dtype) == ((RATE,), np.float32)
        start = int(np.argmax(np.convolve(varied, np.ones(50), mode="valid")))
        shifts.append(start - 8000)
        gains.append(20 * np.log10(np.median(varied[start : start + 50]) / 0.25))
        noisy += bool(np.abs(varied[:100]).max() > 0)
    most = MAX_SHIFT_SECONDS * RATE
    assert -most - 5 <= min(shifts) < -0.7 * most
    assert 0.7 * most < max(shifts) <= most + 5
    assert -GAIN_DECIBELS - 1 < min(gains) < -4
    assert 4 < max(gains) < GAIN_DECIBELS + 1
    assert 70 < noisy < 130


def test_noise_is_ten_to_forty_decibels_below_the_sound() -> None:
    tone = np.sin(np.arange(RATE) / 5).astype(np.float32) * 0.3
    below = []
    for seed in range(100):
        draw = np.random.default_rng(seed)
        varied = augment_audio(tone, draw, RATE)
        quiet = varied[: RATE // 100] if abs(varied[0]) < 0.1 else varied[-RATE // 100 :]
        noise = quiet.std()
        if 0 < noise < 0.05:
            below.append(20 * np.log10(varied.std() / noise))
    assert below
    assert min(below) > 8


def test_what_is_too_loud_is_cut_off() -> None:
    loud = np.full(RATE, 0.99, dtype=np.float32)
    assert all(
        np.abs(augment_audio(loud, np.random.default_rng(seed), RATE)).max() <= 1
        for seed in range(20)
    )
