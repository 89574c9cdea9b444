"""Decode the sound of a file to one channel at one sample rate, with PyAV.

decord reads sound too, but returns wrong samples for stereo files (version 0.6.0, every original of RAVDESS).
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from emorec.data.video.reader import CUT_OFF, ClipError, check_readable

Waveform: TypeAlias = npt.NDArray[np.float32]
"""(samples,) float32, -1 to 1."""

MAX_MISSING_SECONDS = 0.25
"""By how much a file may be shorter than it declares; no clip of RAVDESS is shorter at all."""

NO_SOUND = "it has no sound"
NOT_SOUND = "neither a video nor a sound file, or cut off so that its index is missing"


def decode_audio(
    path: Path, rate: int, span_seconds: tuple[float, float] | None = None
) -> Waveform:
    """Decode a file: the mean of all channels, resampled by FFmpeg, (samples,) float32 from -1 to 1.

    Args:
        path: A video or sound file.
        rate: Samples per second.
        span_seconds: The part of it to return, half-open; `None` is all of it.

    Raises:
        ClipError: When it can't be read, has no sound (then its reason is `NO_SOUND`), or none in the span.
    """
    check_readable(path)
    chunks = list(iter_audio(path, rate))
    channels = np.concatenate(chunks, axis=1) if chunks else np.empty((1, 0), dtype=np.float32)
    waveform: Waveform = channels.mean(axis=0, dtype=np.float32)
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


def iter_audio(path: Path, rate: int) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the sound of a file in chunks of (channels, samples) float32 from -1 to 1, resampled by FFmpeg.

    Raises:
        ClipError: When it has no sound, or where it can't be decoded any further.
    """
    # PyAV takes long to import
    import av

    from emorec.data.video.pyav import sound_stream

    samples, declared_seconds = 0, 0.0
    try:
        with av.open(str(path)) as container:
            stream = sound_stream(container)
            if stream is None:
                raise ClipError.of(path, NO_SOUND)
            declared_seconds = float((stream.duration or 0) * (stream.time_base or 0))
            resampler = av.AudioResampler(format="fltp", rate=rate)
            for frame in chain(container.decode(stream), [None]):
                if frame is None and not samples:
                    break
                for part in resampler.resample(frame):
                    samples += part.samples
                    yield part.to_ndarray().astype(np.float32, copy=False)
    except (av.FFmpegError, ValueError) as error:
        raise ClipError.of(path, CUT_OFF if samples else NOT_SOUND) from error
    if samples / rate < declared_seconds - MAX_MISSING_SECONDS:  # to FFmpeg this is a normal end
        raise ClipError.of(path, CUT_OFF)
