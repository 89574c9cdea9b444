"""Decode the sound of a file to one channel at one sample rate, with PyAV.

decord reads sound too, but returns wrong samples for stereo files (version 0.6.0, every original of RAVDESS).
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from emorec.data.video.reader import CUT_OFF, ClipError, check_readable

if TYPE_CHECKING:  # importing PyAV is slow
    from av.audio.frame import AudioFrame
    from av.audio.layout import AudioLayout
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

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


def iter_audio(path: Path, rate: int, holes: list[Span] | None = None) -> Iterator[Waveform]:
    """Yield the sound of a file in chunks from second 0 of its clock (see `emorec.data.media`).

    It is the mean of all channels, resampled by FFmpeg. Where the file has a hole, there is silence: also before sound
    that begins late, and after sound that ends before the pictures.

    Args:
        path: A video or sound file.
        rate: Samples per second.
        holes: Receives the holes longer than `MAX_HOLE_SECONDS`, each before its silence is yielded.

    Raises:
        ClipError: When it has no sound, or where it can't be decoded any further.
    """
    # PyAV takes long to import
    from emorec.data.media import (
        DECODING_ERRORS,
        audio_stream,
        clock_zero,
        declared_end,
        open_media,
    )

    end = None
    resampler = ClockResampler(rate, holes)
    try:
        with open_media(path, NOT_SOUND) as container:
            stream = audio_stream(container)
            if stream is None:
                raise ClipError.of(path, NO_SOUND)
            end, zero = declared_end(container, stream), float(clock_zero(container))
            packets = _Packets(container, stream)
            for frame in chain(_frames(packets), [None]):
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


class _Packets:
    """The packets of the sound, while others are passed over.

    Attributes:
        pictures_end: End of the last picture so far, in seconds of the timestamps.
    """

    def __init__(self, container: "InputContainer", stream: "AudioStream") -> None:
        self._container, self._stream = container, stream
        self.pictures_end = 0.0

    def __iter__(self) -> "Iterator[Packet[AudioStream]]":
        from emorec.data.media import demux

        for packet in demux(self._container):
            if packet.stream is self._stream:
                yield packet
            elif packet.pts is not None and packet.time_base is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                self.pictures_end = max(self.pictures_end, float(end))


def _frames(packets: Iterable["Packet[AudioStream]"]) -> "Iterator[AudioFrame]":
    for packet in packets:
        yield from packet.decode()


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
