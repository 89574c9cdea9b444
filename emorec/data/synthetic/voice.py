"""The voice of a take: a tone whose pitch, loudness and vowels follow the emotion and the statement."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.synthetic.expression import Performance, loudness, take_generator

SAMPLE_RATE = 16_000
"""Samples per second."""

_CONTROL_RATE = 200
"""Rate in Hz at which pitch, vowel and loudness are computed; in between they are interpolated linearly."""

_NUM_HARMONICS = 24
_FORMANT_WIDTH_HZ = 110.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Voice of an emotion, relative to the neutral voice of the actor.

    Attributes:
        pitch: Mean pitch, in semitones above neutral.
        melody: How far each syllable's pitch rises above that, in semitones.
        slope: Pitch at the end of the take less that at its start, in semitones.
        level: Loudness in dB against neutral.
        brightness: Share of the glottal spectral tilt that is removed: 0 is soft, 1 is shrill.
        tremor: Depth of a 6 Hz vibrato, in semitones.
    """

    pitch: float = 0.0
    melody: float = 1.0
    slope: float = -1.5
    level: float = 0.0
    brightness: float = 0.2
    tremor: float = 0.0


VOICES: dict[str, Voice] = {
    "neutral": Voice(),
    "calm": Voice(pitch=-1.0, melody=0.8, level=-4.0, brightness=0.1),
    "happy": Voice(pitch=5.0, melody=4.0, slope=1.0, level=4.0, brightness=0.5),
    "sad": Voice(pitch=-1.0, melody=0.5, slope=-4.0, level=-6.0, brightness=0.0, tremor=0.2),
    "angry": Voice(pitch=4.0, melody=3.0, slope=-1.0, level=9.0, brightness=0.8),
    "fearful": Voice(pitch=7.0, melody=1.0, slope=3.0, level=2.0, brightness=0.4, tremor=0.8),
    "disgust": Voice(pitch=-2.0, melody=2.0, slope=-5.0, level=1.0, brightness=0.3),
    "surprised": Voice(pitch=5.0, melody=3.0, slope=8.0, level=4.0, brightness=0.4),
}
"""The voice of each emotion in a strong take.

Source: the directions (higher, louder, brighter, more varied) are those of Juslin & Laukka 2003, Psychological Bulletin
129(5):770-814, for anger, fear, happiness and sadness, and of Banse & Scherer 1996, JPSP 70(3):614-636, for disgust;
calm and surprise, and all sizes, were chosen here.
"""

_MIDDLE_PITCH_HZ = {"male": 120.0, "female": 210.0}

FORMANTS_HZ = {
    "male": {
        "i": (390.0, 1990.0, 2550.0),
        "a": (730.0, 1090.0, 2440.0),
        "o": (570.0, 840.0, 2410.0),
        "u": (640.0, 1190.0, 2390.0),
    },
    "female": {
        "i": (430.0, 2480.0, 3070.0),
        "a": (850.0, 1220.0, 2810.0),
        "o": (590.0, 920.0, 2710.0),
        "u": (760.0, 1400.0, 2780.0),
    },
}
"""First three formants of the vowels in bid, father, bought and but.

Source: Peterson & Barney 1952, JASA 24(2):175-184, Table II.
"""

VOWELS = ("iaoiauo", "oaiiauo")
"""The vowel of each syllable, for both statements of RAVDESS."""


def synthesize(
    name: RavdessName, performance: Performance, *, seconds: float, seed: int
) -> NDArray[np.float32]:
    """Synthesize the voice of a take: (samples,) at `SAMPLE_RATE`, within -1 to 1."""
    generator = take_generator(name, f"voice of {name.emotion}", seed)
    actor = np.random.default_rng([seed, name.actor, 1])
    voice = VOICES[name.emotion]
    strength = generator.uniform(0.9, 1.1) * (1.0 if name.intensity == "strong" else 0.6)
    shares = np.linspace(0.0, 1.0, max(2, round(seconds * _CONTROL_RATE)))
    level = loudness(performance.syllables, shares)
    wobble = voice.tremor * np.sin(2 * np.pi * 6.0 * seconds * shares)
    semitones = voice.pitch + voice.slope * (shares - 0.5) + voice.melody * level + wobble
    middle_hz = _MIDDLE_PITCH_HZ[name.sex] * actor.uniform(0.88, 1.14)
    pitch_hz = middle_hz * 2 ** (strength * semitones / 12)
    formants = _formants(name, performance, shares) * actor.uniform(0.95, 1.05)
    fall = -1.6 + 0.9 * voice.brightness * strength
    spectrum = _spectrum(pitch_hz, formants, fall)  # (harmonics, control times)
    gain = 0.12 * 10 ** (strength * voice.level / 20)
    samples = np.linspace(0.0, 1.0, round(seconds * SAMPLE_RATE), endpoint=False)
    tone = _harmonics(np.interp(samples, shares, pitch_hz), spectrum, shares, samples)
    breath = 0.02 * generator.standard_normal(len(samples))
    sound = gain * np.interp(samples, shares, level) * (tone + breath)
    return np.tanh(sound).astype(np.float32)


def _formants(
    name: RavdessName, performance: Performance, shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(3, control times) formants in Hz, gliding from the vowel of each syllable to the next."""
    vowels = np.array([FORMANTS_HZ[name.sex][vowel] for vowel in VOWELS[name.statement - 1]])
    return np.stack([np.interp(shares, performance.syllables, formant) for formant in vowels.T])


def _spectrum(
    pitch_hz: NDArray[np.float64], formants: NDArray[np.float64], fall: float
) -> NDArray[np.float64]:
    """(harmonics, control times) amplitudes, of power 1 at every time."""
    order = np.arange(1, _NUM_HARMONICS + 1)[:, None]
    hertz = order * pitch_hz
    distance = (hertz[:, None] - formants) / _FORMANT_WIDTH_HZ
    resonance = (1 / (1 + distance**2)).sum(axis=1) + 0.02
    strengths = order**fall * resonance * (hertz < 0.45 * SAMPLE_RATE)
    return np.asarray(strengths / np.sqrt((strengths**2).sum(axis=0)))


def _harmonics(
    pitch_hz: NDArray[np.float64],
    spectrum: NDArray[np.float64],
    shares: NDArray[np.float64],
    samples: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(samples,) sum of the harmonics of a gliding pitch."""
    turn = np.exp(2j * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE)
    harmonic = np.ones_like(turn)
    tone = np.zeros(len(samples))
    for strengths in spectrum:
        harmonic = harmonic * turn
        tone += np.interp(samples, shares, strengths) * harmonic.imag
    return tone
