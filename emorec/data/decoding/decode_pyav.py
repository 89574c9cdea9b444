"""Videos read by PyAV. Its wheels bring a recent FFmpeg, which knows AV1 too, for more machines than decord's."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

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


def hear_damage() -> None:
    """Lets PyAV's FFmpeg write its errors to the standard error stream."""
    av.logging.restore_default_callback()
    av.logging.set_libav_level(av.logging.ERROR)


class Reader:
    """A video opened by PyAV.

    Args:
        path: The video file.

    Raises:
        ClipError: When it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        times: list[float] = []
        hidden: list[bool] = []
        with _opened(path) as (container, stream):
            tick = float(stream.time_base or 1)
            try:
                for packet in container.demux(stream):
                    if packet.size:
                        times.append(np.nan if packet.pts is None else packet.pts * tick)
                        hidden.append(packet.is_discard)
            except av.FFmpegError as error:
                raise ClipError.of(path, CUT_OFF) from error
        self.frames_in_file = len(times)
        self.starts = _starts(np.array(times), np.array(hidden, dtype=bool))
        self.promised = len(self.starts) or self.frames_in_file

    def read(self, keep: Collection[int], stop: int) -> tuple[dict[int, Frames], int]:
        """See `emorec.data.decoding.decode.Reader`."""
        kept: dict[int, VideoFrame] = {}
        index = 0
        with _opened(self.path) as (container, stream):
            # one core a clip: clips are decoded side by side, which loses nothing to threads that wait for each other
            stream.codec_context.thread_count = 1
            stream.codec_context.thread_type = "NONE"
            try:
                for frame in container.decode(stream):
                    if index >= stop:
                        break
                    if index in keep:
                        kept[index] = frame
                    index += 1
            except av.FFmpegError as error:
                raise decoding_fails(self.path, self.frames_in_file) from error
        return {index: _upright(frame) for index, frame in kept.items()}, index


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    try:
        # an absolute path, for FFmpeg takes what stands before a colon for a protocol
        container = av.open(str(path.absolute()), metadata_errors="ignore")
    except (av.FFmpegError, UnicodeError) as error:
        raise ClipError.of(path, NOT_A_VIDEO) from error
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            raise ClipError.of(path, NO_PICTURES)
        if stream.codec_context is None:
            raise other_decoder(path, "pyav", UNKNOWN_FORMAT)
        yield container, stream


def _starts(
    times: npt.NDArray[np.float64], hidden: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """When each frame that is not hidden before the first starts; none where a frame has no time."""
    if np.isnan(times).any() or hidden.all():
        return np.empty(0)
    starts: npt.NDArray[np.float64] = np.sort(times) - times[~hidden].min()
    return starts[starts >= 0]


def _upright(frame: VideoFrame) -> Frames:
    """(H, W, C) as it is shown: what was filmed sideways or upside down is turned by quarters."""
    picture = frame.to_ndarray(format="rgb24", interpolation="BICUBIC").astype(np.uint8, copy=False)
    quarter_turns, rest = divmod(frame.rotation, 90)
    return picture if rest else np.rot90(picture, quarter_turns)
