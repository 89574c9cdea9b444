"""Videos read by PyAV. Its wheels bring a recent FFmpeg, which knows AV1 too, for more machines than decord's.

A frame that is neither wanted nor needed to decode another is passed over: in a film with B-frames that saves half of
the work. Frames that come out are then known by their times, so this is done where each is sure to have its own.
"""

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
        ticks: list[int | None] = []
        hidden: list[bool] = []
        with _opened(path) as (container, stream):
            tick = float(stream.time_base or 1)
            try:
                for packet in container.demux(stream):
                    if packet.size:
                        ticks.append(packet.pts)
                        hidden.append(packet.is_discard)
            except av.FFmpegError as error:
                raise ClipError.of(path, CUT_OFF) from error
        times = [np.nan if pts is None else pts * tick for pts in ticks]
        self.frames_in_file = len(ticks)
        self.starts = _starts(np.array(times), np.array(hidden, dtype=bool))
        self.promised = len(self.starts) or self.frames_in_file

        in_order = sorted({pts for pts in ticks if pts is not None})
        self._places: dict[int | None, int] = {pts: index for index, pts in enumerate(in_order)}
        """Index of each frame by its time in ticks."""
        shown = sorted(
            pts for pts, hide in zip(ticks, hidden, strict=True) if pts is not None and not hide
        )
        # what an edit list hides at the end (as in every original of RAVDESS) just does not come
        every_time_is_known = len(in_order) == len(ticks) and in_order[: len(shown)] == shown
        # formats without times give the order of storage for one; without B-frames there is next to nothing to save
        self._can_pass_over = every_time_is_known and in_order != ticks

    def read(self, keep: Collection[int], stop: int) -> tuple[dict[int, Frames], int]:
        """See `emorec.data.decoding.decode.Reader`. Damage in frames that are passed over is not seen."""
        if self._can_pass_over:
            needed = {0, *keep, stop - 1}
            kept, seen = self._read(keep, stop, needed)
            end = max(seen, default=-1) + 1
            # known to be the end: the next one was asked for, too, and did not come
            if (end == stop or end in needed) and seen >= {
                index for index in needed if index < end
            }:
                return kept, end
        kept, seen = self._read(keep, stop)
        return kept, len(seen)

    def _read(
        self, keep: Collection[int], stop: int, needed: Collection[int] | None = None
    ) -> tuple[dict[int, Frames], set[int]]:
        """The frames to keep, and the indices of all that came out: with `needed`, of these at least."""
        kept: dict[int, VideoFrame] = {}
        seen: set[int] = set()
        with _opened(self.path) as (container, stream):
            # one core a clip: clips are decoded side by side, which loses nothing to threads that wait for each other
            stream.codec_context.thread_count = 1
            stream.codec_context.thread_type = "NONE"
            try:
                for frame in self._frames(container, stream, needed):
                    index = len(seen) if needed is None else self._places.get(frame.pts, stop)
                    if index >= stop:
                        break
                    seen.add(index)
                    if index in keep:
                        kept[index] = frame
            except av.FFmpegError as error:
                raise decoding_fails(self.path, self.frames_in_file) from error
        return {index: _upright(frame) for index, frame in kept.items()}, seen

    def _frames(
        self, container: InputContainer, stream: VideoStream, needed: Collection[int] | None
    ) -> Iterator[VideoFrame]:
        for packet in container.demux(stream):
            if needed is not None:
                pass_over = self._places.get(packet.pts) not in needed
                stream.codec_context.skip_frame = "NONREF" if pass_over else "DEFAULT"
            yield from stream.codec_context.decode(packet)


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
