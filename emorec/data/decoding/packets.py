"""The packets of a video in the order in which they are stored; those of its sound go to whoever listens."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Protocol, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

Packets: TypeAlias = "Iterator[Packet[VideoStream] | None]"


class Listener(Protocol):
    """Is given the sound of a video while its pictures are read: a file that is opened twice has two indices."""

    def begin(self, sound: AudioStream, zero: Fraction) -> None:
        """The sound track, before anything of it, and when the first picture is shown, in seconds of the file."""

    def take(self, packet: "Packet[AudioStream]") -> None:
        """What is stored next of the sound; last an empty packet, if the file can be read to its end."""


def sound_in(container: InputContainer) -> AudioStream | None:
    """The first sound track whose codec is known; `None` where there is none."""
    tracks = container.streams.audio
    # PyAV's type denies that unknown codecs have no context
    known = (track for track in tracks if track.codec_context is not None)  # type: ignore[redundant-expr]
    return next(known, None)


def packets_of(
    container: InputContainer,
    stream: VideoStream,
    *,
    mend: bool = False,
    listener: Listener | None = None,
) -> Packets:
    """The packets of a stream, and last an empty one, which makes the decoder give what it still has.

    Args:
        container: The open file.
        stream: Of the pictures.
        mend: Whether what can't be read on ends there, with `None`, instead of raising.
        listener: Is given the sound (see `sound_in`).

    Raises:
        av.FFmpegError: Where the file can't be read on.
    """
    sound = sound_in(container) if listener else None
    if listener and sound:
        listener.begin(sound, (stream.start_time or 0) * (stream.time_base or Fraction(1)))
    packets: Iterator[Packet[Any]] = container.demux(*filter(None, (stream, sound)))
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            if not mend:
                raise
            yield None
            return
        if listener and packet.stream is sound:
            listener.take(packet)
        else:
            yield packet
