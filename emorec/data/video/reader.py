"""Decode chosen frames of a video with PyAV, decord or torchcodec; the library is chosen by name and imported late.

PyAV, whose FFmpeg is the newest, knows the containers, codecs and clocks that the others misread: what another library
reads is compared with it.

Seeking silently returns wrong frames: decord repeats a frame where a file declares more of them than it holds (every
original of RAVDESS declares one too many), and returns a neighbour in open groups of pictures and in clips that were
cut without re-encoding. Reading from the start gives every frame, bit for bit the same with each library, finds the
true end, and meets all damage on the way. So nothing here ever seeks.
"""

import importlib
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any, Literal, Protocol, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from emorec.errors import UserError

Frames = npt.NDArray[np.uint8]

Sampler = Callable[[int], Sequence[int]]
"""Number of frames -> indices of the frames to decode, each below that number; deterministic."""

Library: TypeAlias = Literal["decord", "torchcodec", "pyav"]

Decoder: TypeAlias = Literal["auto", "decord", "torchcodec", "pyav"]
"""A library, or "auto" for PyAV."""

Result = TypeVar("Result")

PACKAGES: Mapping[Library, tuple[str, ...]] = {
    "decord": ("decord", "decord2"),
    "torchcodec": ("torchcodec",),
    "pyav": ("av",),
}
"""The distributions that provide each decoder."""

NO_FRAME = "damaged: none of its frames can be decoded"
NO_PICTURES = "there are no pictures in it"
NOT_A_VIDEO = "not a video, or cut off so that its index is missing"
CUT_OFF = "damaged or cut off: it can't be read to its end"
UNKNOWN_FORMAT = "can't decode this format (is it AV1?)"

TIME_TOLERANCE_SECONDS = 1e-3
"""Timestamps may be 32-bit floats; no two frames are this close."""

TIME_PRECISION = 1e-6
"""Relative error of timestamps that are 32-bit floats."""

MAX_MISSING_FRAMES = 1
"""Each original of RAVDESS declares one frame too many; clips cut without re-encoding declare what they show."""

MAX_DIFFERENCE = 0.25
MAX_DEEP_DIFFERENCE = 3.0
"""Mean difference, in 255 levels, of frames that count as equal: of 8 bits, and of more, which FFmpeg's versions
round differently."""


class ClipError(UserError):
    """A clip that can't be decoded: one line with the path and the reason.

    Attributes:
        reason: The reason without the path.
    """

    def __init__(self, message: str, *, reason: str = "") -> None:
        # torch's data loader rebuilds the exception of a worker from its whole traceback, which ends with our line
        super().__init__(message.rpartition("ClipError: ")[-1].strip())
        self.reason = reason

    @classmethod
    def of(cls, path: Path, reason: str) -> Self:
        """Return the error for a path and a reason."""
        return cls(f"{path}: {reason}", reason=reason)


@dataclass(frozen=True, slots=True)
class DecodedClip:
    """The sampled frames of a video.

    Attributes:
        frames: (T, H, W, C) uint8, RGB, 0 to 255, at the original size.
        indices: T positions of the frames in the video, in the sampler's order.
        video_frames: Number of frames to sample from: all that can be decoded, or those of the span.
        promised: Number of shown frames that the file declares.
        note: Why PyAV read the video in place of the chosen library; `None` if it did not.
    """

    frames: Frames
    indices: list[int]
    video_frames: int
    promised: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class VideoLength:
    """Number of shown frames that a file declares, and number that can be decoded.

    Attributes:
        promised: Number of shown frames that the file declares.
        decodable: Number of frames that can be decoded.
        note: Why PyAV read the video in place of the chosen library; `None` if it did not.
    """

    promised: int
    decodable: int
    note: str | None = None


class VideoReader(Protocol):
    """A video file opened by one of the libraries."""

    @property
    def frames_in_file(self) -> int:
        """Number of frames in the file, hidden ones included."""

    @property
    def promised(self) -> int:
        """Number of shown frames that the file declares."""

    @property
    def starts(self) -> npt.NDArray[np.float64]:
        """Start of each frame in seconds of the clock; empty for a file without timestamps."""

    def read(self, keep: Collection[int], stop: int) -> tuple[dict[int, Frames], int]:
        """Read from the first frame up to `stop`; return the frames to keep by index, and the number of frames.

        Raises:
            ClipError: When decoding fails on the way.
        """


def decode(
    path: Path,
    sampler: Sampler,
    span_seconds: tuple[float, float] | None = None,
    decoder: Decoder = "decord",
) -> DecodedClip:
    """Decode the frames of a video that a sampler chooses, each exactly the one encoded.

    Memory holds only frames that the sampler may choose, however long the video is.

    Args:
        path: The video file.
        sampler: Chooses from the frames that can be decoded (which may be fewer than the file declares).
        span_seconds: Restrict the choice to frames that start in this half-open span, in seconds of the file's clock
            (see `emorec.data.media`).
        decoder: The library that reads the file. All return the same frames, bit for bit, except for the colours of
            videos of more than 8 bits or of an odd size: there FFmpeg's versions differ by up to 3 of 255 levels, by
            more only at sharp edges. Where decord or torchcodec is wrong, PyAV reads.

    Raises:
        ClipError: When the file can't be read, is not a video, is damaged, or has no frame in the span.
        UserError: When the decoder can't be used.
    """
    reader = CheckedReader(path, decoder)
    first, stop = 0, reader.frames_in_file
    if span_seconds is not None:
        first, stop = _frames_in_span(path, reader.starts, span_seconds)
    kept, end = reader.read(_candidates(reader, sampler, first, stop), stop)
    if end <= first:
        raise ClipError.of(path, NO_FRAME if span_seconds is None else _no_frame_in(span_seconds))
    indices = _sampled(sampler, first, end)
    if not kept.keys() >= set(indices):  # the video ended where no video does: read again
        kept, _ = reader.read(set(indices), end)
    frames = np.stack([kept[index] for index in indices])
    return DecodedClip(frames, indices, end - first, reader.promised, reader.note)


def decode_spans(
    path: Path,
    sampler: Sampler,
    spans_seconds: Sequence[tuple[float, float]],
    decoder: Decoder = "decord",
) -> list[DecodedClip | None]:
    """Decode many spans of one video in a single pass, each bit for bit as `decode` returns it.

    Memory holds the frames that may be sampled from any of the spans.

    Args:
        path: The video file.
        sampler: Chooses from the frames of each span.
        spans_seconds: The spans, half-open, in any order; they may overlap.
        decoder: The library that reads the file.

    Returns:
        A clip for each span; `None` where the video ends earlier than any likely end (then use `decode`).

    Raises:
        ClipError: When the file can't be read, is not a video, is damaged before the end of the last span, or has no
            frame in one of them.
        UserError: When the decoder can't be used.
    """
    reader = CheckedReader(path, decoder)
    spans = [_frames_in_span(path, reader.starts, span) for span in spans_seconds]
    candidates = set().union(*(_candidates(reader, sampler, *span) for span in spans))
    kept, video_end = reader.read(candidates, max(stop for _, stop in spans))

    def clip(first: int, stop: int) -> DecodedClip | None:
        end = min(stop, video_end)
        indices = _sampled(sampler, first, end) if end > first else []
        if not indices or not kept.keys() >= set(indices):
            return None
        frames = np.stack([kept[index] for index in indices])
        return DecodedClip(frames, indices, end - first, reader.promised, reader.note)

    return [clip(first, stop) for first, stop in spans]


def video_length(path: Path, decoder: Decoder = "decord") -> VideoLength:
    """Decode the whole video and count its frames.

    Frames that the file itself hides, as one cut without re-encoding hides those before the cut, do not count.

    Raises:
        ClipError: When the file can't be read, is not a video, or is damaged.
        UserError: When the decoder can't be used.
    """
    reader = CheckedReader(path, decoder)
    ends = likely_ends(
        promised=reader.frames_in_file,
        shown=reader.promised,
        first=0,
        stop=reader.frames_in_file,
    )
    _, decodable = reader.read({end - 1 for end in ends}, reader.frames_in_file)
    return VideoLength(reader.promised, decodable, reader.note)


def linspace_indices(video_frames: int, num_frames: int) -> list[int]:
    """Return T indices spread evenly from the first frame to the last, rounded down; a shorter video repeats frames.

    Args:
        video_frames: N, the number of frames that can be decoded.
        num_frames: T.

    Raises:
        ValueError: When either is below 1.

    >>> linspace_indices(98, num_frames=6)
    [0, 19, 38, 58, 77, 97]
    >>> linspace_indices(3, num_frames=5)
    [0, 0, 1, 1, 2]
    >>> linspace_indices(98, num_frames=1)
    [0]
    """
    if video_frames < 1 or num_frames < 1:
        raise ValueError(f"can't take {num_frames} frames of a video that has {video_frames}")
    # dtype=int rounds down, as in the seed study, whose results are to be reproduced
    indices: list[int] = np.linspace(0, video_frames - 1, num_frames, dtype=int).tolist()
    return indices


def likely_ends(*, promised: int, shown: int, first: int, stop: int) -> set[int]:
    """Return where the frames probably end, known before reading, so that one pass is enough in nearly all cases.

    A video ends where it declares to, or one frame earlier (every original of RAVDESS does); a video that was cut
    without re-encoding gives only its `shown` frames.

    Args:
        promised: Number of frames in the file.
        shown: Number of those that the file does not hide.
        first: First frame that may be sampled.
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


class CheckedReader:
    """A video read by the chosen library, or by PyAV where that one is wrong; see `VideoReader`.

    They are compared by the number of frames, their times, their size as displayed, and the pixels of the first one.
    Times are those of PyAV, which knows the clock of the file.

    Args:
        path: The video file.
        decoder: The chosen library.

    Raises:
        ClipError: When the file can't be read or is not a video.
        UserError: When a library can't be used.

    Attributes:
        note: Why PyAV reads the video in place of the chosen library; `None` if it does not.
    """

    def __init__(self, path: Path, decoder: Decoder) -> None:
        library = library_of(decoder)
        module, pyav = decoder_module(library), decoder_module("pyav")
        check_readable(path)
        self.note: str | None = None
        self._reference: Any = None
        self._is_compared = library == "pyav"
        if library != "pyav":
            with suppress(ClipError):
                self._reference = pyav.Reader(path)
        try:
            self._reader: VideoReader = module.Reader(path)
        except ClipError:
            if self._reference is None:
                raise
            self._fall_back("can't be opened")
            return
        if self._reference is not None:
            self._compare_times(has_times=library == "decord")

    @property
    def frames_in_file(self) -> int:
        """See `VideoReader`."""
        return self._reader.frames_in_file

    @property
    def promised(self) -> int:
        """See `VideoReader`."""
        return self._reader.promised

    @property
    def starts(self) -> npt.NDArray[np.float64]:
        """See `VideoReader`."""
        if self._reference is None or not len(self._reference.starts):
            return self._reader.starts
        starts: npt.NDArray[np.float64] = self._reference.starts[: self.frames_in_file]
        return starts

    def read(self, keep: Collection[int], stop: int) -> tuple[dict[int, Frames], int]:
        """See `VideoReader`."""
        if self._is_compared or self._reference is None:
            return self._reader.read(keep, stop)
        try:
            kept, end = self._reader.read({0, *keep}, stop)
        except ClipError:
            self._reference.can_skip = False  # so that no damage goes unnoticed
            kept, end = self._reference.read(keep, stop)
            if end + self._reference.hidden < stop:
                raise
            self._fall_back("can't be decoded")
            return kept, end
        with suppress(ClipError):
            self._compare_pictures(kept, end, stop)
        self._is_compared = True
        return (kept, end) if self.note is None else self._reader.read(keep, stop)

    def _compare_times(self, *, has_times: bool) -> None:
        reader, reference = self._reader, self._reference
        if not reference.frames_in_file - reference.hidden <= reader.promised <= reference.promised:
            self._fall_back(f"{reader.promised} frames instead of {reference.promised}")
        elif has_times and len(reference.starts):
            expected = reference.starts - reference.starts[0]
            starts = reader.starts - reader.starts[:1]
            if len(starts) != len(expected) or not np.allclose(
                starts, expected, rtol=TIME_PRECISION, atol=TIME_TOLERANCE_SECONDS
            ):
                self._fall_back("other times")

    def _compare_pictures(self, kept: Mapping[int, Frames], end: int, stop: int) -> None:
        reference = self._reference
        first, sizes = None, set()
        for index, frame in reference.key_frames():
            first = frame if index == 0 else first
            sizes.add(frame.size)
        if first is None:
            reference.read((), 1)
            first = reference.first
        if first is None:
            return
        expected = first.to_rgb()
        if end == 0 or kept[0].shape != expected.shape:
            self._fall_back("another size")
            return
        is_deep = first.frame.format.components[0].bits > 8
        tolerance = MAX_DEEP_DIFFERENCE if is_deep else MAX_DIFFERENCE
        if _difference(kept[0], expected) > tolerance:
            self._fall_back("other pictures")
        elif any(first.flips) and _difference(expected, expected[::-1, ::-1]) < tolerance:
            self._fall_back("perhaps turned")
        elif len(sizes) > 1:
            self._fall_back("sizes that change")
        elif stop - end > MAX_MISSING_FRAMES and reference.read({stop - 1}, stop)[1] > end:
            self._fall_back(f"an end after {end} frames")

    def _fall_back(self, reason: str) -> None:
        self.note, self._reader, self._is_compared = reason, self._reference, True


def check_readable(path: Path) -> None:
    """Refuse a file that does not exist, can't be read, or is empty; also a pipe, which would be waited for.

    Raises:
        ClipError: For such a file.
    """
    if path.is_fifo():
        raise ClipError.of(
            path, "it is a pipe, which can't be read twice: write it to a file first"
        )
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise ClipError.of(path, f"can't be read: {error.strerror}") from error
    if empty:
        raise ClipError.of(path, "the file is empty")


def library_of(decoder: Decoder) -> Library:
    """Return the library of a decoder.

    >>> library_of("auto"), library_of("decord")
    ('pyav', 'decord')
    """
    return "pyav" if decoder == "auto" else decoder


def decoder_module(decoder: Decoder) -> ModuleType:
    """Import the module of this package that reads videos with a library.

    Raises:
        UserError: When the library is not installed or can't be loaded.
    """
    library = library_of(decoder)
    try:
        module = importlib.import_module(f"emorec.data.video.{library}")
        if library == "torchcodec":
            module.check_library()
    except (ImportError, OSError, RuntimeError) as error:
        installed = decoder_version(decoder)
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{installed} is installed but can't be loaded: {reason}") from error
    return module


def decoder_version(decoder: Decoder) -> str:
    """Return package name and version of a decoder, without importing it.

    Raises:
        UserError: When it is not installed.
    """
    library = library_of(decoder)
    for package in PACKAGES[library]:
        try:
            return f"{package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            pass
    extra = "[torchcodec]" if library == "torchcodec" else ""
    raise UserError(f"{library} is not installed: pip install 'emorec{extra}'")


def log_errors_to_stderr(decoder: Decoder) -> None:
    """Let the decoder's FFmpeg write its errors to the standard error stream; by default decoders are silent.

    Raises:
        UserError: When the decoder can't be used.
    """
    decoder_module(decoder).log_errors_to_stderr()


def run_with_timeout(seconds: float, path: Path, work: Callable[[], Result]) -> Result:
    """Return what the work returns, unless it takes too long.

    Work that hangs is abandoned in a daemon thread, which does not keep the process from ending.

    Args:
        seconds: The longest that it may take.
        path: The file to name in the error.
        work: Called once.

    Raises:
        ClipError: When it takes longer.
        BaseException: What the work raises.

    >>> run_with_timeout(9, Path("a.mp4"), lambda: 6 * 7)
    42
    """
    outcome: SimpleQueue[tuple[Result | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            outcome.put((work(), None))
        except BaseException as error:
            outcome.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = outcome.get(timeout=seconds)
    except Empty:
        raise ClipError.of(path, f"decoding hangs: no end after {seconds:g} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # set when there is no error


def decoding_error(path: Path, frames_in_file: int) -> ClipError:
    """Return the error for a video some frame of which can't be decoded."""
    # without the frame's index: decord decodes ahead, so where it notices the damage is a matter of chance
    reason = f"damaged or cut off: not all of its {frames_in_file} frames can be decoded"
    return ClipError.of(path, reason)


def unsupported_error(path: Path, decoder: Library, reason: str) -> ClipError:
    """Return the error for a video that one decoder can't read and another one may."""
    others = " or ".join(other for other in PACKAGES if other != decoder)
    return ClipError.of(path, f"{decoder_version(decoder)} {reason}: choose data.decoder {others}")


def _difference(frames: Frames, expected: Frames) -> float:
    """Mean absolute difference in levels."""
    return float(np.abs(frames.astype(np.int16) - expected).mean())


def _sampled(sampler: Sampler, first: int, end: int) -> list[int]:
    """The sampled indices of the frames from `first` up to `end`."""
    return [first + int(index) for index in sampler(end - first)]


def _candidates(reader: CheckedReader, sampler: Sampler, first: int, stop: int) -> set[int]:
    """Every index that is sampled for one of the likely ends."""
    ends = likely_ends(
        promised=reader.frames_in_file, shown=reader.promised, first=first, stop=stop
    )
    # the last frame before a likely end, sampled or not, lets the reader confirm the end
    return {index for end in ends for index in (*_sampled(sampler, first, end), end - 1)}


def _frames_in_span(
    path: Path, starts: npt.NDArray[np.float64], span_seconds: tuple[float, float]
) -> tuple[int, int]:
    """The first frame that starts in a span, and one past the last."""
    first, stop = np.searchsorted(starts, np.array(span_seconds) - TIME_TOLERANCE_SECONDS)
    if first >= stop:
        raise ClipError.of(path, _no_frame_in(span_seconds))
    return int(first), int(stop)


def _no_frame_in(span_seconds: tuple[float, float]) -> str:
    return f"no frame starts between {span_seconds[0]:g} s and {span_seconds[1]:g} s"
