"""`annotated.mp4`: the video with its predictions drawn on it, and its own sound."""

import errno
import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import cv2
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from emorec.data.audio import ClockResampler
from emorec.data.media import DECODING_ERRORS
from emorec.data.video.reader import ClipError, Frames
from emorec.inference.overlay import Playback, draw
from emorec.inference.timeline import Timeline
from emorec.inference.video import VideoFile
from emorec.io import DISK_FULL, unfinished_path

MAX_SIDE = 1920
"""Pixels; larger videos are downscaled."""

TICKS_PER_SECOND = 90_000
"""Frames of all usual frame rates start at a whole tick."""

MOVFLAGS = "frag_keyframe+delay_moov+default_base_moof+global_sidx+skip_trailer"
"""Fragments, with the index in front: of any other mp4 FFmpeg keeps some 70 bytes a frame and audio packet in memory.

The first fragment waits for the audio to start, so it takes memory where audio starts late.
"""

X264 = {
    "preset": "veryfast",
    "crf": "20",
    "x264-params": "threads=4:lookahead-threads=1:mbtree=0",
}
"""Reproducible: the bytes depend on the number of threads, and with macroblock trees they vary from run to run."""

COPIED_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
"""Audio codecs that mp4 takes and players know; others are encoded as AAC."""

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

DISK_ERRORS = {*DISK_FULL, errno.EFBIG, errno.EIO}
"""Of FFmpeg's errors, those that the disk causes."""

MAX_PRIMING_SECONDS = 0.1
"""Audio packets that decoders need before the first audible sample start at most this long before it."""


def annotate_video(
    path: Path,
    video: VideoFile,
    timeline: Timeline,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Write a video with its predictions, upright, at its own frame times; the file is complete or absent.

    Args:
        path: The mp4 file.
        video: The predicted video; all of its frames are decoded again.
        timeline: Its prediction.
        progress: Called with the position, in seconds.

    Raises:
        ClipError: When FFmpeg can't encode it.
        OSError: When the file can't be written.
    """
    partial = unfinished_path(path)
    playback = Playback(timeline)
    try:
        with _ffmpeg_errors(video.path), _Mp4Writer(partial, video) as writer:
            for seconds, frame in video.all_frames(writer.audio):
                small = downscale(frame)
                scale = len(small) / len(frame)
                writer.write(seconds, draw(small, playback.at(seconds), scale))
                if progress:
                    progress(seconds)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _ffmpeg_errors(path: Path) -> Iterator[None]:
    """Tell FFmpeg's errors, many of which are an `OSError`, from those of the disk."""
    try:
        yield
    except av.FFmpegError as error:
        if error.errno in DISK_ERRORS:
            raise
        raise ClipError.of(path, f"FFmpeg can't encode it: {error.strerror}") from error


def downscale(frame: Frames, max_side: int = MAX_SIDE) -> Frames:
    """(H, W, 3) -> the frame with no side above `max_side` pixels, and both even, as H.264 requires.

    >>> downscale(np.zeros((1080, 3840, 3), np.uint8)).shape, downscale(np.zeros((5, 7, 3), np.uint8)).shape
    ((540, 1920, 3), (6, 8, 3))
    """
    height, width = frame.shape[:2]
    if max(height, width) > max_side:
        scale = max_side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        frame = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
        height, width = frame.shape[:2]
    if height % 2 or width % 2:
        frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return frame


class _Mp4Writer:
    """Encodes frames, and the audio of a video beside them."""

    def __init__(self, path: Path, video: VideoFile) -> None:
        self._file: OutputContainer = av.open(
            str(path.absolute()),
            "w",
            format="mp4",
            options={
                "movflags": MOVFLAGS,
                "fflags": "+bitexact",
                "avoid_negative_ts": "disabled",  # priming packets keep their negative times
            },
        )
        self._stream = self._add_stream(video)
        self.audio = AudioTrack(self._file)
        self._last_pts = -1

    def write(self, seconds: float, frame: Frames) -> None:
        """Write a frame that starts at `seconds`, and the audio before it."""
        encoded = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        # frames of files without timestamps may have equal times
        encoded.pts = self._last_pts = max(round(seconds * TICKS_PER_SECOND), self._last_pts + 1)
        encoded.time_base = Fraction(1, TICKS_PER_SECOND)
        self.audio.write_until(seconds)
        self._file.mux(self._stream.encode(encoded))

    def _add_stream(self, video: VideoFile) -> VideoStream:
        rate = Fraction(video.frames_per_second).limit_denominator(1001)
        stream = self._file.add_stream("libx264", rate=rate or 25, options=X264)
        blank = np.empty((video.height, video.width, 3), np.uint8)
        stream.height, stream.width = downscale(blank).shape[:2]
        stream.pix_fmt = "yuv420p"
        # as RGB is converted; players guess the colours of an untagged video by its size
        stream.codec_context.colorspace = Colorspace.SMPTE170M
        stream.codec_context.color_range = ColorRange.MPEG
        stream.codec_context.time_base = Fraction(1, TICKS_PER_SECOND)
        return stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # where the header is not yet written, closing the file fails, too
        with nullcontext() if kind is None else suppress(av.FFmpegError), self._file:
            if kind is None:
                self._file.mux(self._stream.encode())
                self.audio.finish()


class AudioTrack:
    """Writes the sound of a video as it is read: its packets as they are where mp4 takes them, else encoded anew.

    Args:
        file: Output with a video stream and nothing written yet.
    """

    def __init__(self, file: OutputContainer) -> None:
        self._file = file
        self._zero = Fraction(0)
        self._stream: AudioStream | None = None
        self._encoder: _AacEncoder | None = None
        """`None` where packets are copied."""
        self._last_dts = -math.inf
        self._queue: deque[tuple[float, list[Packet[AudioStream]]]] = deque()
        """Start on the clock, in seconds, and packets."""

    def begin(self, sound: AudioStream, zero: Fraction) -> None:
        """See `emorec.data.video.pyav.AudioSink`."""
        self._zero = zero
        codec = sound.codec_context
        # mp4 has the settings of AAC in its header, transport streams have them in each packet
        fits = codec.name in COPIED_CODECS and (codec.name != "aac" or codec.extradata)
        late = (sound.start_time or 0) * (sound.time_base or 0) - zero > MAX_PRIMING_SECONDS
        # of a track that starts late in a file of fragments, FFmpeg takes the end for its length
        if fits and not late:
            self._stream = self._file.add_stream_from_template(sound)
        else:
            self._stream = self._file.add_stream("aac", rate=_aac_rate(sound))
            self._stream.layout = "mono" if sound.channels == 1 else "stereo"
            self._encoder = _AacEncoder(self._stream, zero)

    def take(self, packet: "Packet[AudioStream]") -> None:
        """See `emorec.data.video.pyav.AudioSink`."""
        if self._encoder is not None:
            self._queue += self._encoder.encode(packet)
        elif self._stream is not None:
            self._copy(packet, self._stream)

    def write_until(self, seconds: float) -> None:
        """Write the packets read so far that start before a position.

        Raises:
            av.FFmpegError: When the file can't be written.
        """
        while self._queue and self._queue[0][0] < seconds:
            self._file.mux(self._queue.popleft()[1])

    def finish(self) -> None:
        """Write all remaining packets.

        Raises:
            av.FFmpegError: When the file can't be written.
        """
        self.write_until(math.inf)
        if self._encoder is not None:
            self._file.mux(self._encoder.finish())

    def _copy(self, packet: "Packet[AudioStream]", stream: AudioStream) -> None:
        if packet.pts is None or packet.dts is None:
            return
        start = float(packet.pts * packet.time_base - self._zero)
        # where recordings were joined, the sound of one may end after that of the next begins
        if start < -MAX_PRIMING_SECONDS or packet.dts <= self._last_dts:
            return
        self._last_dts = packet.dts
        shift = round(self._zero / packet.time_base)
        packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
        self._queue.append((start, [packet]))


class _AacEncoder:
    """Decodes packets of sound, places it on the clock and encodes it; in place of damaged ones there is silence."""

    def __init__(self, stream: AudioStream, zero: Fraction) -> None:
        self._stream = stream
        self._zero = float(zero)
        self._resampler = ClockResampler(stream.rate, layout=stream.layout)

    def encode(
        self, packet: "Packet[AudioStream]"
    ) -> "Iterator[tuple[float, list[Packet[AudioStream]]]]":
        """Yield start on the clock, in seconds, and encoded packets."""
        try:
            for frame in packet.decode():
                yield from self._encode(frame)
        except DECODING_ERRORS:
            self._resampler.resync()

    def finish(self) -> "list[Packet[AudioStream]]":
        """Return the last packets."""
        last = [packet for _, packets in self._encode(None) for packet in packets]
        return [*last, *self._stream.encode(None)]

    def _encode(
        self, frame: AudioFrame | None
    ) -> "Iterator[tuple[float, list[Packet[AudioStream]]]]":
        for chunk in self._resampler.resample(frame, self._zero):
            if not chunk.size:
                continue
            resampled = AudioFrame.from_ndarray(
                np.ascontiguousarray(chunk), "fltp", self._stream.layout
            )
            resampled.sample_rate = self._stream.rate
            resampled.pts = self._resampler.samples - resampled.samples
            resampled.time_base = Fraction(1, self._stream.rate)
            yield float(resampled.time or 0), self._stream.encode(resampled)


def _aac_rate(stream: AudioStream) -> int:
    """Return the sample rate of AAC that is closest to that of the stream."""
    return min(AAC_RATES, key=lambda rate: abs(rate - (stream.rate or AAC_RATES[-1])))
