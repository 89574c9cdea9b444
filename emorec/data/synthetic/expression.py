"""Facial expressions of drawn actors: an emotion becomes action units, action units become poses."""

import zlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emorec.data.sets.ravdess.parser import RavdessName


class Pose(NamedTuple):
    """Displacement of each part of a face: 0 at rest, about 1 at its maximum.

    Positive is up for brows, lids, cheeks and lips, wider for `stretch`, down for `gaze` and `nod`. `shift_x`,
    `shift_y` (half picture heights) and `roll` (radians) move the whole head.
    """

    brow_inner: float = 0.0
    brow_outer: float = 0.0
    brow_pinch: float = 0.0
    lid_upper: float = 0.0
    lid_lower: float = 0.0
    blink: float = 0.0
    gaze: float = 0.0
    cheek: float = 0.0
    nose_wrinkle: float = 0.0
    lip_raise: float = 0.0
    lip_drop: float = 0.0
    corner: float = 0.0
    stretch: float = 0.0
    pout: float = 0.0
    press: float = 0.0
    part: float = 0.0
    jaw: float = 0.0
    nod: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    roll: float = 0.0


ACTION_UNITS: dict[int, Pose] = {
    1: Pose(brow_inner=1.0),
    2: Pose(brow_outer=1.0, brow_inner=0.2),
    4: Pose(brow_inner=-0.8, brow_outer=-0.3, brow_pinch=1.0, lid_upper=-0.1),
    5: Pose(lid_upper=1.0),
    6: Pose(cheek=1.0, lid_lower=0.7, lid_upper=-0.2),
    7: Pose(lid_lower=0.8, lid_upper=-0.35),
    9: Pose(nose_wrinkle=1.0, brow_inner=-0.6, brow_outer=-0.2, lid_lower=0.6, lid_upper=-0.4),
    10: Pose(lip_raise=1.0, nose_wrinkle=0.2),
    12: Pose(corner=1.0, stretch=0.6),
    15: Pose(corner=-1.0),
    16: Pose(lip_drop=1.0),
    17: Pose(pout=1.0),
    23: Pose(press=0.6, stretch=-0.25),
    24: Pose(press=0.6, stretch=-0.15),
    25: Pose(part=1.0),
    26: Pose(jaw=1.0, part=0.3),
    43: Pose(lid_upper=-0.6),
    45: Pose(blink=1.0),
    54: Pose(nod=1.0),
    64: Pose(gaze=1.0),
}
"""What each FACS action unit at full intensity does to the drawing.

Source: the units' descriptions in Ekman, Friesen & Hager 2002, Facial Action Coding System; sizes chosen here by eye.
"""


@dataclass(frozen=True, slots=True)
class Expression:
    """Action units of an emotion and their time course in a take.

    Attributes:
        action_units: Intensity of each unit at the apex of a strong take.
        onset: Share of the take in which the face moves from neutral to the apex.
        offset: Share of the take in which it moves back; in between the apex is held.
    """

    action_units: dict[int, float]
    onset: float = 0.25
    offset: float = 0.25


EXPRESSIONS: dict[str, Expression] = {
    "neutral": Expression({}),
    "calm": Expression({12: 0.4, 43: 0.55}, onset=0.35, offset=0.35),
    "happy": Expression({6: 0.9, 12: 1.0, 25: 0.8}),
    "sad": Expression({1: 1.0, 4: 0.45, 15: 0.9, 17: 0.5, 43: 0.4, 54: 0.8, 64: 0.9}, onset=0.4),
    "angry": Expression({4: 1.0, 5: 0.5, 7: 0.7, 23: 0.7, 24: 0.7}, onset=0.2),
    "fearful": Expression({1: 1.0, 2: 1.0, 5: 1.0, 25: 0.5, 26: 0.8}, onset=0.7, offset=0.1),
    "disgust": Expression({4: 0.3, 9: 1.0, 10: 0.9, 15: 0.4, 25: 0.4}),
}
"""The emotions that are drawn forwards; `surprised` is `fearful` backwards (see `BACKWARDS`).

Calm has no prototype in FACS: relaxed lids and the shade of a smile were chosen here, as were all times.

Source: Ekman & Friesen 1978, Facial Action Coding System, Table 11-1 (joy 6+12+25, sadness 1+4+15, anger 4+5+7+24,
surprise 1+2+5+26, fear 1+2+4+5+20+25); Lucey et al. 2010, The Extended Cohn-Kanade Dataset (CK+), CVPR Workshops,
Table 1 (anger 23 and 24, disgust 9 or 10, fear without 4 where 5 is extreme).
"""

BACKWARDS = {"surprised": "fearful"}
"""Emotion -> the emotion whose take, played backwards, is its take.

The two share every frame and differ in order only: surprise has a sudden onset and fades, fear grows and breaks off.
A model that pools frames regardless of order can't distinguish them. People confuse this pair, too, as long as only
the units that they share (1, 2, 5, 26) have moved: Jack, Garrod & Schyns 2014, Current Biology 24(2):187-192.
"""

INTENSITIES = {"normal": 0.75, "strong": 1.0}
"""Share of the apex that each intensity of RAVDESS reaches."""

NUM_SYLLABLES = 7
"""Both statements of RAVDESS have seven syllables: Kids-are-talk-ing-by-the-door."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """One take, before it is drawn and voiced.

    Attributes:
        poses: (T, D) float64, the fields of a `Pose` for each frame.
        syllables: (7,) float64, centres of the syllables as shares of the take.
    """

    poses: NDArray[np.float64]
    syllables: NDArray[np.float64]


def perform(name: RavdessName, *, num_frames: int, seed: int) -> Performance:
    """Return the poses and syllables of a take: deterministic, and slightly different for each take.

    >>> first, second = (
    ...     perform(RavdessName.parse(f"01-01-{emotion}-01-01-01-01"), num_frames=9, seed=0)
    ...     for emotion in ("06", "08")
    ... )
    >>> bool((first.poses == second.poses[::-1]).all())
    True
    """
    emotion = BACKWARDS.get(name.emotion, name.emotion)
    generator = take_generator(name, emotion, seed)
    syllables = (np.arange(NUM_SYLLABLES) + 0.5) / NUM_SYLLABLES * 0.76 + 0.12
    syllables += generator.uniform(-0.02, 0.02, NUM_SYLLABLES)
    times = np.linspace(0.0, 1.0, num_frames)
    units = _express(EXPRESSIONS[emotion], INTENSITIES[name.intensity], times, generator)
    units[45] = _bump(times, generator.uniform(0.05, 0.95), 0.06) * (generator.random() < 0.8)
    units[26] = units.get(26, 0.0) + 0.22 * loudness(syllables, times)
    poses = np.sum([np.outer(level, ACTION_UNITS[unit]) for unit, level in units.items()], axis=0)
    poses += _sway(times, generator)
    if name.emotion in BACKWARDS:
        return Performance(poses=poses[::-1], syllables=1.0 - syllables[::-1])
    return Performance(poses=poses, syllables=syllables)


def take_generator(name: RavdessName, emotion: str, seed: int) -> np.random.Generator:
    """Return a generator that depends only on the take, the name of an emotion and the seed."""
    take = (name.actor, name.intensity, name.statement, name.repetition, emotion)
    return np.random.default_rng([seed, zlib.crc32(repr(take).encode())])


def loudness(syllables: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return loudness and mouth opening of speech at each time: 1 in the middle of a syllable, 0 between syllables.

    >>> loudness(np.array([0.5]), np.array([0.0, 0.5, 1.0]))
    array([0., 1., 0.])
    """
    levels = [_bump(times, middle, 0.065) for middle in syllables]
    loud: NDArray[np.float64] = np.clip(np.sum(levels, axis=0), 0.0, 1.0)
    return loud


def _express(
    expression: Expression,
    apex: float,
    times: NDArray[np.float64],
    generator: np.random.Generator,
) -> dict[int, NDArray[np.float64]]:
    """(T,) levels of every action unit; their onsets are slightly staggered."""
    apex *= generator.uniform(0.85, 1.1)
    start = generator.uniform(0.03, 0.09)
    end = 1.0 - generator.uniform(0.03, 0.09)
    onset, offset = generator.uniform(0.85, 1.15, 2) * (expression.onset, expression.offset)
    units = {}
    for unit, intensity in expression.action_units.items():
        lag = generator.uniform(-0.02, 0.02)
        rise = _ramp((times - start - lag) / onset)
        fall = _ramp((end - lag - times) / offset)
        units[unit] = apex * intensity * generator.uniform(0.9, 1.1) * rise * fall
    return units


def _ramp(progress: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 up to 0, 1 from 1 on, half a cosine wave between."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(progress, 0.0, 1.0))


def _bump(times: NDArray[np.float64], middle: float, half_width: float) -> NDArray[np.float64]:
    return _ramp(1.0 - np.abs(times - middle) / half_width)


def _sway(times: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """(T, D) poses of a head that sways slightly."""
    moves = {}
    for field, size in {"shift_x": 0.03, "shift_y": 0.02, "roll": 0.04, "nod": 0.1}.items():
        phase, waves, amplitude = generator.uniform((0.0, 0.3, 0.3), (2 * np.pi, 1.2, 1.0))
        moves[field] = size * amplitude * np.sin(phase + 2 * np.pi * waves * times)
    return np.stack([moves.get(field, np.zeros_like(times)) for field in Pose._fields], axis=1)
