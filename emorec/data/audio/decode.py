"""Decode the sound of a file to one channel at one sample rate, with PyAV.

decord reads sound too, but returns wrong samples for stereo files (version 0.6.0, every original of RAVDESS).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from emorec.data.video.reader import CUT_OFF, ClipError, check_readable

if TYPE_CHECKING:  # importing PyAV is slow
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

Waveform: TypeAlias = npt.NDArray[np.float32]
"""(samples,) float32, -1 to 1."""

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
    from emorec.data.media import DECODING_ERRORS, audio_stream, clock_zero, open_media

    samples, declared_end = 0, 0.0
    holes = [] if holes is None else holes
    try:
        with open_media(path, NOT_SOUND) as container:
            stream = audio_stream(container)
            if stream is None:
                raise ClipError.of(path, NO_SOUND)
            zero, tick = clock_zero(container), stream.time_base or 0
            if stream.duration:
                declared_end = float(((stream.start_time or 0) + stream.duration) * tick - zero)
            packets = _Packets(container, stream)
            for chunk in _resampled(_frames(packets), rate, float(zero), holes):
                samples += len(chunk)
                yield chunk
            pictures_end = packets.pictures_end - float(zero)
    except DECODING_ERRORS as error:
        raise ClipError.of(path, CUT_OFF if samples else NOT_SOUND) from error
    if samples / rate < declared_end - MAX_MISSING_SECONDS:  # to FFmpeg this is a normal end
        raise ClipError.of(path, CUT_OFF)
    if samples and MAX_HOLE_SECONDS < pictures_end - samples / rate < DAMAGE_SECONDS:
        holes.append((samples / rate, pictures_end))
        yield from _silence(round(pictures_end * rate) - samples)


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


def _resampled(
    frames: "Iterable[AudioFrame]", rate: int, zero: float, holes: list[Span]
) -> Iterator[Waveform]:
    """Place frames on the clock: silence before a late one, and nothing of what is there already.

    Args:
        frames: Of one stream, in order.
        rate: Samples per second.
        zero: Where the clock is zero, in seconds of the timestamps.
        holes: Receives the holes longer than `MAX_HOLE_SECONDS`.

    Raises:
        ValueError: For a hole that is longer than `DAMAGE_SECONDS`.
    """
    from av.audio.resampler import AudioResampler

    samples, surplus, expected = 0, 0, 0.0
    resampler: AudioResampler | None = None
    settings: tuple[object, ...] = ()

    def chunks(frame: "AudioFrame | None") -> Iterator[Waveform]:
        nonlocal samples, surplus
        for part in resampler.resample(frame) if resampler else ():
            mono: Waveform = part.to_ndarray().mean(axis=0, dtype=np.float32)
            mono, surplus = mono[surplus:], max(surplus - len(mono), 0)
            samples += len(mono)
            yield mono

    for frame in frames:
        start = expected if frame.time is None else frame.time - zero
        before, settings = settings, (frame.format.name, frame.layout.name, frame.sample_rate)
        if settings != before or abs(start - expected) > MAX_JITTER_SECONDS:
            yield from chunks(None)
            hole = round(start * rate) - samples
            if hole > DAMAGE_SECONDS * rate:
                raise ValueError(f"no sound for {hole / rate:g} s")
            if hole > MAX_HOLE_SECONDS * rate:
                holes.append((samples / rate, start))
            yield from _silence(hole)
            samples, surplus, expected = samples + max(hole, 0), max(-hole, 0), start
            resampler = AudioResampler(format="fltp", rate=rate)
        yield from chunks(frame)
        expected += frame.samples / frame.sample_rate
    yield from chunks(None)


def _silence(num_samples: int) -> Iterator[Waveform]:
    """Yield silence in chunks, so that a long hole takes no memory; none for a number below 1."""
    while num_samples > 0:
        yield np.zeros(min(num_samples, CHUNK_SAMPLES), np.float32)
        num_samples -= CHUNK_SAMPLES
