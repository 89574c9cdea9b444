"""The sound of a video goes with its pictures into another file."""

import math
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
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
    """Copies the sound of a video, piece by piece as it is read; sound that can't be read any further ends there.

    Args:
        file: Where to; its pictures' stream is there already, and nothing is written yet.
    """

    def __init__(self, file: OutputContainer) -> None:
        self._file = file
        self._zero = Fraction(0)
        self._to: AudioStream | None = None
        self._copies, self._broken = False, False
        self._waiting: deque[Timed] = deque()

    def begin(self, sound: AudioStream, zero: Fraction) -> None:
        """See `emorec.data.video.pyav.AudioSink`."""
        self._zero = zero
        self._copies = sound.codec_context.name in COPIED
        if self._copies:
            self._to = self._file.add_stream_from_template(sound)
        else:
            self._to = self._file.add_stream("aac", rate=_rate(sound))
            self._to.layout = "mono" if sound.channels == 1 else "stereo"

    def take(self, packet: "Packet[AudioStream]") -> None:
        """See `emorec.data.video.pyav.AudioSink`."""
        assert self._to is not None
        if self._copies:
            self._copy(packet, self._to)
        elif not self._broken:
            try:
                self._waiting += self._encoded(packet, self._to)
            except av.FFmpegError:  # what came before stays
                self._broken = True

    def write_until(self, seconds: float) -> None:
        """Writes what begins before a moment of the video, as far as it is read.

        Raises:
            OSError: When the file can't be written.
        """
        while self._waiting and self._waiting[0][0] < seconds:
            self._file.mux(self._waiting.popleft()[1])

    def end(self) -> None:
        """Writes all that is left.

        Raises:
            OSError: When the file can't be written.
        """
        self.write_until(math.inf)
        if self._to is not None and not self._copies:
            self._file.mux(self._to.encode(None))

    def _copy(self, packet: "Packet[AudioStream]", to: AudioStream) -> None:
        if packet.pts is None or packet.dts is None:
            return
        begins = float(packet.pts * packet.time_base - self._zero)
        if begins < -PRIMING_SECONDS:
            return
        shift = round(self._zero / packet.time_base)
        packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, to
        self._waiting.append((begins, [packet]))

    def _encoded(self, packet: "Packet[AudioStream]", to: AudioStream) -> Iterator[Timed]:
        for frame in packet.stream.decode(packet):
            if frame.pts is None or frame.time_base is None:
                continue
            begins = float(frame.pts * frame.time_base - self._zero)
            if begins < 0:
                continue
            frame.pts -= round(self._zero / frame.time_base)
            yield begins, to.encode(frame)


def _rate(stream: AudioStream) -> int:
    """Samples a second that AAC can have, near those of the sound."""
    return min(AAC_RATES, key=lambda rate: abs(rate - (stream.rate or AAC_RATES[-1])))


AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
