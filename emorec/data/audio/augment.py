"""Augmentation of sound: shift, gain and noise."""

import numpy as np

from emorec.data.audio.decode import Waveform

MAX_SHIFT_SECONDS = 0.3

NOISE_PROBABILITY = 0.5

NOISE_DECIBELS = (10.0, 40.0)
"""Signal-to-noise ratio, uniform in this range."""

GAIN_DECIBELS = 6.0
"""Largest gain and attenuation."""


def augment_audio(waveform: Waveform, rng: np.random.Generator, rate: int) -> Waveform:
    """Shift a waveform, change its volume, and add white noise to half of the clips.

    Args:
        waveform: (samples,) float32.
        rng: Decides everything; it is called equally often for every clip.
        rate: Samples per second.

    Source: Ko et al. 2015, Audio augmentation for speech recognition; Salamon & Bello 2017, Deep CNNs and data
    augmentation for environmental sound classification, section II.B.
    """
    max_shift = round(MAX_SHIFT_SECONDS * rate)
    num_samples = int(rng.integers(-max_shift, max_shift + 1))
    gain = 10 ** (rng.uniform(-GAIN_DECIBELS, GAIN_DECIBELS) / 20)
    noisy, decibels = rng.random() < NOISE_PROBABILITY, rng.uniform(*NOISE_DECIBELS)
    augmented = shift(waveform, num_samples) * np.float32(gain)
    if noisy:
        rms = np.sqrt(np.mean(np.square(augmented, dtype=np.float64)))
        noise = rng.standard_normal(len(waveform), dtype=np.float32)
        augmented = augmented + noise * np.float32(rms * 10 ** (-decibels / 20))
    return augmented.clip(-1, 1)


def shift(waveform: Waveform, num_samples: int) -> Waveform:
    """Delay a waveform (a negative number advances it) at the same length; silence fills the gap.

    >>> shift(np.array([1, 2, 3], dtype=np.float32), 1).tolist()
    [0.0, 1.0, 2.0]
    >>> shift(np.array([1, 2, 3], dtype=np.float32), -2).tolist()
    [3.0, 0.0, 0.0]
    """
    shifted = np.zeros_like(waveform)
    num_samples = max(-len(waveform), min(len(waveform), num_samples))
    if num_samples >= 0:
        shifted[num_samples:] = waveform[: len(waveform) - num_samples]
    else:
        shifted[:num_samples] = waveform[-num_samples:]
    return shifted
