"""Decode the sound of a file to one channel at one sample rate, with PyAV.

decord reads sound too, but returns wrong samples for stereo files (version 0.6.0, every original of RAVDESS).
"""

from collections.abc import Callable, Iterable, Iterator
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
    from av.packet import Packet

Waveform: TypeAlias = npt.NDArray[np.float32]
"""(samples,) float32, -1 to 1."""

Channels: TypeAlias = npt.NDArray[np.float32]
"""(channels, samples) float32, -1 to 1."""

OnHole: TypeAlias = Callable[[float, float], None]
"""Called with start and end of a hole in the sound, in seconds, before its silence is returned."""

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


def iter_audio(path: Path, rate: int, on_hole: OnHole | None = None) -> Iterator[Waveform]:
    """Yield the sound of a file in chunks from second 0 of its clock (see `emorec.data.media`).

    It is the mean of all channels, resampled by FFmpeg; where the file has a hole, there is silence.

    Args:
        path: A video or sound file.
        rate: Samples per second.
        on_hole: Called for each hole.

    Raises:
        ClipError: When it has no sound, or where it can't be decoded any further.
    """
    # PyAV takes long to import
    import av

    from emorec.data.media import audio_stream, clock_zero, declared_end, demux, open_media

    samples, end = 0, None
    try:
        with open_media(path, NOT_SOUND) as container:
            stream = audio_stream(container)
            if stream is None:
                raise ClipError.of(path, NO_SOUND)
            end = declared_end(container, stream)
            resampler = ClockResampler(rate, float(clock_zero(container)), on_hole=on_hole)
            sound = (packet for packet in demux(container) if packet.stream is stream)
            for frame in chain(_frames(sound), [None]):
                for chunk in resampler.resample(frame):
                    samples += chunk.shape[1]
                    yield chunk.mean(axis=0, dtype=np.float32)
    except (av.FFmpegError, ValueError) as error:
        raise ClipError.of(path, CUT_OFF if samples else NOT_SOUND) from error
    if end and samples / rate < end - MAX_MISSING_SECONDS:  # to FFmpeg this is a normal end
        raise ClipError.of(path, CUT_OFF)


def _frames(packets: Iterable["Packet[AudioStream]"]) -> "Iterator[AudioFrame]":
    for packet in packets:
        yield from packet.decode()


class ClockResampler:
    """Resamples sound and places it on the clock: silence before a late frame, nothing of what is there already.

    Args:
        rate: Samples per second.
        zero: Where the clock is zero, in seconds of the timestamps.
        layout: Channels of the result; by default those of each frame.
        on_hole: Called for each hole.
    """

    def __init__(
        self,
        rate: int,
        zero: float,
        *,
        layout: "AudioLayout | None" = None,
        on_hole: OnHole | None = None,
    ) -> None:
        self._rate, self._zero, self._layout, self._on_hole = rate, zero, layout, on_hole
        self._resampler: AudioResampler | None = None
        self._settings: tuple[object, ...] = ()
        self._samples, self._surplus = 0, 0
        """Number of samples returned so far, and to drop next."""
        self._expected = 0.0
        """End of the frame before, in seconds."""

    def resample(self, frame: "AudioFrame | None") -> Iterator[Channels]:
        """Yield the sound until the end of the next frame; `None` after the last one yields what is left."""
        if frame is None:
            yield from self._chunks(None)
            return
        start = self._expected if frame.time is None else frame.time - self._zero
        settings = (frame.format.name, frame.layout.name, frame.sample_rate)
        if settings != self._settings or abs(start - self._expected) > MAX_JITTER_SECONDS:
            yield from self._continue_at(start)
            self._settings = settings
        yield from self._chunks(frame)
        self._expected += frame.samples / frame.sample_rate

    def _continue_at(self, start: float) -> Iterator[Channels]:
        """Begin anew with a frame that starts at `start` seconds."""
        from av.audio.resampler import AudioResampler

        yield from self._chunks(None)
        hole = round(start * self._rate) - self._samples
        if hole > 0 and self._on_hole:
            self._on_hole(self._samples / self._rate, start)
        channels = self._layout.nb_channels if self._layout else 1
        for length in range(hole, 0, -CHUNK_SAMPLES):  # a long hole takes no memory
            silence = np.zeros((channels, min(length, CHUNK_SAMPLES)), np.float32)
            self._samples += silence.shape[1]
            yield silence
        self._surplus, self._expected = max(-hole, 0), start
        self._resampler = AudioResampler(format="fltp", layout=self._layout, rate=self._rate)

    def _chunks(self, frame: "AudioFrame | None") -> Iterator[Channels]:
        for part in self._resampler.resample(frame) if self._resampler else ():
            chunk = part.to_ndarray()[:, self._surplus :].astype(np.float32, copy=False)
            self._surplus -= part.samples - chunk.shape[1]
            self._samples += chunk.shape[1]
            yield chunk
