"""Sound of training clips, a little different in every epoch."""

import numpy as np

from emorec.data.sound.decode_sound import Waveform

LONGEST_SHIFT_SECONDS = 0.3

NOISE_SHARE = 0.5
"""Of the clips that get noise."""

NOISE_DECIBELS = (10.0, 40.0)
"""How far below the sound the noise is, drawn evenly from this range."""

GAIN_DECIBELS = 6.0
"""Louder or quieter by at most so much."""


def vary(sound: Waveform, draw: np.random.Generator, rate: int) -> Waveform:
    """Shifts the sound, changes how loud it is, and adds white noise to half of the clips.

    Args:
        sound: (samples,).
        draw: Where what is drawn comes from; it is asked in the same way every time.
        rate: Samples a second.

    Source: Ko et al. 2015, Audio augmentation for speech recognition; Salamon & Bello 2017, Deep CNNs and data
    augmentation for environmental sound classification, section II.B.
    """
    most = round(LONGEST_SHIFT_SECONDS * rate)
    steps = int(draw.integers(-most, most + 1))
    gain = 10 ** (draw.uniform(-GAIN_DECIBELS, GAIN_DECIBELS) / 20)
    noisy, below = draw.random() < NOISE_SHARE, draw.uniform(*NOISE_DECIBELS)
    varied = shifted(sound, steps) * np.float32(gain)
    if noisy:
        loudness = np.sqrt(np.mean(np.square(varied, dtype=np.float64)))
        noise = draw.standard_normal(len(sound), dtype=np.float32)
        varied = varied + noise * np.float32(loudness * 10 ** (-below / 20))
    return varied.clip(-1, 1)


def shifted(sound: Waveform, steps: int) -> Waveform:
    """The same length, so many samples later (earlier below 0); what enters is silence.

    >>> shifted(np.array([1, 2, 3], dtype=np.float32), 1).tolist()
    [0.0, 1.0, 2.0]
    >>> shifted(np.array([1, 2, 3], dtype=np.float32), -2).tolist()
    [3.0, 0.0, 0.0]
    """
    moved = np.zeros_like(sound)
    steps = max(-len(sound), min(len(sound), steps))
    if steps >= 0:
        moved[steps:] = sound[: len(sound) - steps]
    else:
        moved[: len(sound) + steps] = sound[-steps:]
    return moved
