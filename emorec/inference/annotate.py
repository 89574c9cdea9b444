"""`annotated.mp4`: the video once more, with what the network said drawn on it, and its own sound."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from emorec.data.decoding.decode import Frames
from emorec.inference.moments import Moments
from emorec.inference.overlay import draw
from emorec.inference.sound_track import SoundTrack
from emorec.inference.timeline import Timeline
from emorec.inference.video_file import VideoFile

LONGEST_SIDE = 1920
"""In pixels; larger videos are shrunk."""

TICKS_A_SECOND = 90_000
"""All usual rates have frames that start at whole ticks."""

MP4 = "frag_keyframe+delay_moov+default_base_moof+global_sidx+skip_trailer"
"""Fragments with their index in front: of any other mp4 FFmpeg keeps some 70 bytes a frame and a piece of sound.

The first one waits for the sound to begin, and so takes memory where it begins late.
"""

X264 = {
    "preset": "veryfast",
    "crf": "20",
    "x264-params": "threads=4:lookahead-threads=1:mbtree=0",
}
"""A fixed number of threads, for another one gives other bytes, and so do x264's macroblock trees from run to run."""


def annotate(
    path: Path,
    video: VideoFile,
    timeline: Timeline,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Writes the video with what was said of it, upright, its frames at their own times; whole or not at all.

    Args:
        path: The mp4 to write.
        video: What was predicted; all of its frames are decoded once more.
        timeline: What was said of it.
        progress: Is told how many seconds of the video are done.

    Raises:
        OSError: When the file can't be written.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    moments = Moments(timeline)
    try:
        with _Writer(unfinished, video) as writer:
            for seconds, frame in video.film(writer.sound):
                small = shrunk(frame)
                people = moments.at(seconds)
                drawn = draw(small, [shown.scaled(len(small) / len(frame)) for shown in people])
                writer.add(seconds, drawn)
                if progress:
                    progress(seconds)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def shrunk(frame: Frames, longest: int = LONGEST_SIDE) -> Frames:
    """(H, W, 3) -> the frame with no side longer than so many pixels and both even, as H.264 wants them.

    >>> shrunk(np.zeros((1080, 3840, 3), np.uint8)).shape, shrunk(np.zeros((5, 7, 3), np.uint8)).shape
    ((540, 1920, 3), (6, 8, 3))
    """
    height, width = frame.shape[:2]
    if max(height, width) > longest:
        scale = longest / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        frame = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
        height, width = frame.shape[:2]
    if height % 2 or width % 2:
        frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return frame


class _Writer:
    """An mp4 whose pictures are drawn and whose sound is that of a video."""

    def __init__(self, path: Path, video: VideoFile) -> None:
        self._file: OutputContainer = av.open(
            str(path.absolute()),
            "w",
            format="mp4",
            options={
                "movflags": MP4,
                "fflags": "+bitexact",
                "avoid_negative_ts": "disabled",  # what sound is stored before its first moment stays before it
            },
        )
        self._stream = self._opened(video)
        self.sound = SoundTrack(self._file)
        self._last = -1

    def add(self, seconds: float, picture: Frames) -> None:
        """Adds a frame that starts at a moment, and the sound up to it."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        # frames of files without times may come with equal ones
        frame.pts = self._last = max(round(seconds * TICKS_A_SECOND), self._last + 1)
        frame.time_base = Fraction(1, TICKS_A_SECOND)
        self.sound.write_until(seconds)
        self._file.mux(self._stream.encode(frame))

    def _opened(self, video: VideoFile) -> VideoStream:
        rate = Fraction(video.frames_per_second).limit_denominator(1001)
        stream = self._file.add_stream("libx264", rate=rate or 25, options=X264)
        picture = np.empty((video.height, video.width, 3), np.uint8)
        stream.height, stream.width = shrunk(picture).shape[:2]
        stream.pix_fmt = "yuv420p"
        # as the colours are turned into; untagged, players guess by the size
        stream.codec_context.colorspace = Colorspace.SMPTE170M
        stream.codec_context.color_range = ColorRange.MPEG
        stream.codec_context.time_base = Fraction(1, TICKS_A_SECOND)
        return stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        try:
            if kind is None:
                self._file.mux(self._stream.encode())
                self.sound.end()
        finally:
            self._file.close()
