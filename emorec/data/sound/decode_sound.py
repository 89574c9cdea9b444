"""The sound of a file as one channel at one rate, read by PyAV.

decord reads sound too, but not what is in the file: of two channels it makes values that belong to no memory of its own
(version 0.6.0, every original of RAVDESS).
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from emorec.data.video.reader import CUT_OFF, ClipError, check_readable

Waveform: TypeAlias = npt.NDArray[np.float32]

LACKING_SECONDS = 0.25
"""A file promises at most so much more than it holds; no clip of RAVDESS promises more than it holds at all."""

NO_SOUND = "it has no sound"
NOT_SOUND = "neither a video nor a file of sound, or cut off so that its index is missing"


def decode_sound(
    path: Path, rate: int, span_seconds: tuple[float, float] | None = None
) -> Waveform:
    """(samples,) around zero, -1 to 1: the mean of all channels, resampled by FFmpeg.

    Args:
        path: A video, or a file that holds sound alone.
        rate: Samples a second.
        span_seconds: The part of it that is wanted, half-open; `None` is all of it.

    Raises:
        ClipError: When it can't be read, has no sound (the reason is then `NO_SOUND`), or nothing in the span.
    """
    check_readable(path)
    sound: Waveform = _channels(path, rate).mean(axis=0, dtype=np.float32)
    if span_seconds is not None:
        # a span without an end has an infinite one
        first, stop = (round(min(second * rate, len(sound))) for second in span_seconds)
        sound = sound[first:stop]
    if not len(sound):
        where = "" if span_seconds is None else " between {:g} s and {:g} s".format(*span_seconds)
        raise ClipError.of(path, f"its sound holds nothing{where}")
    if not np.isfinite(sound).all():
        raise ClipError.of(path, "its sound holds values that are no numbers")
    return sound


def _channels(path: Path, rate: int) -> npt.NDArray[np.float32]:
    """(channels, samples)."""
    parts = list(parts_of_sound(path, rate))
    return np.concatenate(parts, axis=1) if parts else np.empty((1, 0), dtype=np.float32)


def parts_of_sound(path: Path, rate: int) -> Iterator[npt.NDArray[np.float32]]:
    """One after another, (channels, samples) around zero, -1 to 1, resampled by FFmpeg.

    Raises:
        ClipError: When it has no sound, or where it can't be read on.
    """
    # PyAV takes long to import
    import av

    from emorec.data.video.pyav import sound_stream

    samples, promised = 0, 0.0
    try:
        with av.open(str(path)) as container:
            stream = sound_stream(container)
            if stream is None:
                raise ClipError.of(path, NO_SOUND)
            promised = float((stream.duration or 0) * (stream.time_base or 0))
            resampler = av.AudioResampler(format="fltp", rate=rate)
            for frame in chain(container.decode(stream), [None]):
                if frame is None and not samples:
                    break
                for part in resampler.resample(frame):
                    samples += part.samples
                    yield part.to_ndarray().astype(np.float32, copy=False)
    except (av.FFmpegError, ValueError) as error:
        raise ClipError.of(path, CUT_OFF if samples else NOT_SOUND) from error
    if samples / rate < promised - LACKING_SECONDS:  # FFmpeg takes what is missing for the end
        raise ClipError.of(path, CUT_OFF)
