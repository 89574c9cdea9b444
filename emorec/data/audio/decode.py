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
    from av.packet import Packet

Waveform: TypeAlias = npt.NDArray[np.float32]
"""(samples,) float32, -1 to 1."""

MAX_MISSING_SECONDS = 0.25
"""By how much a file may be shorter than it declares; no clip of RAVDESS is shorter at all."""

MAX_JITTER_SECONDS = 0.05
"""By how much timestamps may differ from the number of samples before; containers round them."""

CHUNK_SAMPLES = 1 << 16

NO_SOUND = "it has no sound"
NOT_SOUND = "neither a video nor a sound file, or cut off so that its index is missing"


def decode_audio(
    path: Path, rate: int, span_seconds: tuple[float, float] | None = None
) -> Waveform:
    """Decode a file: the mean of all channels, resampled by FFmpeg, (samples,) float32 from -1 to 1.

    Args:
        path: A video or sound file.
        rate: Samples per second.
        span_seconds: The part of it to return, half-open, in seconds of its clock; `None` is all of it.

    Raises:
        ClipError: When it can't be read, has no sound (then its reason is `NO_SOUND`), or none in the span.
    """
    check_readable(path)
    waveform = np.concatenate([np.empty(0, dtype=np.float32), *iter_audio(path, rate)])
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


def iter_audio(path: Path, rate: int) -> Iterator[Waveform]:
    """Yield the sound of a file in chunks from second 0 of its clock (see `emorec.data.media`).

    It is the mean of all channels, resampled by FFmpeg; where the file has a hole, there is silence.

    Raises:
        ClipError: When it has no sound, or where it can't be decoded any further.
    """
    # PyAV takes long to import
    import av

    from emorec.data.media import audio_stream, clock_zero, demux, open_media

    samples, declared_end = 0, 0.0
    try:
        with open_media(path, NOT_SOUND) as container:
            stream = audio_stream(container)
            if stream is None:
                raise ClipError.of(path, NO_SOUND)
            zero, tick = clock_zero(container), stream.time_base or 0
            if stream.duration:
                declared_end = float(((stream.start_time or 0) + stream.duration) * tick - zero)
            sound = (packet for packet in demux(container) if packet.stream is stream)
            for chunk in _resampled(_frames(sound), rate, float(zero)):
                samples += len(chunk)
                yield chunk
    except (av.FFmpegError, ValueError) as error:
        raise ClipError.of(path, CUT_OFF if samples else NOT_SOUND) from error
    if samples / rate < declared_end - MAX_MISSING_SECONDS:  # to FFmpeg this is a normal end
        raise ClipError.of(path, CUT_OFF)


def _frames(packets: Iterable["Packet[AudioStream]"]) -> "Iterator[AudioFrame]":
    for packet in packets:
        yield from packet.decode()


def _resampled(frames: "Iterable[AudioFrame]", rate: int, zero: float) -> Iterator[Waveform]:
    """Place frames on the clock: silence before a late one, and nothing of what is there already.

    Args:
        frames: Of one stream, in order.
        rate: Samples per second.
        zero: Where the clock is zero, in seconds of the timestamps.
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
