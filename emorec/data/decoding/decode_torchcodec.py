"""Videos read by torchcodec, which brings no FFmpeg and takes the one that is installed on the machine."""

import os
from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torchcodec
from torchcodec.decoders import VideoDecoder

from emorec.data.decoding.decode import (
    CUT_OFF,
    NO_PICTURES,
    NOT_A_VIDEO,
    ClipError,
    Frames,
    decoding_fails,
    other_decoder,
)

if getattr(torchcodec, "ffmpeg_major_version", 0) is None:
    # earlier versions raise this by themselves
    raise ImportError(
        "it finds no FFmpeg: apt install ffmpeg, brew install ffmpeg or conda install ffmpeg"
    )


def hear_damage() -> None:
    """Lets FFmpeg write its errors to the standard error stream, for videos that are opened from now on."""
    os.environ["TORCHCODEC_FFMPEG_LOG_LEVEL"] = "ERROR"


class Reader:
    """A video opened by torchcodec.

    It counts the frames that the file shows, without those that an edit list cuts off at the end, so that what it
    promises it gives.

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
        """See `emorec.data.decoding.decode.Reader`. Only decoding tells."""
        starts = np.array([frame.pts_seconds for frame in self._frames(self.frames_in_file)])
        return np.asarray(starts - starts[:1])

    def read(self, keep: Collection[int], stop: int) -> tuple[dict[int, Frames], int]:
        """See `emorec.data.decoding.decode.Reader`."""
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
                if "no more frames" in str(error):  # AVI files that others read to their end
                    raise other_decoder(
                        self.path, "torchcodec", f"finds no frame after {index}"
                    ) from error
                raise decoding_fails(self.path, self.frames_in_file) from error
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
