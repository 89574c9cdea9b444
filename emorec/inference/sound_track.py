"""The sound of a video goes with its pictures into another file."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
"""Codecs that an mp4 takes and players know; others become AAC."""

PRIMING_SECONDS = 0.1
"""What is stored before the first moment that is heard, for the decoder to start from, is no longer."""

Timed: TypeAlias = "tuple[float, list[Packet[AudioStream]]]"
"""When packets begin, in seconds from the first picture, and these packets."""


class SoundTrack:
    """Copies the sound of a video, piece by piece; sound that can't be read any further ends there.

    Args:
        path: The video.
        file: Where to; its pictures' stream is there already, and nothing is written yet.
    """

    def __init__(self, path: Path, file: OutputContainer) -> None:
        self._file = file
        self._source = av.open(str(path.absolute()), metadata_errors="ignore")
        self._from = self._source.streams.audio[0]
        self._zero = _first_picture(self._source.streams.video[0])
        self._copies = self._from.codec_context.name in COPIED
        if self._copies:
            self._to = file.add_stream_from_template(self._from)
        else:
            self._to = file.add_stream("aac", rate=_rate(self._from))
            self._to.layout = "mono" if self._from.channels == 1 else "stereo"
        self._pieces = self._copied() if self._copies else self._encoded()
        self._next: Timed | None = (0.0, [])

    def write_until(self, seconds: float) -> None:
        """Writes what begins before a moment of the video.

        Raises:
            OSError: When the file can't be written.
        """
        while self._next is not None and self._next[0] < seconds:
            self._file.mux(self._next[1])
            self._next = self._read()

    def close(self) -> None:
        """Closes the video."""
        self._source.close()

    def _read(self) -> "Timed | None":
        # damaged sound: what came before stays
        with suppress(av.FFmpegError):
            return next(self._pieces, None)
        return None

    def _copied(self) -> Iterator[Timed]:
        tick = self._from.time_base or Fraction(1, 1000)
        for packet in self._source.demux(self._from):
            if packet.pts is None or packet.dts is None:
                continue
            begins = float(packet.pts * tick - self._zero)
            if begins < -PRIMING_SECONDS:
                continue
            shift = round(self._zero / tick)
            packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, self._to
            yield begins, [packet]

    def _encoded(self) -> Iterator[Timed]:
        begins = 0.0
        for frame in self._source.decode(self._from):
            if frame.pts is None or frame.time_base is None:
                continue
            begins = float(frame.pts * frame.time_base - self._zero)
            if begins < 0:
                continue
            frame.pts -= round(self._zero / frame.time_base)
            yield begins, self._to.encode(frame)
        yield begins, self._to.encode(None)


def _first_picture(stream: av.VideoStream) -> Fraction:
    """When the first picture is shown, in the file's own time."""
    return (stream.start_time or 0) * (stream.time_base or Fraction(1))


def _rate(stream: AudioStream) -> int:
    """Samples a second that AAC can have, near those of the sound."""
    return min(AAC_RATES, key=lambda rate: abs(rate - (stream.rate or AAC_RATES[-1])))


AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
