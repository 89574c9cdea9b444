"""Everything that shapes the sound of a clip before anything is drawn at random."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from emorec.data.sound.decode_sound import Waveform, decode_sound
from emorec.data.video.reader import decoder_version

FORMAT = 2
"""Of the sound on disk; a higher number makes all that was kept before worthless."""

FULL_SCALE = 32767
"""The loudest 16-bit sample."""

Samples: TypeAlias = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundRecipe:
    """How a clip becomes samples of one channel.

    A clip that is longer gives its middle; around a shorter one there is silence, as much before as after.

    Attributes:
        sound_rate: Samples a second.
        sound_seconds: How long.

    >>> SoundRecipe(sound_rate=16000, sound_seconds=3.0).shape
    (48000,)
    """

    sound_rate: int
    sound_seconds: float

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Self:
        """The recipe that `plain()` wrote down."""
        return cls(**plain)

    def plain(self) -> dict[str, Any]:
        """The recipe as plain values."""
        return asdict(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """(samples,) of a clip."""
        return (round(self.sound_rate * self.sound_seconds),)

    @property
    def silence(self) -> Waveform:
        """(samples,) of nothing to hear."""
        return np.zeros(self.shape, dtype=np.float32)

    @property
    def dtype(self) -> type[np.int16]:
        """16 bits a sample, as on a CD."""
        return np.int16

    @property
    def name(self) -> str:
        """A file name that no other recipe has, with the version of the reader in it."""
        shaped_by = {"format": FORMAT, **self.plain(), "reader": decoder_version("pyav")}
        digest = hashlib.sha256(json.dumps(shaped_by, sort_keys=True).encode()).hexdigest()
        return f"sound-{self.sound_rate}x{self.shape[0]}-{digest[:8]}"

    @property
    def check(self) -> str:
        """Stands for the recipe where nothing is kept but what is wrong with the clips."""
        return f"sound check 2, {decoder_version('pyav')}"

    def samples(self, path: Path, span_seconds: tuple[float, float] | None = None) -> Samples:
        """(samples,) of a clip.

        Args:
            path: The file that has its sound.
            span_seconds: The part of it that is the clip, half-open; `None` is the whole file.

        Raises:
            ClipError: When the sound can't be read.
        """
        return self.of_sound(decode_sound(path, self.sound_rate, span_seconds))

    def of_sound(self, sound: Waveform) -> Samples:
        """(samples,) of a clip whose sound was read."""
        return np.round(fitted(sound, self.shape[0]).clip(-1, 1) * FULL_SCALE).astype(np.int16)


def as_floats(samples: Samples) -> Waveform:
    """Samples from -1 to 1, as a network hears them.

    >>> as_floats(np.array([-32767, 0], dtype=np.int16)).tolist()
    [-1.0, 0.0]
    """
    return samples.astype(np.float32) / np.float32(FULL_SCALE)


def fitted(sound: Waveform, length: int) -> Waveform:
    """The middle of what is longer, silence on both sides of what is shorter.

    >>> fitted(np.array([1, 2, 3, 4, 5], dtype=np.float32), 3).tolist()
    [2.0, 3.0, 4.0]
    >>> fitted(np.array([1, 2], dtype=np.float32), 5).tolist()
    [0.0, 1.0, 2.0, 0.0, 0.0]
    """
    if len(sound) >= length:
        first = (len(sound) - length) // 2
        return sound[first : first + length]
    before = (length - len(sound)) // 2
    return np.pad(sound, (before, length - len(sound) - before))
