"""Videos read by PyAV, whose wheels bring a recent FFmpeg that also knows AV1, for more platforms than decord's.

A frame that is neither wanted nor needed to decode another is skipped, which saves half of the work in a video with
B-frames. The frames that do come out are identified by their timestamps, so frames are skipped only in files in which
every frame has a timestamp of its own.
"""

from array import array
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

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

TEXT_FORMAT = "tty"
"""FFmpeg's demuxer that turns any text file into a video of a terminal."""

Packets: TypeAlias = "Iterator[Packet[VideoStream] | None]"


def log_errors_to_stderr() -> None:
    """Let PyAV's FFmpeg write its errors to the standard error stream."""
    av.logging.restore_default_callback()
    av.logging.set_libav_level(av.logging.ERROR)


class AudioSink(Protocol):
    """Receives the sound of a video while its frames are read, so that the file is read only once."""

    def begin(self, sound: AudioStream, zero: Fraction) -> None:
        """Receive the sound stream before its packets, and the start of the first frame in seconds of the file."""

    def take(self, packet: "Packet[AudioStream]") -> None:
        """Receive the next packet of sound; the last one is empty, if the file can be read to its end."""


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A decoded frame in the pixel format in which it is stored."""

    frame: VideoFrame

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels as displayed."""
        width, height = self.frame.width, self.frame.height
        return (height, width) if self.frame.rotation % 180 == 90 else (width, height)

    def to_rgb(self) -> Frames:
        """Return (H, W, C) uint8 RGB as displayed: rotated by the quarter turns that the file states."""
        pixels = self.frame.to_ndarray(format="rgb24", interpolation="BICUBIC")
        pixels = pixels.astype(np.uint8, copy=False)
        quarter_turns, rest = divmod(self.frame.rotation, 90)
        return pixels if rest else np.rot90(pixels, quarter_turns)


class Reader:
    """A video opened by PyAV; see `emorec.data.video.reader.VideoReader`.

    Args:
        path: The video file.
        to_its_end: Refuse a file that can't be read to its end; otherwise read what comes before.

    Raises:
        ClipError: When it can't be opened, or not be read to its end.

    Attributes:
        hidden: Number of frames in the file that it hides.
        rate: Frames a second that the file declares; `None` if it declares none.
        has_sound: Whether there is a sound track that can be decoded.
        promised_seconds: Duration of the video stream that the file declares; `None` if it declares none.
        can_skip: Whether frames can be skipped: each has its own timestamp, and some are stored out of order.
    """

    def __init__(self, path: Path, *, to_its_end: bool = True) -> None:
        self.path = path
        stored, untimed, discarded = array("q"), array("b"), array("b")
        with _opened(path) as (container, stream):
            tick = float(stream.time_base or 1)
            self.rate = float(stream.average_rate or stream.guessed_rate or 0) or None
            self.has_sound = sound_stream(container) is not None
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
        # arrays, because a film of hours has hundreds of thousands of frames
        ticks, hidden = np.array(stored, dtype=np.int64), np.array(discarded, dtype=bool)
        timed = ~np.array(untimed, dtype=bool)
        self.frames_in_file = len(ticks)
        self.starts = _starts(np.where(timed, ticks * tick, np.nan), hidden)
        self.promised = len(self.starts) or self.frames_in_file
        self.hidden = int(np.count_nonzero(hidden))

        self._sorted_ticks = np.unique(ticks[timed])
        shown = np.sort(ticks[timed & ~hidden])
        self._first_shown = int(np.searchsorted(self._sorted_ticks, shown[0])) if len(shown) else 0
        self._all_timed = len(self._sorted_ticks) == len(ticks)
        # frames that an edit list hides at the end (as in every original of RAVDESS) simply do not come
        hidden_last = np.array_equal(self._sorted_ticks[: len(shown)], shown)
        # formats without timestamps state the order of storage instead; without B-frames there is little to skip
        self.can_skip = (
            self._all_timed and hidden_last and not np.array_equal(self._sorted_ticks, ticks)
        )

    def read(self, keep: Collection[int], stop: int) -> tuple[dict[int, Frames], int]:
        """See `emorec.data.video.reader.VideoReader`. Damage in skipped frames goes unnoticed."""
        if self.can_skip:
            needed = {0, *keep, stop - 1}
            kept, decoded = self._read(keep, stop, needed)
            end = max(decoded, default=-1) + 1
            # the end is certain only if the next frame was requested and did not come
            end_is_certain = end == stop or end in needed
            if end_is_certain and decoded >= {index for index in needed if index < end}:
                return kept, end
        kept, decoded = self._read(keep, stop)
        return kept, len(decoded)

    def stream(
        self, needed: Collection[int] | None = None, audio_sink: AudioSink | None = None
    ) -> Iterator[tuple[int, DecodedFrame | None]]:
        """Yield index and frame of each frame that comes out, in order; `None` for a frame where the file is damaged.

        After damage nothing is decoded before the next key frame, because frames that refer to a broken one are broken.

        Args:
            needed: Indices of the frames that are needed; others may be skipped. `None` decodes all.
            audio_sink: Receives the sound, too, in the order of storage.
        """
        # FFmpeg's threads that log through Python would deadlock with this one
        av.logging.set_level(None)
        with _opened(self.path) as (container, stream):
            stream.codec_context.thread_type = "AUTO"
            packets = demux(container, stream, tolerant=True, audio_sink=audio_sink)
            intact = True
            for index, frame in self._indexed(stream, packets, needed, tolerant=True):
                intact = frame is not None and (intact or frame.key_frame)
                usable = frame is not None and intact and not frame.is_corrupt
                yield index, DecodedFrame(frame) if frame and usable else None

    def _read(
        self, keep: Collection[int], stop: int, needed: Collection[int] | None = None
    ) -> tuple[dict[int, Frames], set[int]]:
        """The frames to keep, and the indices of all frames decoded: with `needed`, at least of these."""
        kept: dict[int, DecodedFrame] = {}
        decoded: set[int] = set()
        with _opened(self.path) as (container, stream):
            # one core a clip: clips are decoded in parallel, and threads within a clip would wait for each other
            stream.codec_context.thread_count = 1
            stream.codec_context.thread_type = "NONE"
            try:
                for index, frame in self._indexed(stream, demux(container, stream), needed):
                    if index >= stop or frame is None:
                        break
                    decoded.add(index)
                    if index in keep:
                        kept[index] = DecodedFrame(frame)
            except av.FFmpegError as error:
                raise decoding_error(self.path, self.frames_in_file) from error
        return {index: frame.to_rgb() for index, frame in kept.items()}, decoded

    def _indexed(
        self,
        stream: VideoStream,
        packets: Packets,
        needed: Collection[int] | None,
        tolerant: bool = False,
    ) -> Iterator[tuple[int, VideoFrame | None]]:
        """Frames with their index, from the timestamp where frames may be skipped or lost, else by counting."""
        by_time = needed is not None or (tolerant and self.can_skip)
        first, index = 0, 0
        for frame in self._decoded(stream, packets, needed, tolerant):
            if frame is None and not by_time:
                by_time, first = self._all_timed, self._first_shown
            elif frame is not None and by_time:
                index = self._index_at(frame.pts) - first
            yield index, frame
            index += 1

    def _decoded(
        self,
        stream: VideoStream,
        packets: Packets,
        needed: Collection[int] | None,
        tolerant: bool = False,
    ) -> Iterator[VideoFrame | None]:
        """Decoded frames; if `tolerant`, `None` where there is damage, and then those that follow it."""
        decoder, after_damage = stream.codec_context, False
        for packet in packets:
            if tolerant and packet is not None and packet.is_corrupt:
                # frames that refer to this one come out wrong without an error
                yield from _decode_packet(decoder, None, tolerant)
                yield None
                decoder.flush_buffers()
                after_damage = True
            if after_damage and packet is not None and packet.size and not packet.is_keyframe:
                continue
            after_damage = after_damage and (packet is None or packet.is_corrupt)
            if needed is not None and packet is not None:
                skip = self._index_at(packet.pts) not in needed
                decoder.skip_frame = "NONREF" if skip else "DEFAULT"
            yield from _decode_packet(decoder, packet, tolerant)

    def _index_at(self, pts: int | None) -> int:
        """Index of the frame with a timestamp, in ticks; beyond all others for an unknown one."""
        if pts is None:
            return self.frames_in_file
        index = int(np.searchsorted(self._sorted_ticks, pts))
        known = index < len(self._sorted_ticks) and self._sorted_ticks[index] == pts
        return index if known else self.frames_in_file


def sound_stream(container: InputContainer) -> AudioStream | None:
    """Return the first sound stream whose codec is known; `None` without one."""
    streams = container.streams.audio
    # PyAV's type denies that streams of unknown codecs have no context
    known = (stream for stream in streams if stream.codec_context is not None)  # type: ignore[redundant-expr]
    return next(known, None)


def demux(
    container: InputContainer,
    stream: VideoStream,
    *,
    tolerant: bool = False,
    audio_sink: AudioSink | None = None,
) -> Packets:
    """Yield the packets of a video stream, and last an empty one, which flushes the decoder.

    Args:
        container: The open file.
        stream: The video stream.
        tolerant: End with `None` where the file can't be read on, instead of raising.
        audio_sink: Receives the packets of `sound_stream`.

    Raises:
        av.FFmpegError: Where the file can't be read on.
    """
    sound = sound_stream(container) if audio_sink else None
    if audio_sink and sound:
        audio_sink.begin(sound, (stream.start_time or 0) * (stream.time_base or Fraction(1)))
    packets: Iterator[Packet[Any]] = container.demux(*filter(None, (stream, sound)))
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            if not tolerant:
                raise
            yield None
            return
        if audio_sink and packet.stream is sound:
            audio_sink.take(packet)
        else:
            yield packet


def _decode_packet(
    decoder: VideoCodecContext, packet: "Packet[VideoStream] | None", tolerant: bool
) -> Iterator[VideoFrame | None]:
    try:
        yield from decoder.decode(packet)
    except av.FFmpegError:
        if not tolerant:
            raise
        yield None


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    try:
        # an absolute path, because FFmpeg takes what precedes a colon for a protocol
        container = av.open(str(path.absolute()), metadata_errors="ignore")
    except (av.FFmpegError, UnicodeError) as error:
        raise ClipError.of(path, NOT_A_VIDEO) from error
    with container:
        if container.format.name == TEXT_FORMAT:
            raise ClipError.of(path, NOT_A_VIDEO)
        stream = container.streams.best("video")
        # the cover of an album is no video
        if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
            raise ClipError.of(path, NO_PICTURES)
        if stream.codec_context is None:
            raise unsupported_error(path, "pyav", UNKNOWN_FORMAT)
        yield container, stream


def _starts(
    times: npt.NDArray[np.float64], hidden: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Start of each frame that is not hidden before the first; empty if any frame has no timestamp."""
    if np.isnan(times).any() or hidden.all():
        return np.empty(0)
    starts: npt.NDArray[np.float64] = np.sort(times) - times[~hidden].min()
    return starts[starts >= 0]
