"""A video file and wanted indices become frames. decord is imported here and nowhere else.

Seeking gives wrong frames in silence: decord repeats a frame where a file promises more of them than it holds (every
original of RAVDESS promises one too many), and takes a neighbour in open groups of pictures and in clips that were cut
without encoding. Reading from the start to the end gives every frame, bit for bit as other decoders do, and tells where
the frames end, for about a quarter more time at 10 frames of 100. So nothing here ever seeks.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self

import decord
import numpy as np
import numpy.typing as npt

from emorec.errors import UserError

Frames = npt.NDArray[np.uint8]

Sampler = Callable[[int], Sequence[int]]
"""Frames there are -> indices wanted, each below the frames there are; always the same ones for the same number."""

Decoder = Literal["decord"]

NO_FRAME = "damaged: none of its frames can be decoded"

TIME_TOLERANCE_SECONDS = 1e-3
"""Times come as 32-bit floats; no two frames are that close."""

# What is wrong is raised; what FFmpeg remarks beside that would only tear up the progress bar.
decord.logging.set_level(decord.logging.QUIET)


def decoder_version(decoder: Decoder) -> str:
    """Name and version of a decoder."""
    return f"{decoder} {version(decoder)}"


def hear_damage(decoder: Decoder) -> None:
    """Lets the decoder's FFmpeg write what it has to remark to the standard error stream."""
    del decoder
    decord.logging.set_level(decord.logging.ERROR)


class ClipError(UserError):
    """A clip that can't be decoded: one line with the path and the reason.

    Attributes:
        reason: The reason alone.
    """

    def __init__(self, message: str, *, reason: str = "") -> None:
        # torch's loader makes the exception of a worker anew from a whole traceback, which ends with our line
        super().__init__(message.rpartition("ClipError: ")[-1].strip())
        self.reason = reason

    @classmethod
    def of(cls, path: Path, reason: str) -> Self:
        """The error for a path and a reason."""
        return cls(f"{path}: {reason}", reason=reason)


@dataclass(frozen=True, slots=True)
class DecodedClip:
    """The wanted frames of a video.

    Attributes:
        frames: (T, H, W, C) uint8, RGB, 0 to 255, as large as filmed.
        indices: T positions of the frames in the video, as the sampler ordered them.
        video_frames: Frames there were to choose from: all that can be decoded, or those of the span.
        promised: Frames that the file says it shows.
    """

    frames: Frames
    indices: list[int]
    video_frames: int
    promised: int


@dataclass(frozen=True, slots=True)
class VideoLength:
    """Frames that a file says it shows, and frames that it gives."""

    promised: int
    decodable: int


def decode(
    path: Path,
    sampler: Sampler,
    span_seconds: tuple[float, float] | None = None,
    decoder: Decoder = "decord",
) -> DecodedClip:
    """The frames of a video that a sampler chooses, each exactly the one encoded.

    Memory holds no more than the frames that may be wanted, however long the video is.

    Args:
        path: The video file.
        sampler: Chooses from the frames that can be decoded (which may be fewer than the file promises).
        span_seconds: Lets it choose only from the frames that start in this half-open span, counted from the first
            frame of the video.
        decoder: The library that reads the file.

    Raises:
        ClipError: When the file can't be read, is no video, is damaged, or has no frame in the span.
    """
    del decoder
    reader = _open(path)
    starts = _shown_starts(reader)
    first, stop = 0, len(reader)
    if span_seconds is not None:
        first, stop = _span(path, starts, span_seconds)

    def wanted(end: int) -> list[int]:
        return [first + int(index) for index in sampler(end - first)]

    ends = likely_ends(promised=len(reader), shown=len(starts), first=first, stop=stop)
    kept, end = _read(path, reader, {index for end in ends for index in wanted(end)}, stop)
    if end <= first:
        raise ClipError.of(path, NO_FRAME if span_seconds is None else _no_frame_in(span_seconds))
    indices = wanted(end)
    if not kept.keys() >= set(indices):
        kept, _ = _read(path, _open(path), set(indices), stop)
    frames = np.stack([kept[index] for index in indices])
    return DecodedClip(frames, indices, end - first, len(starts) or len(reader))


def video_length(path: Path, decoder: Decoder = "decord") -> VideoLength:
    """Decodes the whole video and counts.

    Frames that the file itself hides, as one cut without encoding hides those before the cut, are no promise.

    Raises:
        ClipError: When the file can't be read, is no video, or is damaged.
    """
    del decoder
    reader = _open(path)
    shown = len(_shown_starts(reader)) or len(reader)
    _, decodable = _read(path, reader, set(), len(reader))
    return VideoLength(shown, decodable)


def likely_ends(*, promised: int, shown: int, first: int, stop: int) -> set[int]:
    """Where the frames may end, known before reading: the frames for each of these are kept in one pass.

    A video ends where it promises to, or one frame earlier (every original of RAVDESS does); of a video that was cut
    without encoding only the `shown` frames come.

    Args:
        promised: Frames in the file.
        shown: Those that the file does not hide.
        first: First frame that may be wanted.
        stop: One past the last.

    >>> sorted(likely_ends(promised=99, shown=99, first=0, stop=99))
    [98, 99]
    >>> sorted(likely_ends(promised=98, shown=77, first=0, stop=98))
    [76, 77, 97, 98]
    >>> sorted(likely_ends(promised=99, shown=99, first=30, stop=60))
    [60]
    """
    ends = {min(end, stop) for end in (promised, promised - 1, shown, shown - 1)}
    return {end for end in ends if end > first}


def _open(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise ClipError.of(path, f"can't be read: {error.strerror}") from error
    if empty:
        raise ClipError.of(path, "the file is empty")
    try:
        # an absolute path, for FFmpeg takes what stands before a colon for a protocol; the tolerance (0 would mean any)
        # makes the reader say when it has no further frame instead of repeating one
        return decord.VideoReader(str(path.absolute()), num_threads=1, fault_tol=1e-9)
    except (decord.DECORDError, RuntimeError, AssertionError, UnicodeError) as error:
        raise ClipError.of(path, _why_not_opened(str(error))) from error


def _why_not_opened(message: str) -> str:
    if "cannot find video stream" in message:
        return "there are no pictures in it"
    if "Error reading" in message:
        return "not a video, or cut off so that its index is missing"
    return "damaged or cut off: it can't be read to its end"


def _shown_starts(reader: Any) -> npt.NDArray[np.float64]:
    """When each frame that the file does not hide starts, in seconds; empty for a format that keeps no times."""
    starts = reader.get_frame_timestamp(range(len(reader)))[:, 0].astype(np.float64)
    return starts[starts >= 0]  # type: ignore[no-any-return]


def _span(
    path: Path, starts: npt.NDArray[np.float64], span_seconds: tuple[float, float]
) -> tuple[int, int]:
    first, stop = np.searchsorted(starts, np.array(span_seconds) - TIME_TOLERANCE_SECONDS)
    if first >= stop:
        raise ClipError.of(path, _no_frame_in(span_seconds))
    return int(first), int(stop)


def _no_frame_in(span_seconds: tuple[float, float]) -> str:
    return f"no frame starts between {span_seconds[0]:g} s and {span_seconds[1]:g} s"


def _read(
    path: Path, reader: Any, keep: Collection[int], stop: int
) -> tuple[dict[int, Frames], int]:
    """The frames to keep by their index, and how many frames before `stop` there are."""
    kept: dict[int, Frames] = {}
    for index in range(stop):
        try:
            frame = reader.next()
        except (StopIteration, decord.DECORDLimitReachedError):
            return kept, index
        except decord.DECORDError as error:
            reason = f"damaged or cut off: decoding fails after {index} of {len(reader)} frames"
            raise ClipError.of(path, reason if index else NO_FRAME) from error
        if frame.shape[2] != 3:
            # seen where FFmpeg's padding of a row is as wide as the picture: turned videos below 64 pixels
            raise ClipError.of(path, f"its frames decode to {frame.shape[2]} channels instead of 3")
        if index in keep:
            kept[index] = frame.asnumpy()
    return kept, stop
