"""Windows of a video: their times, the frames and sound that a network takes of each, and the pass that reads them."""

import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from emorec.data.audio import NO_SOUND, AudioSpec, Span, Waveform, iter_audio, to_float
from emorec.data.video.reader import (
    TIME_TOLERANCE_SECONDS,
    ClipError,
    likely_ends,
    linspace_indices,
)
from emorec.inference.frame_buffer import FrameBuffer, frame_buffer
from emorec.inference.options import Options
from emorec.inference.spec import ModelSpec
from emorec.inference.timeline import Gap, Window, format_time
from emorec.inference.video import AudioFile, Camera, Stopwatch, Video, VideoFile, prefetch
from emorec.text import first_few

if TYPE_CHECKING:
    from emorec.data.faces import FaceDetector
    from emorec.data.landmarks import FaceTrack
    from emorec.data.media import Packets


log = logging.getLogger(__name__)

MAX_SINGLE_WINDOW = 1.5
"""In windows: a video that is no longer is one window."""

PREFETCHED_FRAMES = 4
"""Decoded frames that may wait for the search for faces."""

PREFETCHED_SOUNDS = 2
"""Windows whose sound may wait for their frames."""

MIN_REMAINDER = 0.5
"""In hops: when more than that follows the last window, another window ends with the video."""


def windows_of(
    video: Video,
    spec: ModelSpec,
    options: Options,
    detector: "FaceDetector | None" = None,
    stopwatch: Stopwatch | None = None,
) -> Iterator[Window | Gap]:
    """Yield the windows of a video sorted by start, then by person; only open windows are in memory.

    A window with a frame that can't be decoded is a gap; touching gaps are merged. A window in which no frame starts
    shows the one before, or is a gap, too, where that one precedes the end of a gap.

    Args:
        video: As `open_file` opens it for the network, or a `Camera`.
        spec: Of the network.
        options: Length of the windows and distance between them.
        detector: Face detector; `None` takes whole frames.
        stopwatch: Counts frames, and measures decoding and the detector.

    Raises:
        UserError: When an audio network gets a camera, or a camera ends before the first window does.
    """
    stopwatch = stopwatch or Stopwatch()
    spec = replace(spec, face=options.face_mode(spec))
    window_seconds, hop_seconds = options.window_and_hop(spec)
    if isinstance(video, Camera):
        from emorec.inference.camera import camera_windows

        return camera_windows(
            video, spec, detector, stopwatch, window_seconds=window_seconds, hop_seconds=hop_seconds
        )
    times = list(
        window_times(
            video.start, video.seconds, window_seconds=window_seconds, hop_seconds=hop_seconds
        )
    )
    windows: Iterator[Window | Gap]
    packets = None
    if spec.uses_video and isinstance(video, VideoFile):
        if spec.uses_sound and video.has_sound:
            from emorec.data.media import Packets  # importing PyAV is slow

            packets = Packets(video.path, shared=True)
        new_buffer = partial(
            frame_buffer, spec, detector, window_seconds, stopwatch, is_long=len(times) > 1
        )
        windows = _windows_of_frames(video, times, spec, new_buffer, stopwatch, packets=packets)
    else:
        face = no_face(spec.num_frames) if spec.uses_landmarks else None
        windows = (Window(start=start, end=end, person=1, face=face) for start, end in times)
    if video.promised_seconds > video.seconds:
        windows = chain(windows, [Gap(video.seconds, video.promised_seconds)])
    if spec.uses_sound:
        windows = _add_sound(video, windows, times, spec, stopwatch, packets=packets)
    return merge_gaps(windows)


def _windows_of_frames(
    video: VideoFile,
    times: Sequence[tuple[float, float]],
    spec: ModelSpec,
    new_buffer: Callable[[], FrameBuffer],
    stopwatch: Stopwatch,
    *,
    packets: "Packets | None",
) -> Iterator[Window | Gap]:
    """Yield the windows of a video, which may have fewer frames than it declares."""
    windows = _windows_with_frames(video, times, spec, new_buffer(), stopwatch, packets=packets)
    first = next(windows)
    if isinstance(first, Gap) and first.end == video.seconds and not video.damaged:
        # a single window; this pass has counted the frames
        end = max(1, video.end)
        yield from _windows_with_frames(video, times, spec, new_buffer(), stopwatch, num_frames=end)
    else:
        yield first
        yield from windows


def _windows_with_frames(
    video: VideoFile,
    times: Sequence[tuple[float, float]],
    spec: ModelSpec,
    buffer: FrameBuffer,
    stopwatch: Stopwatch,
    *,
    packets: "Packets | None" = None,
    num_frames: int | None = None,
) -> Iterator[Window | Gap]:
    """Yield the windows of a video with `num_frames` decodable frames or one less; `None`: all that it declares."""
    starts = video.starts[:num_frames]

    def choose(start: float, end: float) -> FrameChoice:
        if len(times) == 1:
            return frames_of_clip(start, end, starts, num_frames=spec.num_frames)
        return frames_of_window(start, end, starts, num_frames=spec.num_frames)

    damaged_until = 0.0

    def windows_in(choice: FrameChoice) -> Iterator[Window | Gap]:
        nonlocal damaged_until
        indices = choice.indices(buffer.indices())
        # a picture that stands still after damage hides what was lost
        if indices is None or starts[choice.newest] < damaged_until:
            damaged_until = choice.end
            yield Gap(choice.start, choice.end)
        else:
            yield from buffer.windows(choice.start, choice.end, indices)

    # chosen twice: the choices of a long video take more memory than its times
    needed = {index for start, end in times for index in choose(start, end).frames}
    choices = (choose(start, end) for start, end in times)
    choice = next(choices, None)
    passed = 0
    decoded = stopwatch.each("decode", video.frames(needed, packets))
    frames = prefetch(decoded, PREFETCHED_FRAMES)
    for index, seconds, frame in frames:
        stopwatch.frames, passed = stopwatch.frames + index + 1 - passed, index + 1
        buffer.add(index, seconds, frame)
        while choice is not None and choice.last <= index:
            yield from windows_in(choice)
            choice = next(choices, None)
            if choice is not None:
                buffer.drop_before(choice.first)
    while choice is not None:
        yield from windows_in(choice)
        choice = next(choices, None)


def _add_sound(
    video: VideoFile | AudioFile,
    windows: Iterable[Window | Gap],
    times: Sequence[tuple[float, float]],
    spec: ModelSpec,
    stopwatch: Stopwatch,
    *,
    packets: "Packets | None",
) -> Iterator[Window | Gap]:
    """Yield the windows with their sound; where there are no pictures, windows without sound become gaps.

    The sound is read, and embedded, in a thread of its own, once for all persons of a window.
    """
    embedded = stopwatch.each("sound", _window_sounds(video, times, spec, packets))
    sounds = prefetch(embedded, PREFETCHED_SOUNDS)
    sound: Window | None = None
    for window in windows:
        if isinstance(window, Gap):
            yield window
            continue
        while sound is None or sound.start < window.start:  # those of gaps
            sound = next(sounds)
        if sound.has_sound or isinstance(video, VideoFile):
            yield replace(
                window, sound=sound.sound, embedding=sound.embedding, has_sound=sound.has_sound
            )
        else:
            yield Gap(window.start, window.end)
    for _ in sounds:
        pass  # to the end, so that all holes are reported


def _window_sounds(
    video: VideoFile | AudioFile,
    times: Sequence[tuple[float, float]],
    spec: ModelSpec,
    packets: "Packets | None" = None,
) -> Iterator[Window]:
    """Yield the windows with nothing but their sound; log a line at the end if sound is missing anywhere."""
    audio = AudioWindows(video.path, spec.audio, packets)
    for start, end in times:
        whole = (start, end) == (video.start, video.seconds)
        sound, has_sound = audio.read_all() if whole else audio.read(start, end)
        if "heard" in spec.inputs and isinstance(video, VideoFile):
            has_sound = has_sound and bool(sound.any())  # a muted microphone records zeros
        yield with_sound(Window(start=start, end=end, person=None), sound, has_sound, spec)
    audio.report_holes(video.seconds)


def with_sound(window: Window, sound: Waveform, has_sound: bool, spec: ModelSpec) -> Window:
    """Return a window with its sound as a network takes it: the waveform, its embedding, or both.

    Args:
        window: The window.
        sound: (samples,), -1 to 1.
        has_sound: Whether there is any.
        spec: Of the network.
    """
    return replace(
        window,
        sound=sound if "sound" in spec.inputs else None,
        embedding=spec.embedding.embed(sound) if has_sound and spec.embedding else None,
        has_sound=has_sound,
    )


def no_face(num_frames: int) -> "FaceTrack":
    """Return the face of a window without pictures, (T,): found in no frame."""
    from emorec.data.landmarks import FACE

    return np.zeros(num_frames, FACE)


def merge_gaps(windows: Iterable[Window | Gap]) -> Iterator[Window | Gap]:
    """Yield the windows with touching gaps merged.

    >>> list(merge_gaps([Gap(0.0, 1.2), Gap(6 * 0.2, 1.4)]))  # 6 * 0.2 is a little more than 1.2
    [Gap(start=0.0, end=1.4)]
    >>> list(merge_gaps([Gap(0.0, 4.0), Gap(2.0, 6.0), Gap(8.0, 9.0)]))
    [Gap(start=0.0, end=6.0), Gap(start=8.0, end=9.0)]
    """
    gap: Gap | None = None
    for each in windows:
        if isinstance(each, Gap):
            if gap is not None and each.start <= gap.end + TIME_TOLERANCE_SECONDS:
                gap = Gap(gap.start, max(gap.end, each.end))
                continue
            if gap is not None:
                yield gap
            gap = each
            continue
        if gap is not None:
            yield gap
            gap = None
        yield each
    if gap is not None:
        yield gap


def window_times(
    start: float, end: float, *, window_seconds: float, hop_seconds: float
) -> Iterator[tuple[float, float]]:
    """Yield start and end of each window, in seconds.

    Args:
        start: Of the video.
        end: Of the video.
        window_seconds: Length of a window, above 0.
        hop_seconds: From the start of one window to the next, above 0.

    >>> list(window_times(0.0, 5.0, window_seconds=4.0, hop_seconds=2.0))
    [(0.0, 5.0)]
    >>> list(window_times(2.0, 10.5, window_seconds=4.0, hop_seconds=2.0))
    [(2.0, 6.0), (4.0, 8.0), (6.0, 10.0)]
    >>> list(window_times(0.0, 9.5, window_seconds=4.0, hop_seconds=2.0))
    [(0.0, 4.0), (2.0, 6.0), (4.0, 8.0), (5.5, 9.5)]
    """
    seconds = end - start
    if seconds <= MAX_SINGLE_WINDOW * window_seconds + TIME_TOLERANCE_SECONDS:
        yield start, end
        return
    last = int((seconds - window_seconds + TIME_TOLERANCE_SECONDS) / hop_seconds)
    for hop in range(last + 1):
        yield start + hop * hop_seconds, start + hop * hop_seconds + window_seconds
    if seconds - (last * hop_seconds + window_seconds) > MIN_REMAINDER * hop_seconds:
        yield end - window_seconds, end


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """Frames that a window may need, chosen before decoding.

    Attributes:
        start: In seconds.
        end: In seconds, exclusive.
        by_end: Possible number of decodable frames -> T frame indices, sorted.
    """

    start: float
    end: float
    by_end: dict[int, list[int]]

    @property
    def first(self) -> int:
        """First frame that may be needed."""
        return min(self.frames)

    @property
    def last(self) -> int:
        """Last frame that may be needed."""
        return max(self.frames)

    @property
    def newest(self) -> int:
        """Last frame that starts before the end of the window."""
        return max(self.by_end) - 1

    @property
    def frames(self) -> set[int]:
        """All frames that may be needed; of several possible ends also the last one before each, which tells them."""
        frames = {index for indices in self.by_end.values() for index in indices}
        return frames if len(self.by_end) == 1 else frames | {end - 1 for end in self.by_end}

    def indices(self, decoded: Collection[int]) -> list[int] | None:
        """Return T frame indices, or `None` where one of them was not decoded.

        >>> choice = FrameChoice(0.0, 1.0, {3: [0, 2], 2: [0, 1]})
        >>> choice.indices({0, 1, 2}), choice.indices({0, 1}), choice.indices({0})
        ([0, 2], [0, 1], None)
        """
        ends = sorted(self.by_end, reverse=True)
        for end in ends:
            if len(ends) == 1 or end - 1 in decoded:
                indices = self.by_end[end]
                return indices if all(index in decoded for index in indices) else None
        return None


def frames_of_clip(
    start: float, end: float, starts: npt.NDArray[np.float64], *, num_frames: int
) -> FrameChoice:
    """Choose T evenly spaced frames of a whole file, from its first to its last one, as of the clips of training.

    Args:
        start: Of the file, in seconds.
        end: Of the file, in seconds.
        starts: Start of each frame, in seconds. The last one may not be decodable, as in every original of RAVDESS.
        num_frames: T.

    >>> frames_of_clip(0.0, 1.0, np.arange(10) / 10, num_frames=3).by_end
    {9: [0, 4, 8], 10: [0, 4, 9]}
    """
    ends = likely_ends(promised=len(starts), shown=len(starts), first=0, stop=len(starts))
    return FrameChoice(start, end, {each: linspace_indices(each, num_frames) for each in ends})


def frames_of_window(
    start: float, end: float, starts: npt.NDArray[np.float64], *, num_frames: int
) -> FrameChoice:
    """Choose the frames that are displayed in the middle of T equal parts of a window.

    Windows that overlap by half share half of their frames if T is even.

    Args:
        start: Of the window, in seconds.
        end: Of the window, in seconds.
        starts: Start of each frame of the file, in seconds.
        num_frames: T.

    >>> frames_of_window(0.0, 0.8, np.arange(20) / 10, num_frames=4).by_end
    {8: [1, 3, 5, 7]}
    >>> frames_of_window(0.4, 1.2, np.arange(20) / 10, num_frames=4).by_end
    {12: [5, 7, 9, 11]}
    >>> frames_of_window(0.22, 0.27, np.arange(10) / 10, num_frames=2).by_end
    {3: [2, 2]}
    """
    middles = start + (np.arange(num_frames) + 0.5) * ((end - start) / num_frames)
    displayed = np.searchsorted(starts, middles + TIME_TOLERANCE_SECONDS, side="right") - 1
    stop = max(1, int(np.searchsorted(starts, end - TIME_TOLERANCE_SECONDS)))
    ends = likely_ends(promised=len(starts), shown=len(starts), first=0, stop=stop)
    return FrameChoice(start, end, {each: displayed.clip(0, each - 1).tolist() for each in ends})


class AudioWindows:
    """Reads the audio of consecutive windows, preprocessed as in training.

    Where packets are damaged there is silence, and to the end of the video where none can be decoded any further, with
    one warning.

    Args:
        path: The video or sound file.
        preprocessing: Of the audio.
        packets: Of the file, where another thread takes those of its pictures.
    """

    def __init__(
        self, path: Path, preprocessing: AudioSpec, packets: "Packets | None" = None
    ) -> None:
        self.path = path
        self.preprocessing = preprocessing
        self._holes: list[Span] = []
        self._chunks: Iterator[Waveform] = iter_audio(
            path, preprocessing.sound_rate, self._holes, packets, tolerant=True
        )
        self._buffer: Waveform = np.empty(0, dtype=np.float32)
        self._offset = 0
        """Index in the file of the first sample of the buffer."""

    def read_all(self) -> tuple[Waveform, bool]:
        """Return (samples,), -1 to 1, of all of the sound, and whether there is any."""
        self._fill(0, sys.maxsize)
        return self._fit(self._buffer)

    def read(self, start: float, end: float) -> tuple[Waveform, bool]:
        """Return (samples,), -1 to 1, of a window, and whether it has sound.

        Args:
            start: In seconds, not before that of the previous call.
            end: In seconds, exclusive.
        """
        rate = self.preprocessing.sound_rate
        first, stop = round(start * rate), round(end * rate)
        self._fill(first, stop)
        sound = self._buffer[: stop - first] if first == self._offset else self._buffer[:0]
        return self._fit(sound)

    def report_holes(self, end: float) -> None:
        """Read the rest, and log a line if sound is missing anywhere.

        Args:
            end: Of the video, in seconds.
        """
        self._fill(sys.maxsize, sys.maxsize)
        if self._holes:
            texts = [
                " to ".join(format_time(round(seconds, 1), end) for seconds in hole)
                for hole in self._holes
            ]
            missing = first_few(texts, limit=1, separator=" ")
            log.warning("%s: no sound from %s", self.path.name, missing)

    def _fit(self, sound: Waveform) -> tuple[Waveform, bool]:
        if not len(sound):
            return self.preprocessing.silence, False
        return to_float(self.preprocessing.fit(sound)), True

    def _fill(self, first: int, stop: int) -> None:
        """Drop the samples before `first`, and read up to `stop`."""
        chunks, end = [self._buffer], self._offset + len(self._buffer)
        while end < stop and (chunk := self._next_chunk(end)) is not None:
            chunks.append(chunk)
            end += len(chunk)
            if end <= first:
                self._offset, chunks = end, []
        buffer = np.concatenate([np.empty(0, dtype=np.float32), *chunks])
        dropped = min(max(first - self._offset, 0), len(buffer))
        # a copy: a view would keep the dropped samples in memory
        self._buffer, self._offset = buffer[dropped:].copy(), self._offset + dropped

    def _next_chunk(self, position: int) -> Waveform | None:
        """Return the next samples, of which `position` precede in the file; `None` at the end of the sound."""
        try:
            chunk = next(self._chunks, None)
            if chunk is None:
                return None
            if not np.isfinite(chunk).all():
                raise ClipError.of(self.path, "its sound has values that are not finite")
        except ClipError as error:
            if error.reason != NO_SOUND:
                seconds = position / self.preprocessing.sound_rate
                where = format_time(round(seconds, 1), seconds)
                log.warning(
                    "silence from %s on, where the sound can't be decoded: %s", where, error
                )
            self._chunks = iter(())
            return None
        return chunk
