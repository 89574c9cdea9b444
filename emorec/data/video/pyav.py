"""Videos read by PyAV, whose wheels bring a recent FFmpeg that also knows AV1, for more platforms than decord's.

A frame that is neither wanted nor needed to decode another is skipped, which saves half of the work in a video with
B-frames. The frames that do come out are identified by their timestamps, so frames are skipped only in files in which
every frame has a timestamp of its own.
"""

import struct
from array import array
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Protocol, TypeAlias

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideData
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from emorec.data.media import (
    DECODING_ERRORS,
    Packets,
    audio_stream,
    clock_zero,
    declared_end,
    demux,
    open_media,
    video_stream,
)
from emorec.data.video.reader import (
    CUT_OFF,
    NO_PICTURES,
    UNKNOWN_FORMAT,
    ClipError,
    Frames,
    decoding_error,
    unsupported_error,
)

VideoPackets: TypeAlias = "Iterator[Packet[VideoStream] | None]"


def log_errors_to_stderr() -> None:
    """Let PyAV's FFmpeg write its errors to the standard error stream."""
    av.logging.restore_default_callback()
    av.logging.set_libav_level(av.logging.ERROR)


class AudioSink(Protocol):
    """Receives the sound of a video while its frames are read, so that the file is read only once."""

    def begin(self, sound: AudioStream, zero: Fraction) -> None:
        """Receive the sound stream before its packets, and where the clock is zero, in seconds of the timestamps."""

    def take(self, packet: "Packet[AudioStream]") -> None:
        """Receive the next packet of sound; the last one is empty, if the file can be read to its end."""


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A decoded frame in the pixel format in which it is stored.

    Attributes:
        frame: As decoded.
        size: Height and width in pixels as displayed.
        flips: Whether to transpose the stored picture, then to flip it vertically and horizontally.
        reformatter: Of all frames of a stream: one for each takes as long as the conversion.
    """

    frame: VideoFrame
    size: tuple[int, int]
    flips: tuple[bool, bool, bool]
    reformatter: VideoReformatter

    def to_rgb(self, size: tuple[int, int] | None = None) -> Frames:
        """Return (H, W, C) uint8 RGB as displayed.

        Args:
            size: Height and width of the result; a frame of another shape is fitted into it, with black bars.
        """
        height, width = self.size
        if size is not None and size != self.size:
            scale = min(size[0] / height, size[1] / width)
            height, width = (max(1, round(side * scale)) for side in self.size)
        transpose, vertical, horizontal = self.flips
        stored = (height, width) if transpose else (width, height)
        converted = self.reformatter.reformat(
            self.frame, format="rgb24", width=stored[0], height=stored[1], interpolation="BICUBIC"
        )
        pixels = converted.to_ndarray().astype(np.uint8, copy=False)
        if transpose:
            pixels = pixels.swapaxes(0, 1)
        pixels = pixels[:: -1 if vertical else 1, :: -1 if horizontal else 1]
        return pixels if size is None else _framed(pixels, size)


TURNS = {
    -90: (True, False, True),
    90: (True, True, False),
    180: (False, True, True),
    -180: (False, True, True),
}
"""Degrees counter-clockwise -> `flips` of that turn."""


class _Display:
    """How players show the frames of a video: turned, mirrored, and with square pixels.

    Args:
        aspect: Width of a stored pixel in heights.
    """

    def __init__(self, aspect: Fraction) -> None:
        self._aspect = aspect
        self._flips = (False, False, False)
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> DecodedFrame:
        """Return the next frame as displayed; only some frames of a stream repeat how they are turned."""
        try:
            # PyAV 18 keeps `frame.side_data` in the frame: a cycle, and its pixels would wait for the garbage collector
            side_data = SideDataContainer(frame)  # type: ignore[call-arg]
        except ValueError:  # PyAV 18 does not know the EXIF data of a photo, but how it is turned
            self._flips = TURNS.get(round(frame.rotation), (False, False, False))
        else:
            if SideData.DISPLAYMATRIX in side_data:
                matrix = bytes(side_data[SideData.DISPLAYMATRIX])
                self._flips = flips(struct.unpack("=9i", matrix[:36]))
        height, width = frame.height, max(1, round(frame.width * self._aspect))
        size = (width, height) if self._flips[0] else (height, width)
        return DecodedFrame(frame, size, self._flips, self._reformatter)


def flips(matrix: Sequence[int]) -> tuple[bool, bool, bool]:
    """Return whether a display matrix transposes a picture, then flips it vertically and horizontally.

    Angles other than quarter turns are ignored.

    Args:
        matrix: (9,) row by row; the picture's axis x goes to (a, b), its axis y, which points down, to (c, d).

    >>> flips([-1, 0, 0, 0, -1, 0, 0, 0, 1])
    (False, True, True)
    >>> flips([0, 1, 0, -1, 0, 0, 0, 0, 1])  # a quarter turn clockwise
    (True, False, True)
    """
    a, b, _, c, d = matrix[:5]
    if a == d == 0 and b and c:
        return True, b < 0, c < 0
    if b == c == 0 and a and d:
        return False, d < 0, a < 0
    return False, False, False


def _framed(pixels: Frames, size: tuple[int, int]) -> Frames:
    """(H, W, C) -> the picture in the middle of a black one of a size that holds it."""
    if pixels.shape[:2] == size:
        return pixels
    framed = np.zeros((*size, 3), np.uint8)
    top, left = ((whole - side) // 2 for whole, side in zip(size, pixels.shape[:2], strict=True))
    framed[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return framed


class Reader:
    """A video opened by PyAV; see `emorec.data.video.reader.VideoReader`.

    Args:
        path: The video file.
        to_its_end: Refuse a file that can't be read to its end; otherwise read what comes before.

    Raises:
        ClipError: When it can't be opened, or not be read to its end.

    Attributes:
        hidden: Number of frames in the file that it hides.
        first: The first frame, whose size the others are fitted into; set by `read`.
        num_key_frames: Number of frames that can be decoded by themselves.
        rate: Frames a second that the file declares; `None` if it declares none.
        has_sound: Whether there is a sound track that can be decoded.
        has_all_frames: Whether the file holds as many frames as it declares; not where it declares no number.
        promised_seconds: End of the video stream that the file declares; `None` if it declares none.
        can_skip: Whether frames can be skipped: each has its own timestamp, and some are stored out of order.
    """

    def __init__(self, path: Path, *, to_its_end: bool = True) -> None:
        self.path = path
        self.first: DecodedFrame | None = None
        self.num_key_frames = 0
        stored, untimed, discarded = array("q"), array("b"), array("b")
        with _opened(path) as (container, stream):
            tick, zero = float(stream.time_base or 1), float(clock_zero(container))
            has_delay = container.format.name == "avi"  # which states no times, only an order
            self._aspect = stream.sample_aspect_ratio or Fraction(1)
            self.rate = float(stream.average_rate or stream.guessed_rate or 0) or None
            self.has_sound = audio_stream(container) is not None
            self.promised_seconds = declared_end(container, stream)
            try:
                for packet in demux(container):
                    if packet.size and packet.stream is stream:
                        if packet.is_corrupt and to_its_end:
                            raise ClipError.of(path, CUT_OFF)
                        stored.append(packet.pts or 0)
                        untimed.append(packet.pts is None)
                        discarded.append(packet.is_discard)
                        self.num_key_frames += packet.is_keyframe
            except DECODING_ERRORS as error:
                if to_its_end or not stored:
                    raise ClipError.of(path, CUT_OFF) from error
            self.has_all_frames = 0 < stream.frames <= len(stored)
        # arrays, because a film of hours has hundreds of thousands of frames
        ticks, hidden = np.array(stored, dtype=np.int64), np.array(discarded, dtype=bool)
        timed = ~np.array(untimed, dtype=bool)
        self.frames_in_file = len(ticks)
        self.starts = _starts(np.where(timed, ticks * tick, np.nan) - zero, hidden)
        self.starts -= self.starts[:1] * has_delay
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
        self,
        needed: Collection[int] | None = None,
        audio_sink: AudioSink | None = None,
        packets: Packets | None = None,
    ) -> Iterator[tuple[int, DecodedFrame | None]]:
        """Yield index and frame of each frame that comes out, in order; `None` for a frame where the file is damaged.

        After damage nothing is decoded before the next key frame, because frames that refer to a broken one are broken.

        Args:
            needed: Indices of the frames that are needed; others may be skipped. `None` decodes all.
            audio_sink: Receives the sound, too, in the order of storage.
            packets: Of the file, where another thread takes those of its sound.
        """
        # FFmpeg's threads that log through Python would deadlock with this one
        av.logging.set_level(None)
        with _opened(self.path, packets) as (container, stream):
            stream.codec_context.thread_type = "AUTO"
            taken = video_packets(
                container, stream, tolerant=True, audio_sink=audio_sink, packets=packets
            )
            intact, display = True, _Display(self._aspect)
            for index, frame in self._indexed(stream, taken, needed, tolerant=True):
                intact = frame is not None and (intact or frame.key_frame)
                usable = frame is not None and intact and not frame.is_corrupt
                yield index, display(frame) if frame and usable else None

    def key_frames(self) -> Iterator[tuple[int, DecodedFrame]]:
        """Yield index and frame of those that can be decoded by themselves; the index is -1 without timestamps.

        Raises:
            ClipError: When one can't be decoded.
        """
        display = _Display(self._aspect)
        with _opened(self.path) as (container, stream):
            stream.codec_context.thread_type = "NONE"
            packets = video_packets(container, stream)
            keys = (packet for packet in packets if packet is not None and packet.is_keyframe)
            try:
                # an empty packet flushes the decoder
                for packet in chain(islice(keys, self.num_key_frames), (None,)):
                    for frame in stream.codec_context.decode(packet):
                        index = self._index_at(frame.pts) - self._first_shown
                        yield index if self._all_timed else -1, display(frame)
            except DECODING_ERRORS as error:
                raise decoding_error(self.path, self.frames_in_file) from error

    def _read(
        self, keep: Collection[int], stop: int, needed: Collection[int] | None = None
    ) -> tuple[dict[int, Frames], set[int]]:
        """The frames to keep, and the indices of all frames decoded: with `needed`, at least of these."""
        kept: dict[int, DecodedFrame] = {}
        decoded: set[int] = set()
        display = _Display(self._aspect)
        with _opened(self.path) as (container, stream):
            # one core a clip: clips are decoded in parallel, and threads within a clip would wait for each other
            stream.codec_context.thread_count = 1
            stream.codec_context.thread_type = "NONE"
            try:
                for index, frame in self._indexed(stream, video_packets(container, stream), needed):
                    if index >= stop or frame is None:
                        break
                    decoded.add(index)
                    shown = display(frame)
                    self.first = self.first or shown
                    if index in keep:
                        kept[index] = shown
                frames = {index: frame.to_rgb(self._size) for index, frame in kept.items()}
            except DECODING_ERRORS as error:
                raise decoding_error(self.path, self.frames_in_file) from error
        return frames, decoded

    @property
    def _size(self) -> tuple[int, int] | None:
        return None if self.first is None else self.first.size

    def _indexed(
        self,
        stream: VideoStream,
        packets: VideoPackets,
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
        packets: VideoPackets,
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


def video_packets(
    container: InputContainer,
    stream: VideoStream,
    *,
    tolerant: bool = False,
    audio_sink: AudioSink | None = None,
    packets: Packets | None = None,
) -> VideoPackets:
    """Yield the packets of a video stream, and last an empty one, which flushes the decoder.

    Args:
        container: The open file.
        stream: The video stream.
        tolerant: End with `None` where the file can't be read on, instead of raising.
        audio_sink: Receives the packets of the audio stream.
        packets: Of the file, where another thread takes those of its sound.

    Raises:
        DECODING_ERRORS: Where the file can't be read on.
    """
    sound = audio_stream(container) if audio_sink else None
    if audio_sink and sound:
        audio_sink.begin(sound, clock_zero(container))
    taken = packets.of(stream) if packets else demux(container)
    while True:
        try:
            packet = next(taken)
        except StopIteration:
            return
        except DECODING_ERRORS:
            if not tolerant:
                raise
            yield None
            return
        if packet.stream.index == stream.index:
            yield packet
        elif audio_sink and packet.stream is sound:
            audio_sink.take(packet)


def _decode_packet(
    decoder: VideoCodecContext, packet: "Packet[VideoStream] | None", tolerant: bool
) -> Iterator[VideoFrame | None]:
    try:
        yield from decoder.decode(packet)
    except DECODING_ERRORS:
        if not tolerant:
            raise
        yield None


@contextmanager
def _opened(
    path: Path, packets: Packets | None = None
) -> Iterator[tuple[InputContainer, VideoStream]]:
    with nullcontext(packets.container) if packets else open_media(path) as container:
        stream = video_stream(container)
        if stream is None:
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
    starts: npt.NDArray[np.float64] = np.sort(times)
    shown: npt.NDArray[np.float64] = starts[starts >= times[~hidden].min()]
    return shown
