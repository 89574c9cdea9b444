"""The sound of a clip: decoding, resampling to one rate and length, augmentation.

It is decoded with PyAV: decord returns wrong samples for stereo files (version 0.6.0, every original of RAVDESS).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emorec.data.clip import Clip, content_key, settings_digest
from emorec.data.video.reader import CUT_OFF, ClipError, check_readable, decoder_version
from emorec.text import first_few, listed_files, plural

if TYPE_CHECKING:  # importing PyAV is slow
    from av.audio.frame import AudioFrame
    from av.audio.layout import AudioLayout
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream

    from emorec.data.media import Packets

Waveform: TypeAlias = npt.NDArray[np.float32]
"""(samples,) float32, -1 to 1."""

Channels: TypeAlias = npt.NDArray[np.float32]
"""(channels, samples) float32, -1 to 1."""

MAX_MISSING_SECONDS = 0.25
"""By how much a file may be shorter than it declares; no clip of RAVDESS is shorter at all."""

MAX_JITTER_SECONDS = 0.05
"""By how much timestamps may differ from the number of samples before; containers round them."""

MAX_HOLE_SECONDS = 0.5
"""Longer holes are reported."""

DAMAGE_SECONDS = 3600
"""Holes of this length are wrong timestamps."""

CHUNK_SAMPLES = 1 << 16

Span: TypeAlias = tuple[float, float]
"""Start and end in seconds of the clock, half-open."""

NO_SOUND = "it has no sound"
NOT_SOUND = "neither a video nor a sound file, or cut off so that its index is missing"


def decode_audio(
    path: Path,
    rate: int,
    span_seconds: Span | None = None,
    holes: list[Span] | None = None,
) -> Waveform:
    """Decode a file: the mean of all channels, resampled by FFmpeg, (samples,) float32 from -1 to 1.

    Args:
        path: A video or sound file.
        rate: Samples per second.
        span_seconds: The part of it to return; `None` is all of it.
        holes: Receives the holes in which there is silence instead, see `iter_audio`.

    Raises:
        ClipError: When it can't be read, has no sound (then its reason is `NO_SOUND`), or none in the span.
    """
    check_readable(path)
    waveform = np.concatenate([np.empty(0, dtype=np.float32), *iter_audio(path, rate, holes)])
    if span_seconds is not None:
        # a span without an end has an infinite one
        first, stop = (round(min(second * rate, len(waveform))) for second in span_seconds)
        waveform = waveform[first:stop]
    if not len(waveform):
        where = "" if span_seconds is None else " between {:g} s and {:g} s".format(*span_seconds)
        raise ClipError.of(path, f"its sound is empty{where}")
    if not np.isfinite(waveform).all():
        raise ClipError.of(path, "its sound holds values that are not finite")
    return waveform


def iter_audio(
    path: Path,
    rate: int,
    holes: list[Span] | None = None,
    packets: "Packets | None" = None,
    *,
    tolerant: bool = False,
) -> Iterator[Waveform]:
    """Yield the sound of a file in chunks from second 0 of its clock (see `emorec.data.media`).

    It is the mean of all channels, resampled by FFmpeg. Where the file has a hole, there is silence: also before sound
    that begins late, and after sound that ends before the pictures.

    Args:
        path: A video or sound file.
        rate: Samples per second.
        holes: Receives the holes longer than `MAX_HOLE_SECONDS`, each before its silence is yielded.
        packets: Of the file, where another thread takes those of its pictures.
        tolerant: Whether a damaged packet is a hole, and not an error; else what is decoded is known to be whole.

    Raises:
        ClipError: When it has no sound, or where it can't be decoded any further.
    """
    # PyAV takes long to import
    from emorec.data.media import (
        DECODING_ERRORS,
        Packets,
        audio_stream,
        clock_zero,
        declared_end,
    )

    packets = packets or Packets(path, NOT_SOUND)
    stream = audio_stream(packets.container)
    if stream is None:
        packets.close()
        raise ClipError.of(path, NO_SOUND)
    end, zero = declared_end(packets.container, stream), float(clock_zero(packets.container))
    resampler = ClockResampler(rate, holes)
    try:
        for frame in chain(_frames(stream, packets, resampler, tolerant=tolerant), [None]):
            for chunk in resampler.resample(frame, zero):
                yield chunk.mean(axis=0, dtype=np.float32)
        pictures_end = packets.pictures_end - zero
    except DECODING_ERRORS as error:
        raise ClipError.of(path, CUT_OFF if resampler.samples else NOT_SOUND) from error
    seconds = resampler.samples / rate
    if end and seconds < end - MAX_MISSING_SECONDS:  # to FFmpeg this is a normal end
        raise ClipError.of(path, CUT_OFF)
    if seconds and MAX_HOLE_SECONDS < pictures_end - seconds < DAMAGE_SECONDS:
        for chunk in resampler.silence_until(pictures_end):
            yield chunk[0]


def _frames(
    stream: "AudioStream", packets: "Packets", resampler: "ClockResampler", *, tolerant: bool
) -> "Iterator[AudioFrame]":
    """Yield the frames of a stream for a resampler; if `tolerant`, some packets may be damaged, but not all."""
    from emorec.data.media import DECODING_ERRORS

    damage, is_decodable = None, False
    for packet in packets.of(stream):
        try:
            frames = stream.codec_context.decode(packet)
        except DECODING_ERRORS as error:
            if not tolerant:
                raise
            resampler.resync()
            damage = error
            continue
        is_decodable = is_decodable or bool(frames)
        yield from frames
    if damage is not None and not is_decodable:
        raise damage


class ClockResampler:
    """Resamples sound and places it on the clock: silence before a late frame, nothing of what is there already.

    Args:
        rate: Samples per second.
        holes: Receives the holes longer than `MAX_HOLE_SECONDS`, each before its silence is yielded.
        layout: Channels of the result; by default those of each frame.

    Attributes:
        samples: Number of those that were yielded.
    """

    def __init__(
        self, rate: int, holes: list[Span] | None = None, layout: "AudioLayout | None" = None
    ) -> None:
        self.samples = 0
        self._rate, self._layout = rate, layout
        self._holes = [] if holes is None else holes
        self._resampler: AudioResampler | None = None
        self._settings: tuple[object, ...] = ()
        self._surplus = 0
        """Number of samples to drop next."""
        self._expected = 0.0
        """End of the frame before, in seconds."""

    def resample(self, frame: "AudioFrame | None", zero: float) -> Iterator[Channels]:
        """Yield the sound until the end of a frame.

        Args:
            frame: The next one of a stream; `None` after the last one yields what is left.
            zero: Where the clock is zero, in seconds of the timestamps.

        Raises:
            ValueError: For a hole that is longer than `DAMAGE_SECONDS`.
        """
        from av.audio.resampler import AudioResampler

        if frame is None:
            yield from self._chunks(None)
            return
        start = self._expected if frame.time is None else frame.time - zero
        settings = (frame.format.name, frame.layout.name, frame.sample_rate)
        if settings != self._settings or abs(start - self._expected) > MAX_JITTER_SECONDS:
            yield from self._chunks(None)
            yield from self.silence_until(start)
            self._surplus = self.samples - round(start * self._rate)
            self._resampler = AudioResampler("fltp", self._layout, self._rate)
            self._settings, self._expected = settings, start
        yield from self._chunks(frame)
        self._expected += frame.samples / frame.sample_rate

    def resync(self) -> None:
        """Place the next frame exactly by its timestamp, after damaged ones."""
        self._settings = ()

    def silence_until(self, seconds: float) -> Iterator[Channels]:
        """Yield silence up to a position, in chunks, so that a long hole takes no memory.

        Raises:
            ValueError: For a hole that is longer than `DAMAGE_SECONDS`.
        """
        start, hole = self.samples / self._rate, round(seconds * self._rate) - self.samples
        if hole > DAMAGE_SECONDS * self._rate:
            raise ValueError(f"no sound for {seconds - start:g} s")
        if hole > MAX_HOLE_SECONDS * self._rate:
            self._holes.append((start, seconds))
        channels = self._layout.nb_channels if self._layout else 1
        for length in range(hole, 0, -CHUNK_SAMPLES):
            silence = np.zeros((channels, min(length, CHUNK_SAMPLES)), np.float32)
            self.samples += silence.shape[1]
            yield silence

    def _chunks(self, frame: "AudioFrame | None") -> Iterator[Channels]:
        for part in self._resampler.resample(frame) if self._resampler else ():
            chunk = part.to_ndarray()[:, self._surplus :].astype(np.float32, copy=False)
            self._surplus -= part.samples - chunk.shape[1]
            self.samples += chunk.shape[1]
            yield chunk


AUDIO_FORMAT = 3
"""Version of the preprocessing; raising it makes cached sound unused."""

FULL_SCALE = 32767
"""The largest 16-bit sample."""

Samples: TypeAlias = npt.NDArray[np.int16]
"""(samples,) int16, as cached."""


class SoundSpec(ABC):
    """What is made of the sound of a clip; a subclass adds shape, type, name and `decode`."""

    __slots__ = ()

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of a clip's content."""

    @property
    @abstractmethod
    def dtype(self) -> type[np.generic]:
        """Of a clip's content."""

    @property
    @abstractmethod
    def name(self) -> str:
        """A file name that is unique to this specification and the version of everything that shapes the content."""

    @abstractmethod
    def decode(self, clip: Clip) -> tuple[npt.NDArray[Any], str | None]:
        """Decode the sound of a clip; return its content, and where the sound has holes or `None`.

        Raises:
            ClipError: When it can't be decoded.
        """

    @property
    def check_name(self) -> str:
        """Takes the place of the name where clips are only checked and nothing is stored."""
        return f"sound check 3, {decoder_version('pyav')}"

    @staticmethod
    def source(clip: Clip) -> Path:
        """Return the file that is decoded."""
        return clip.sound_path or clip.path

    @staticmethod
    def key(clip: Clip, digest: str) -> str:
        """Return the name of the clip's content in the cache.

        Args:
            clip: The clip.
            digest: Of the file that is decoded.
        """
        return content_key(digest, _span_seconds(clip))

    def load(self, clip: Clip) -> npt.NDArray[Any]:
        """Return the content of a clip; see `decode`."""
        return self.decode(clip)[0]

    @staticmethod
    def warning(notes: Sequence[tuple[Path, str]]) -> str:
        """Return what a user should know about the clips that were decoded with a note."""
        return (
            f"the sound of {plural(len(notes), 'clip')} has holes, silence takes their place: "
            f"{listed_files(notes)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSpec(SoundSpec):
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
    @override
    def shape(self) -> tuple[int, ...]:
        """(samples,) of a clip."""
        return (round(self.sound_rate * self.sound_seconds),)

    @property
    @override
    def dtype(self) -> type[np.int16]:
        """16 bits a sample, as on a CD."""
        return np.int16

    @property
    def silence(self) -> Waveform:
        """(samples,) zeros."""
        return np.zeros(self.shape, dtype=np.float32)

    @property
    @override
    def name(self) -> str:
        """A file name that is unique to this specification and the version of the decoder."""
        content = {"format": AUDIO_FORMAT, **asdict(self), "reader": decoder_version("pyav")}
        return f"sound-{self.sound_rate}x{self.shape[0]}-{settings_digest(content)}"

    @override
    def decode(self, clip: Clip) -> tuple[Samples, str | None]:
        """Decode the sound of a clip, (samples,) int16; return where it has holes, too, or `None`.

        Raises:
            ClipError: When it can't be decoded.
        """
        waveform, note = decode_clip_audio(clip, self.sound_rate)
        return self.fit(waveform), note

    def fit(self, waveform: Waveform) -> Samples:
        """Crop or pad a waveform and convert it to int16."""
        fitted = fit_length(waveform, self.shape[0])
        return np.round(fitted.clip(-1, 1) * FULL_SCALE).astype(np.int16)


def decode_clip_audio(clip: Clip, rate: int) -> tuple[Waveform, str | None]:
    """Decode the whole sound of a clip, (samples,) float32; return where it has holes, too, or `None`.

    Args:
        clip: The clip.
        rate: Samples per second.

    Raises:
        ClipError: When it can't be decoded.
    """
    span, holes = _span_seconds(clip), list[Span]()
    waveform = decode_audio(SoundSpec.source(clip), rate, span, holes)
    first, stop = span or (0.0, math.inf)
    within = [(max(start, first), min(end, stop)) for start, end in holes]
    named = [
        f"{start - first:.3g} to {end - first:.3g} s"
        for start, end in within
        if end - start > MAX_HOLE_SECONDS
    ]
    return waveform, first_few(named, limit=3) or None


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
