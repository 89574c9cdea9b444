"""Videos read by torchcodec, which uses the FFmpeg that is installed on the machine."""

import os
from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torchcodec
from torchcodec.decoders import VideoDecoder

from emorec.data.video.reader import (
    CUT_OFF,
    NO_PICTURES,
    NOT_A_VIDEO,
    ClipError,
    Frames,
    decoding_error,
    unsupported_error,
)


def check_library() -> None:
    """Refuse a machine without FFmpeg.

    Raises:
        ImportError: When torchcodec finds none.
    """
    # earlier versions of torchcodec can't be imported without it
    if getattr(torchcodec, "ffmpeg_major_version", 0) is None:
        raise ImportError(
            "it finds no FFmpeg: apt install ffmpeg, brew install ffmpeg or conda install ffmpeg"
        )


def log_errors_to_stderr() -> None:
    """Let FFmpeg write its errors to the standard error stream, for videos opened from now on."""
    os.environ["TORCHCODEC_FFMPEG_LOG_LEVEL"] = "ERROR"


class Reader:
    """A video opened by torchcodec; see `emorec.data.video.reader.VideoReader`.

    Frames that an edit list cuts off at the end are not counted, so that every declared frame can be decoded.

    Args:
        path: The video file.

    Raises:
        ClipError: When it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._video = _open(path)
        self.frames_in_file = self.promised = len(self._video)

    @cached_property
    def starts(self) -> npt.NDArray[np.float64]:
        """See `emorec.data.video.reader.VideoReader`; they take a pass of decoding."""
        starts = np.array([frame.pts_seconds for frame in self._frames(self.frames_in_file)])
        return np.asarray(starts - starts[:1])

    def read(self, keep: Collection[int], stop: int) -> tuple[dict[int, Frames], int]:
        """See `emorec.data.video.reader.VideoReader`."""
        kept: dict[int, Frames] = {}
        for index, frame in enumerate(self._frames(stop)):
            if index in keep:
                kept[index] = frame.data.numpy()
        return kept, stop

    def _frames(self, stop: int) -> Iterator[Any]:
        for index in range(stop):
            try:
                frame = self._video.get_frame_at(index)
            except (RuntimeError, ValueError, IndexError) as error:
                if "no more frames" in str(error):  # in AVI files that the others read to the end
                    raise unsupported_error(
                        self.path, "torchcodec", f"finds no frame after {index}"
                    ) from error
                raise decoding_error(self.path, self.frames_in_file) from error
            yield frame


def _open(path: Path) -> Any:
    try:
        return VideoDecoder(
            str(path.absolute()),
            seek_mode="exact",
            num_ffmpeg_threads=1,
            dimension_order="NHWC",
            device="cpu",
        )
    except (RuntimeError, ValueError, AssertionError, UnicodeError) as error:
        message = str(error)
        if "video stream" in message:
            raise ClipError.of(path, NO_PICTURES) from error
        if "Could not open input file" in message:
            raise ClipError.of(path, NOT_A_VIDEO) from error
        raise ClipError.of(path, CUT_OFF) from error
