"""Media files: one way to open them, and one clock for all of their streams.

A clock counts seconds as players do, from the first timestamp of any stream; where the streams of a file begin late, as
they may in all formats but MPEG streams, whose clocks begin anywhere, it counts from the file's own zero. Where
timestamps begin anew, as in recordings that were joined, the clock goes on.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path
from threading import RLock
from typing import Any, Final

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from emorec.data.video.reader import NOT_A_VIDEO, ClipError

DECODING_ERRORS: Final = (av.FFmpegError, ValueError, OverflowError)
"""What PyAV raises for damaged files: FFmpeg's errors, and those of converting a value that is out of range."""

TEXT_FORMAT = "tty"
"""FFmpeg's demuxer that turns any text file into a video of a terminal."""

CLOCK_MAY_JUMP = 0x0200
"""AVFMT_TS_DISCONT, a flag of FFmpeg's formats for MPEG streams."""

MAX_PARSED: Final = 2
"""Packets that FFmpeg's parsers hold back: so many may follow the one that it marks as damaged in place of the last."""

MAX_KEPT: Final = 1000
"""Packets that one thread passes for another before it reads the file by itself: half a minute of most videos."""

MAX_KEPT_BYTES: Final = 1 << 27
"""The same in bytes: ten seconds of the largest videos of phones; a second of uncompressed ones."""

MAX_DELAY_SECONDS: Final = 0.5
"""Reordered frames and audio priming delay or advance the first timestamp by less; a later start is meant."""

BACKWARD_SECONDS: Final = 0.1
FORWARD_SECONDS: Final = 10
"""Jumps of a stream's clock that are a new beginning. Source: FFmpeg's ffmpeg_demux.c, ts_discontinuity_detect."""


@contextmanager
def open_media(path: Path, otherwise: str = NOT_A_VIDEO) -> Iterator[InputContainer]:
    """Open a file of any container, whatever its name and its metadata.

    Args:
        path: The file.
        otherwise: The reason of the error.

    Raises:
        ClipError: When FFmpeg can't open it.
    """
    # FFmpeg takes what precedes a colon for a protocol
    name = f"file:{path.absolute()}"
    try:
        name.encode()
    except UnicodeEncodeError:  # a name that is not valid UTF-8
        with path.open("rb") as file, _opened(path, file, otherwise) as container:
            yield container
    else:
        with _opened(path, name, otherwise) as container:
            yield container


@contextmanager
def _opened(path: Path, source: Any, otherwise: str) -> Iterator[InputContainer]:
    try:
        container = av.open(source, metadata_errors="ignore")
    except DECODING_ERRORS as error:
        raise ClipError.of(path, otherwise) from error
    with container:
        if container.format.name == TEXT_FORMAT:
            raise ClipError.of(path, otherwise)
        yield container


def video_stream(container: InputContainer) -> VideoStream | None:
    """Return the video stream that players show; `None` without one. The cover of an album is not a video."""
    stream = container.streams.best("video")
    is_video = isinstance(stream, VideoStream) and not stream.disposition & Disposition.attached_pic
    return stream if is_video else None  # type: ignore[return-value]  # narrowed by `is_video`


def audio_stream(container: InputContainer) -> AudioStream | None:
    """Return the first audio stream whose codec is known; `None` without one."""
    streams = container.streams.audio
    # PyAV's type denies that streams of unknown codecs have no context
    known = (stream for stream in streams if stream.codec_context is not None)  # type: ignore[redundant-expr]
    return next(known, None)


def clock_zero(container: InputContainer) -> Fraction:
    """Return where a file's clock is zero, in seconds of its timestamps."""
    start = Fraction(container.start_time or 0, av.time_base)
    is_meant = start >= MAX_DELAY_SECONDS and not container.format.flags & CLOCK_MAY_JUMP
    return Fraction(0) if is_meant else start


def declared_end(container: InputContainer, stream: AudioStream | VideoStream) -> float | None:
    """Return where a stream ends as its file declares, in seconds of the clock; `None` where it declares no end.

    Where clocks may jump, FFmpeg infers it from timestamps, of which the last ones may belong to another recording.
    """
    if not stream.duration or container.format.flags & CLOCK_MAY_JUMP:
        return None
    # of a file in fragments, which states no number of frames, FFmpeg may count the duration from zero
    start = stream.start_time if stream.frames else 0
    end = ((start or 0) + stream.duration) * (stream.time_base or Fraction(1))
    return float(end - clock_zero(container))


def demux(container: InputContainer) -> Iterator["Packet[Any]"]:
    """Yield the packets of the video and the audio stream, with timestamps of one continuous clock.

    Both streams are always read, so that a new beginning is the same whichever of them is decoded. Last comes an empty
    packet for each stream, which flushes its decoder.

    Raises:
        DECODING_ERRORS: Where the file can't be read on.
    """
    clock = _ContinuousClock(bool(container.format.flags & CLOCK_MAY_JUMP))
    video, audio = video_stream(container), audio_stream(container)
    held: list[Packet[Any]] = []
    try:
        for packet in _packets(container, [stream for stream in (video, audio) if stream]):
            begins_anew = bool(packet.size) and clock.correct(packet)
            if packet.stream is not video:
                yield packet
                continue
            held.append(packet)
            if begins_anew:  # FFmpeg takes the end of a recording before another one for damage
                for each in held:
                    each.is_corrupt = False
            if not held[0].is_corrupt or len(held) > MAX_PARSED or not packet.size:
                yield from held
                held = []
    except DECODING_ERRORS:
        yield from held
        raise


class Packets:
    """The packets of a file, perhaps for two threads: one takes those of the pictures, the other those of the sound.

    A thread that needs its next packet reads on, and what it passes is kept for the other. Where that is too much,
    because a stream ends early or is stored apart, it reads the rest from a container of its own.

    Args:
        path: The file.
        otherwise: See `open_media`.
        shared: Whether both streams are taken; else only one.

    Raises:
        ClipError: When FFmpeg can't open it.

    Attributes:
        container: The open file, closed when its streams were taken to their ends.
        pictures_end: End of the last picture so far, in seconds of the timestamps.
    """

    def __init__(self, path: Path, otherwise: str = NOT_A_VIDEO, *, shared: bool = False) -> None:
        self._path = path
        self._file = ExitStack()
        self.container = self._file.enter_context(open_media(path, otherwise))
        self.pictures_end = 0.0
        self._packets = demux(self.container)
        self._error: str | None = None
        streams = (video_stream(self.container), audio_stream(self.container))
        self._kept: dict[int, deque[Packet[Any]]] = {
            stream.index: deque() for stream in streams if shared and stream
        }
        self._kept_bytes = 0
        self._apart: int | None = None
        """Stream that is read from a container of its own."""
        self._num_open = max(1, len(self._kept))
        """Streams that are not taken to their end."""
        self._lock = RLock()

    def close(self) -> None:
        """Close the file, whose streams can't be used any more."""
        self._file.close()

    def of(self, stream: VideoStream | AudioStream) -> Iterator["Packet[Any]"]:
        """Yield the packets of a stream, once, and last an empty one, which flushes its decoder.

        Args:
            stream: Of `container`.

        Raises:
            DECODING_ERRORS: Where the file can't be read on.
        """
        index, num_taken = stream.index, 0
        try:
            while (packet := self._next(index)) is not None:
                num_taken += 1
                yield packet
            if self._apart == index:
                with open_media(self._path) as container:
                    packets = (self._timed(packet) for packet in demux(container))
                    own = (packet for packet in packets if packet.stream.index == index)
                    yield from islice(own, num_taken, None)
        finally:
            with self._lock:
                self._forget(index)
                self._num_open -= 1
                if not self._num_open:
                    self.close()

    def _next(self, index: int) -> "Packet[Any] | None":
        """Return the next packet of a stream; `None` after the last one, or where too many of the other are kept."""
        with self._lock:
            if kept := self._kept.get(index):
                packet = kept.popleft()
                self._kept_bytes -= packet.size
                return packet
            if self._error is not None:  # which the other thread has met
                raise ValueError(self._error)
            try:
                return self._read_on(index)
            except DECODING_ERRORS as error:
                self._error = str(error)
                raise

    def _read_on(self, index: int) -> "Packet[Any] | None":
        for packet in map(self._timed, self._packets):
            other = packet.stream.index
            if other == index:
                return packet
            if (kept := self._kept.get(other)) is not None:
                kept.append(packet)
                self._kept_bytes += packet.size
                if len(kept) >= MAX_KEPT or self._kept_bytes >= MAX_KEPT_BYTES:
                    self._apart = index
                    self._forget(index)
                    break
        return None

    def _forget(self, index: int) -> None:
        """Keep no packets of a stream."""
        self._kept_bytes -= sum(packet.size for packet in self._kept.pop(index, ()))

    def _timed(self, packet: "Packet[Any]") -> "Packet[Any]":
        """Return a packet after its end was compared with `pictures_end`."""
        is_picture = isinstance(packet.stream, VideoStream)
        if is_picture and packet.pts is not None and packet.time_base is not None:
            end = (packet.pts + (packet.duration or 0)) * float(packet.time_base)
            with self._lock:
                self.pictures_end = max(self.pictures_end, end)
        return packet


def _packets(
    container: InputContainer, streams: Sequence[VideoStream | AudioStream]
) -> Iterator["Packet[Any]"]:
    while True:
        try:
            yield from container.demux(*streams)
        except IndexError:  # PyAV does not know a stream that begins in the middle of the file
            continue
        return


class _ContinuousClock:
    """Corrects timestamps that begin anew.

    The streams of a file begin anew one after another, since packets are stored in a row: the first one to do so
    decides by how much, and the others follow.

    Args:
        may_jump: Whether the clock of this format may also jump forward.
    """

    def __init__(self, may_jump: bool) -> None:
        self._may_jump = may_jump
        self._offsets = [0.0]
        """Seconds to add after each new beginning."""
        self._beginnings: dict[int, int] = {}
        """Stream -> number of its new beginnings."""
        self._last: dict[int, tuple[float, float]] = {}
        """Stream -> start and end of its last packet, in seconds of the file's timestamps."""
        self._latest = 0.0

    def correct(self, packet: "Packet[Any]") -> bool:
        """Add to the timestamps of a packet what its stream has lost; return whether they begin anew with it."""
        if packet.dts is None or packet.time_base is None:
            return False
        tick, stream = float(packet.time_base), packet.stream_index
        now = packet.dts * tick
        newest, last, begins_anew = len(self._offsets) - 1, self._last.get(stream), False
        if last is None:
            self._beginnings[stream] = newest
        elif begins_anew := self._begins_anew(now, *last):
            if self._beginnings[stream] == newest:
                self._offsets.append(self._offsets[newest] + last[1] - now)
            self._beginnings[stream] = len(self._offsets) - 1
        self._latest = now
        self._last[stream] = now, now + (packet.duration or 0) * tick
        if offset := self._offsets[self._beginnings[stream]]:
            packet.dts += round(offset / tick)
            packet.pts = None if packet.pts is None else packet.pts + round(offset / tick)
        return begins_anew

    def _begins_anew(self, now: float, start: float, end: float) -> bool:
        if now + BACKWARD_SECONDS < start:
            return True
        # where another stream's clock is near, this stream has a hole
        jumps = self._may_jump and now - end > FORWARD_SECONDS
        return jumps and abs(now - self._latest) > FORWARD_SECONDS
