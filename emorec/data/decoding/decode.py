"""A video file and wanted indices become frames; the library that decodes is chosen by name and imported late.

Seeking gives wrong frames in silence: decord repeats a frame where a file promises more of them than it holds (every
original of RAVDESS promises one too many), and takes a neighbour in open groups of pictures and in clips that were cut
without encoding. Reading from the start to the end gives every frame, bit for bit the same from each library, tells
where the frames end, and meets all damage on the way. So nothing here ever seeks.
"""

import importlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from emorec.errors import UserError

Frames = npt.NDArray[np.uint8]

Sampler = Callable[[int], Sequence[int]]
"""Frames there are -> indices wanted, each below the frames there are; always the same ones for the same number."""

Decoder = Literal["decord", "torchcodec", "pyav"]

PACKAGES: Mapping[Decoder, tuple[str, ...]] = {
    "decord": ("decord", "decord2"),
    "torchcodec": ("torchcodec",),
    "pyav": ("av",),
}
"""Under which names a decoder can be installed."""

NO_FRAME = "damaged: none of its frames can be decoded"
NO_PICTURES = "there are no pictures in it"
NOT_A_VIDEO = "not a video, or cut off so that its index is missing"
CUT_OFF = "damaged or cut off: it can't be read to its end"
UNKNOWN_FORMAT = "can't decode this format (is it AV1?)"

TIME_TOLERANCE_SECONDS = 1e-3
"""Times come as 32-bit floats; no two frames are that close."""


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


class Reader(Protocol):
    """A video that was opened by one of the libraries."""

    @property
    def frames_in_file(self) -> int:
        """Frames in the file, with those that it hides."""

    @property
    def promised(self) -> int:
        """Frames that the file says it shows."""

    @property
    def starts(self) -> npt.NDArray[np.float64]:
        """Seconds from the first frame shown to the start of each; empty for a file that tells no times."""

    def read(self, keep: Collection[int], stop: int) -> tuple[dict[int, Frames], int]:
        """Reads from the first frame up to `stop`: the frames to keep by their index, and how many there are.

        Raises:
            ClipError: When decoding fails on the way.
        """


def decoder_version(decoder: Decoder) -> str:
    """Name and version of a decoder, without importing it.

    Raises:
        UserError: When it is not installed.
    """
    for package in PACKAGES[decoder]:
        try:
            return f"{package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            pass
    extra = "[torchcodec]" if decoder == "torchcodec" else ""
    raise UserError(f"{decoder} is not installed: pip install 'emorec{extra}'")


def hear_damage(decoder: Decoder) -> None:
    """Lets the decoder's FFmpeg write what it has to remark to the standard error stream; else decoders are silent.

    Raises:
        UserError: When the decoder can't be used.
    """
    library(decoder).hear_damage()


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
        decoder: The library that reads the file. All give the same frames, bit for bit, but for the colours of videos
            of more than 8 bits or of an odd size: there FFmpeg's versions differ by up to 3 of 255 levels, by more
            only where two colours meet.

    Raises:
        ClipError: When the file can't be read, is no video, is damaged, or has no frame in the span.
        UserError: When the decoder can't be used.
    """
    reader = _open(path, decoder)
    first, stop = 0, reader.frames_in_file
    if span_seconds is not None:
        first, stop = _span(path, reader.starts, span_seconds)

    def wanted(end: int) -> list[int]:
        return [first + int(index) for index in sampler(end - first)]

    ends = _likely_ends_of(reader, first, stop)
    # the last frame before a likely end, wanted or not, lets the reader see that the end is there
    kept, end = reader.read({index for end in ends for index in (*wanted(end), end - 1)}, stop)
    if end <= first:
        raise ClipError.of(path, NO_FRAME if span_seconds is None else _no_frame_in(span_seconds))
    indices = wanted(end)
    if not kept.keys() >= set(indices):
        kept, _ = reader.read(set(indices), end)
    frames = np.stack([kept[index] for index in indices])
    return DecodedClip(frames, indices, end - first, reader.promised)


def video_length(path: Path, decoder: Decoder = "decord") -> VideoLength:
    """Decodes the whole video and counts.

    Frames that the file itself hides, as one cut without encoding hides those before the cut, are no promise.

    Raises:
        ClipError: When the file can't be read, is no video, or is damaged.
        UserError: When the decoder can't be used.
    """
    reader = _open(path, decoder)
    ends = _likely_ends_of(reader, 0, reader.frames_in_file)
    _, decodable = reader.read({end - 1 for end in ends}, reader.frames_in_file)
    return VideoLength(reader.promised, decodable)


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


def decoding_fails(path: Path, frames_in_file: int) -> ClipError:
    """The error for a video some frame of which can't be decoded."""
    # not which: decord decodes ahead, and how far it came before it says so is a matter of chance
    reason = f"damaged or cut off: not all of its {frames_in_file} frames can be decoded"
    return ClipError.of(path, reason)


def other_decoder(path: Path, decoder: Decoder, why: str) -> ClipError:
    """The error for a video that another decoder may read, and why this one can't."""
    others = " or ".join(other for other in PACKAGES if other != decoder)
    return ClipError.of(path, f"{decoder_version(decoder)} {why}: choose data.decoder {others}")


def _open(path: Path, decoder: Decoder) -> Reader:
    reads = library(decoder)
    refuse_unreadable(path)
    reader: Reader = reads.Reader(path)
    return reader


def refuse_unreadable(path: Path) -> None:
    """Stops at a file that is not there, may not be read, or is empty.

    Raises:
        ClipError: At such a file.
    """
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise ClipError.of(path, f"can't be read: {error.strerror}") from error
    if empty:
        raise ClipError.of(path, "the file is empty")


def library(decoder: Decoder) -> ModuleType:
    """The file of this package that reads videos with a decoder.

    Raises:
        UserError: When the decoder is not installed or can't be loaded.
    """
    try:
        return importlib.import_module(f"emorec.data.decoding.decode_{decoder}")
    except (ImportError, OSError, RuntimeError) as error:
        installed = decoder_version(decoder)
        why = str(error).strip().partition("\n")[0]
        raise UserError(f"{installed} is installed but can't be loaded: {why}") from error


def _likely_ends_of(reader: Reader, first: int, stop: int) -> set[int]:
    return likely_ends(
        promised=reader.frames_in_file, shown=reader.promised, first=first, stop=stop
    )


def _span(
    path: Path, starts: npt.NDArray[np.float64], span_seconds: tuple[float, float]
) -> tuple[int, int]:
    first, stop = np.searchsorted(starts, np.array(span_seconds) - TIME_TOLERANCE_SECONDS)
    if first >= stop:
        raise ClipError.of(path, _no_frame_in(span_seconds))
    return int(first), int(stop)


def _no_frame_in(span_seconds: tuple[float, float]) -> str:
    return f"no frame starts between {span_seconds[0]:g} s and {span_seconds[1]:g} s"
