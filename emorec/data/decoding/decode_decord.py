"""Videos read by decord, which is imported here and nowhere else in the package.

Of the time of a frame a sixth goes into turning it into RGB. decord saves that for frames that it skips, but it seeks
when a skip reaches the next key frame, and it knows the frames to skip by their times. So a skip ends before each key
frame, and only files whose times are sure to be in the order of the pictures are skipped in.
"""

import struct
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import decord
import numpy as np
import numpy.typing as npt

from emorec.data.decoding.decode import (
    CUT_OFF,
    NO_PICTURES,
    NOT_A_VIDEO,
    UNKNOWN_FORMAT,
    ClipError,
    Frames,
    decoding_fails,
    other_decoder,
)

LONGEST_SKIP = 100
"""Past its last frame decord takes 128 more for skipped ones and then waits for ever."""

NO_TIME_SECONDS = -1e9
"""A frame of a format without times is said to start long before this."""

_NO_SUCH_DECODER = "-1128613112"
"""FFmpeg's AVERROR_DECODER_NOT_FOUND."""

# What is wrong is raised; what FFmpeg remarks beside that would only tear up the progress bar.
decord.logging.set_level(decord.logging.QUIET)


def hear_damage() -> None:
    """Lets decord's FFmpeg write its errors to the standard error stream."""
    decord.logging.set_level(decord.logging.ERROR)


class _EndSkippedError(Exception):
    """The video ends somewhere among frames that were skipped."""


class Reader:
    """A video opened by decord.

    Args:
        path: The video file.

    Raises:
        ClipError: When it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fresh: Any = _open(path)
        self.frames_in_file = len(self._fresh)
        starts = self._fresh.get_frame_timestamp(range(self.frames_in_file))[:, 0]
        self._all_starts: npt.NDArray[np.float64] = starts.astype(np.float64)
        has_times = self._all_starts.min() > NO_TIME_SECONDS
        if not has_times and is_avi(path):
            # AVI shows its frames at one rate; where there are B-frames, decord tells no times all the same
            has_times = True
            self._all_starts = np.arange(self.frames_in_file) / self._fresh.get_avg_fps()
        self.starts = self._all_starts[(self._all_starts >= 0) & has_times]
        self.promised = len(self.starts) or self.frames_in_file

    def read(self, keep: Collection[int], stop: int) -> tuple[dict[int, Frames], int]:
        """See `emorec.data.decoding.decode.Reader`."""
        if self._times_are_in_order:
            reader = self._take()
            with suppress(ClipError, _EndSkippedError):
                return self._read(reader, keep, landings(keep, stop, reader.get_key_indices()))
        return self._read(self._take(), keep, range(stop))

    def _take(self) -> Any:
        reader, self._fresh = self._fresh or _open(self.path), None
        return reader

    def _read(
        self, reader: Any, keep: Collection[int], take: Sequence[int]
    ) -> tuple[dict[int, Frames], int]:
        """Takes frames in ascending order and skips those between."""
        kept: dict[int, Frames] = {}
        place = 0
        for index in take:
            try:
                if index > place:
                    reader.skip_frames(index - place)
                frame = reader.next()
            except (StopIteration, decord.DECORDLimitReachedError):
                if index > place:
                    raise _EndSkippedError from None
                return kept, index
            except decord.DECORDError as error:
                raise decoding_fails(self.path, self.frames_in_file) from error
            if frame.shape[2] != 3:
                # seen where FFmpeg's padding of a row is as wide as the picture: turned videos below 64 pixels
                reason = f"its frames decode to {frame.shape[2]} channels instead of 3"
                raise ClipError.of(self.path, reason)
            if index in keep:
                kept[index] = frame.asnumpy()
            place = index + 1
        return kept, place

    @cached_property
    def _times_are_in_order(self) -> bool:
        return bool(np.all(np.diff(self._all_starts) > 0)) and tells_when_shown(self.path)


def landings(keep: Collection[int], stop: int, key_frames: Iterable[int]) -> list[int]:
    """Which frames below `stop` to take so that all others can be skipped and nothing is missed.

    Those to keep; the first, for decord tells the end of a video only when it has given a frame; the last; and one
    before each key frame and after each long way.

    >>> landings({40, 97}, 99, [0, 29, 58, 87])
    [0, 28, 40, 57, 86, 97, 98]
    >>> landings({0}, 320, [0])
    [0, 100, 200, 300, 319]
    """
    taken = sorted({0, *keep, *(key - 1 for key in key_frames if 0 < key < stop), stop - 1})
    long_ways = [range(here, there, LONGEST_SKIP) for here, there in pairwise(taken)]
    return [index for way in long_ways for index in way] + taken[-1:]


def is_avi(path: Path) -> bool:
    """Whether a file is an AVI, whatever it is called."""
    with path.open("rb") as file:
        riff, kind = struct.unpack("4s4x4s", file.read(12).ljust(12))
    return (riff, kind) == (b"RIFF", b"AVI ")


def tells_when_shown(path: Path) -> bool:
    """Whether a file is an mp4 that says when each frame is shown, and not only in which order they are stored.

    Source: ISO/IEC 14496-12, sections 4.2 (boxes) and 8.6.1.3 (composition offsets, `ctts`).
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            inside = length - 8
            if length == 1:
                inside = int.from_bytes(file.read(8)) - 16
            if not 0 <= inside <= size:
                break
            if kind == b"moov":
                return b"ctts" in file.read(inside)
            file.seek(inside, 1)
    return False


def _open(path: Path) -> Any:
    try:
        # an absolute path, for FFmpeg takes what stands before a colon for a protocol; the tolerance (0 would mean any)
        # makes the reader say when it has no further frame instead of repeating one
        return decord.VideoReader(str(path.absolute()), num_threads=1, fault_tol=1e-9)
    except (decord.DECORDError, RuntimeError, AssertionError, UnicodeError) as error:
        message = str(error)
        if "cannot find video stream" in message and _NO_SUCH_DECODER in message:
            raise other_decoder(path, "decord", UNKNOWN_FORMAT) from error
        if "cannot find video stream" in message:
            raise ClipError.of(path, NO_PICTURES) from error
        raise ClipError.of(path, NOT_A_VIDEO if "Error reading" in message else CUT_OFF) from error
