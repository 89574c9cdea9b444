"""Videos read by decord, which is imported here and nowhere else in the package."""

import struct
from collections.abc import Collection
from pathlib import Path
from typing import Any

import decord
import numpy as np
import numpy.typing as npt

from emorec.data.video.reader import (
    CUT_OFF,
    NO_PICTURES,
    NOT_A_VIDEO,
    UNKNOWN_FORMAT,
    ClipError,
    Frames,
    decoding_error,
    unsupported_error,
)

NO_TIME_SECONDS = -1e9
"""Decord gives frames without a timestamp a start far below this."""

_DECODER_NOT_FOUND = "-1128613112"
"""FFmpeg's AVERROR_DECODER_NOT_FOUND."""

# Errors are raised; what FFmpeg logs besides would only tear up the progress bar.
decord.logging.set_level(decord.logging.QUIET)


def log_errors_to_stderr() -> None:
    """Let decord's FFmpeg write its errors to the standard error stream."""
    decord.logging.set_level(decord.logging.ERROR)


class Reader:
    """A video opened by decord, read straight through; see `emorec.data.video.reader.VideoReader`.

    Args:
        path: The video file.

    Raises:
        ClipError: When it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unread: Any = _open(path)
        self.frames_in_file = len(self._unread)
        starts: npt.NDArray[np.float64] = self._unread.get_frame_timestamp(
            range(self.frames_in_file)
        )[:, 0].astype(np.float64)
        has_times = starts.min() > NO_TIME_SECONDS
        if not has_times and _is_avi(path):
            # AVI has a constant frame rate; where it has B-frames, decord gives no timestamps
            has_times = True
            starts = np.arange(self.frames_in_file) / self._unread.get_avg_fps()
        self.starts = starts[(starts >= 0) & has_times]
        self.promised = len(self.starts) or self.frames_in_file

    def read(self, keep: Collection[int], stop: int) -> tuple[dict[int, Frames], int]:
        """See `emorec.data.video.reader.VideoReader`."""
        reader, self._unread = self._unread or _open(self.path), None
        kept: dict[int, Frames] = {}
        for index in range(stop):
            try:
                frame = reader.next()
            except (StopIteration, decord.DECORDLimitReachedError):
                return kept, index
            except decord.DECORDError as error:
                raise decoding_error(self.path, self.frames_in_file) from error
            if frame.shape[2] != 3:
                # where FFmpeg's row padding is as wide as the picture: rotated videos below 64 pixels
                reason = f"its frames decode to {frame.shape[2]} channels instead of 3"
                raise ClipError.of(self.path, reason)
            if index in keep:
                kept[index] = frame.asnumpy()
        return kept, stop


def _open(path: Path) -> Any:
    try:
        # an absolute path, because FFmpeg takes what precedes a colon for a protocol; with a tolerance (0 would mean
        # any) the reader reports a missing frame instead of repeating the one before
        return decord.VideoReader(str(path.absolute()), num_threads=1, fault_tol=1e-9)
    except (decord.DECORDError, RuntimeError, AssertionError, UnicodeError) as error:
        message = str(error)
        if "cannot find video stream" in message and _DECODER_NOT_FOUND in message:
            raise unsupported_error(path, "decord", UNKNOWN_FORMAT) from error
        if "cannot find video stream" in message:
            raise ClipError.of(path, NO_PICTURES) from error
        raise ClipError.of(path, NOT_A_VIDEO if "Error reading" in message else CUT_OFF) from error


def _is_avi(path: Path) -> bool:
    """Whether a file is an AVI, whatever its suffix."""
    with path.open("rb") as file:
        riff, kind = struct.unpack("4s4x4s", file.read(12).ljust(12))
    return (riff, kind) == (b"RIFF", b"AVI ")
