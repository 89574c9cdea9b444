"""The sample rate and length to which the sound of every clip is brought."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from emorec.data.audio.decode import MAX_HOLE_SECONDS, Span, Waveform, decode_audio
from emorec.data.clip import Clip, content_key
from emorec.data.video.reader import decoder_version
from emorec.text import first_few, listed_files, plural

FORMAT = 3
"""Version of the preprocessing; raising it makes cached sound unused."""

FULL_SCALE = 32767
"""The largest 16-bit sample."""

Samples: TypeAlias = npt.NDArray[np.int16]
"""(samples,) int16, as cached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSpec:
    """Sample rate and length of a clip's sound, one channel.

    A longer clip is cropped to its middle; a shorter one is padded with silence on both sides.

    Attributes:
        sound_rate: Samples per second.
        sound_seconds: Length.

    >>> AudioSpec(sound_rate=16000, sound_seconds=3.0).shape
    (48000,)
    """

    sound_rate: int
    sound_seconds: float

    @property
    def shape(self) -> tuple[int, ...]:
        """(samples,) of a clip."""
        return (round(self.sound_rate * self.sound_seconds),)

    @property
    def dtype(self) -> type[np.int16]:
        """16 bits a sample, as on a CD."""
        return np.int16

    @property
    def silence(self) -> Waveform:
        """(samples,) zeros."""
        return np.zeros(self.shape, dtype=np.float32)

    @property
    def name(self) -> str:
        """A file name that is unique to this specification and the version of the decoder."""
        content = {"format": FORMAT, **asdict(self), "reader": decoder_version("pyav")}
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return f"sound-{self.sound_rate}x{self.shape[0]}-{digest[:8]}"

    @property
    def check_name(self) -> str:
        """Takes the place of the name where clips are only checked and no sound is stored."""
        return f"sound check 3, {decoder_version('pyav')}"

    @staticmethod
    def source(clip: Clip) -> Path:
        """Return the file that is decoded."""
        return clip.sound_path or clip.path

    @staticmethod
    def key(clip: Clip, digest: str) -> str:
        """Return the name of the clip's sound in the cache.

        Args:
            clip: The clip.
            digest: Of the file that is decoded.
        """
        return content_key(digest, _span_seconds(clip))

    def load(self, clip: Clip) -> Samples:
        """Return the sound of a clip, (samples,) int16; see `decode`."""
        return self.decode(clip)[0]

    def decode(self, clip: Clip) -> tuple[Samples, str | None]:
        """Decode the sound of a clip, (samples,) int16; return where it has holes, too, or `None`.

        Raises:
            ClipError: When it can't be decoded.
        """
        span, holes = _span_seconds(clip), list[Span]()
        waveform = decode_audio(self.source(clip), self.sound_rate, span, holes)
        first, stop = span or (0.0, math.inf)
        within = [(max(start, first), min(end, stop)) for start, end in holes]
        named = [
            f"{start - first:.3g} to {end - first:.3g} s"
            for start, end in within
            if end - start > MAX_HOLE_SECONDS
        ]
        return self.fit(waveform), first_few(named, limit=3) or None

    @staticmethod
    def warning(notes: Sequence[tuple[Path, str]]) -> str:
        """Return what a user should know about the clips that were decoded with a note."""
        return (
            f"the sound of {plural(len(notes), 'clip')} has holes, silence takes their place: "
            f"{listed_files(notes)}"
        )

    def fit(self, waveform: Waveform) -> Samples:
        """Crop or pad a waveform and convert it to int16."""
        fitted = fit_length(waveform, self.shape[0])
        return np.round(fitted.clip(-1, 1) * FULL_SCALE).astype(np.int16)


def _span_seconds(clip: Clip) -> tuple[float, float] | None:
    """The span of the sound in its file; a separate sound file holds the sound of the clip alone."""
    return clip.span_seconds if clip.sound_path is None else None


def to_float(samples: Samples) -> Waveform:
    """Convert int16 samples to float32 from -1 to 1.

    >>> to_float(np.array([-32767, 0], dtype=np.int16)).tolist()
    [-1.0, 0.0]
    """
    return samples.astype(np.float32) / np.float32(FULL_SCALE)


def fit_length(waveform: Waveform, length: int) -> Waveform:
    """Crop a longer waveform to its middle, pad a shorter one with silence on both sides.

    >>> fit_length(np.array([1, 2, 3, 4, 5], dtype=np.float32), 3).tolist()
    [2.0, 3.0, 4.0]
    >>> fit_length(np.array([1, 2], dtype=np.float32), 5).tolist()
    [0.0, 1.0, 2.0, 0.0, 0.0]
    """
    if len(waveform) >= length:
        first = (len(waveform) - length) // 2
        return waveform[first : first + length]
    before = (length - len(waveform)) // 2
    return np.pad(waveform, (before, length - len(waveform) - before))
