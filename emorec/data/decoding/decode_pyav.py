"""Videos read by PyAV. Its wheels bring a recent FFmpeg, which knows AV1 too, for more machines than decord's.

A frame that is neither wanted nor needed to decode another is passed over: in a film with B-frames that saves half of
the work. Frames that come out are then known by their times, so this is done where each is sure to have its own.
"""

from array import array
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
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
from emorec.data.decoding.packets import Listener, Packets, packets_of, sound_in

TEXT_AS_PICTURES = "tty"
"""FFmpeg's name for what it makes of any text file: a film of a terminal."""


def hear_damage() -> None:
    """Lets PyAV's FFmpeg write its errors to the standard error stream."""
    av.logging.restore_default_callback()
    av.logging.set_libav_level(av.logging.ERROR)


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame that was decoded, in the colours it is stored in."""

    frame: VideoFrame

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels as it is shown."""
        width, height = self.frame.width, self.frame.height
        return (height, width) if self.frame.rotation % 180 == 90 else (width, height)

    def upright(self) -> Frames:
        """(H, W, C) as it is shown: what was filmed sideways or upside down is turned by quarters."""
        picture = self.frame.to_ndarray(format="rgb24", interpolation="BICUBIC")
        picture = picture.astype(np.uint8, copy=False)
        quarter_turns, rest = divmod(self.frame.rotation, 90)
        return picture if rest else np.rot90(picture, quarter_turns)


class Reader:
    """A video opened by PyAV.

    Args:
        path: The video file.
        to_its_end: Whether a file that can't be read to its end is refused; else what comes before counts.

    Raises:
        ClipError: When it can't be opened, or not be read to its end.

    Attributes:
        hidden: Frames in the file that it hides.
        rate: Frames a second, as the file says; `None` where it does not.
        has_sound: Whether there is a sound track that can be decoded.
        promised_seconds: How long the file says its pictures last; `None` where it does not.
    """

    def __init__(self, path: Path, *, to_its_end: bool = True) -> None:
        self.path = path
        stored, untimed, discarded = array("q"), array("b"), array("b")
        with _opened(path) as (container, stream):
            tick = float(stream.time_base or 1)
            self.rate = float(stream.average_rate or stream.guessed_rate or 0) or None
            self.has_sound = sound_in(container) is not None
            self.promised_seconds = stream.duration * tick if stream.duration else None
            try:
                for packet in container.demux(stream):
                    if packet.size:
                        stored.append(packet.pts or 0)
                        untimed.append(packet.pts is None)
                        discarded.append(packet.is_discard)
            except av.FFmpegError as error:
                if to_its_end or not stored:
                    raise ClipError.of(path, CUT_OFF) from error
        # arrays, for a film of hours has frames by the hundred thousand
        ticks, hidden = np.array(stored, dtype=np.int64), np.array(discarded, dtype=bool)
        timed = ~np.array(untimed, dtype=bool)
        self.frames_in_file = len(ticks)
        self.starts = _starts(np.where(timed, ticks * tick, np.nan), hidden)
        self.promised = len(self.starts) or self.frames_in_file
        self.hidden = int(np.count_nonzero(hidden))

        self._in_order = np.unique(ticks[timed])
        shown = np.sort(ticks[timed & ~hidden])
        self._first_shown = int(np.searchsorted(self._in_order, shown[0])) if len(shown) else 0
        self._all_timed = len(self._in_order) == len(ticks)
        # what an edit list hides at the end (as in every original of RAVDESS) just does not come
        hidden_last = np.array_equal(self._in_order[: len(shown)], shown)
        # formats without times give the order of storage for one; without B-frames there is next to nothing to save
        self.can_pass_over = (
            self._all_timed and hidden_last and not np.array_equal(self._in_order, ticks)
        )

    def read(self, keep: Collection[int], stop: int) -> tuple[dict[int, Frames], int]:
        """See `emorec.data.decoding.decode.Reader`. Damage in frames that are passed over is not seen."""
        if self.can_pass_over:
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

    def stream(
        self, needed: Collection[int] | None = None, listener: Listener | None = None
    ) -> Iterator[tuple[int, Picture | None]]:
        """Index and picture of each frame that comes out, in order; `None` for a picture where the file is damaged.

        After damage nothing comes before the next key frame: what is built upon a broken picture is broken.

        Args:
            needed: The frames that are needed; others may be passed over. `None` decodes all.
            listener: Is given the sound, too, in the order in which it is stored.
        """
        # threads of FFmpeg that log through Python would wait for this one for ever
        av.logging.set_level(None)
        with _opened(self.path) as (container, stream):
            stream.codec_context.thread_type = "AUTO"
            packets = packets_of(container, stream, mend=True, listener=listener)
            whole = True
            for index, frame in self._numbered(stream, packets, needed, mend=True):
                whole = frame is not None and (whole or frame.key_frame)
                yield index, Picture(frame) if frame and whole and not frame.is_corrupt else None

    def _read(
        self, keep: Collection[int], stop: int, needed: Collection[int] | None = None
    ) -> tuple[dict[int, Frames], set[int]]:
        """The frames to keep, and the indices of all that came out: with `needed`, of these at least."""
        kept: dict[int, Picture] = {}
        seen: set[int] = set()
        with _opened(self.path) as (container, stream):
            # one core a clip: clips are decoded side by side, which loses nothing to threads that wait for each other
            stream.codec_context.thread_count = 1
            stream.codec_context.thread_type = "NONE"
            try:
                packets = packets_of(container, stream)
                for index, frame in self._numbered(stream, packets, needed):
                    if index >= stop or frame is None:
                        break
                    seen.add(index)
                    if index in keep:
                        kept[index] = Picture(frame)
            except av.FFmpegError as error:
                raise decoding_fails(self.path, self.frames_in_file) from error
        return {index: picture.upright() for index, picture in kept.items()}, seen

    def _numbered(
        self,
        stream: VideoStream,
        packets: Packets,
        needed: Collection[int] | None,
        mend: bool = False,
    ) -> Iterator[tuple[int, VideoFrame | None]]:
        """The frames by their times where some are passed over or may be lost, else counted."""
        by_time = needed is not None or (mend and self.can_pass_over)
        first, index = 0, 0
        for frame in self._frames(stream, packets, needed, mend):
            if frame is None and not by_time:
                by_time, first = self._all_timed, self._first_shown
            elif frame is not None and by_time:
                index = self._place(frame.pts) - first
            yield index, frame
            index += 1

    def _frames(
        self,
        stream: VideoStream,
        packets: Packets,
        needed: Collection[int] | None,
        mend: bool = False,
    ) -> Iterator[VideoFrame | None]:
        """What comes out; to `mend` gives `None` at damage and goes on behind it."""
        decoder, torn = stream.codec_context, False
        for packet in packets:
            if mend and packet is not None and packet.is_corrupt:
                # what follows is built upon it, and comes out wrong without a word
                yield from _decoded(decoder, None, mend)
                yield None
                decoder.flush_buffers()
                torn = True
            if torn and packet is not None and packet.size and not packet.is_keyframe:
                continue
            torn = torn and (packet is None or packet.is_corrupt)
            if needed is not None and packet is not None:
                pass_over = self._place(packet.pts) not in needed
                decoder.skip_frame = "NONREF" if pass_over else "DEFAULT"
            yield from _decoded(decoder, packet, mend)

    def _place(self, pts: int | None) -> int:
        """Index of the frame that is shown at a tick; behind all others where there is none."""
        if pts is None:
            return self.frames_in_file
        place = int(np.searchsorted(self._in_order, pts))
        there = place < len(self._in_order) and self._in_order[place] == pts
        return place if there else self.frames_in_file


def _decoded(
    decoder: VideoCodecContext, packet: "Packet[VideoStream] | None", mend: bool
) -> Iterator[VideoFrame | None]:
    try:
        yield from decoder.decode(packet)
    except av.FFmpegError:
        if not mend:
            raise
        yield None


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    try:
        # an absolute path, for FFmpeg takes what stands before a colon for a protocol
        container = av.open(str(path.absolute()), metadata_errors="ignore")
    except (av.FFmpegError, UnicodeError) as error:
        raise ClipError.of(path, NOT_A_VIDEO) from error
    with container:
        if container.format.name == TEXT_AS_PICTURES:
            raise ClipError.of(path, NOT_A_VIDEO)
        stream = container.streams.best("video")
        # the cover of a piece of music is no film
        if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
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
