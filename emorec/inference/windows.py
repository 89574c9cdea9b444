"""Windows of a video: their times, the frames that a network takes of each, and the pass that reads them."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emorec.data.faces.boxes import Box, clip_box, crop, crop_area, face_of_boxes
from emorec.data.preprocessing import center_crop, resize_frames
from emorec.data.video.reader import (
    TIME_TOLERANCE_SECONDS,
    ClipError,
    Frames,
    likely_ends,
    linspace_indices,
)
from emorec.errors import UserError
from emorec.image_size import size_before_crop
from emorec.inference.options import Options
from emorec.inference.spec import ModelSpec
from emorec.inference.stopwatch import Stopwatch
from emorec.inference.timeline import Gap, Window
from emorec.inference.video import Video, VideoFile

if TYPE_CHECKING:
    from emorec.data.faces.detector import FaceDetector
    from emorec.inference.camera import Camera

MAX_SINGLE_WINDOW = 1.5
"""In windows: a video that is no longer is one window."""

MIN_REMAINDER = 0.5
"""In hops: when more than that follows the last window, another window ends with the video."""

MAX_FROZEN_SHARE = 0.5
"""Of a window that may show one frozen frame."""

MIN_FROZEN_SECONDS = 0.5
"""A frame shown for no longer is never frozen; nor is one shown up to twice as long as the median frame."""

MIN_MISSING_SECONDS = 1.0
"""A person keeps the same number after missing detections of at least this long, however short windows are."""


def windows_of(
    video: Video,
    spec: ModelSpec,
    options: Options,
    detector: "FaceDetector | None" = None,
    stopwatch: Stopwatch | None = None,
) -> Iterator[Window | Gap]:
    """Yield the windows of a video sorted by start, then by person; only open windows are in memory.

    A window with a frame that can't be decoded is a gap, and so is one that shows a frozen frame for more than half of
    it; touching gaps are merged.

    Args:
        video: An opened `VideoFile` or `Camera`.
        spec: Of the network.
        options: Length of the windows and distance between them.
        detector: Face detector; `None` takes whole frames.
        stopwatch: Counts frames, and measures decoding and the detector.

    Raises:
        ClipError: When an audio network gets a video without sound.
        UserError: When an audio network gets a camera, or a camera ends before the first window does.
    """
    stopwatch = stopwatch or Stopwatch()
    window_seconds, hop_seconds = options.window_and_hop(spec)
    if not isinstance(video, VideoFile):
        return _camera_windows(
            video, spec, detector, stopwatch, window_seconds=window_seconds, hop_seconds=hop_seconds
        )
    times = list(
        window_times(video.seconds, window_seconds=window_seconds, hop_seconds=hop_seconds)
    )

    def with_frames(num_frames: int | None = None) -> Iterator[Window | Gap]:
        buffer = frame_buffer(spec, detector, window_seconds, stopwatch)
        return _windows_with_frames(video, times, spec, buffer, stopwatch, num_frames=num_frames)

    windows: Iterator[Window | Gap]
    if spec.uses_frames:
        windows = with_frames()
        first = next(windows)
        if isinstance(first, Gap) and first.end == video.seconds and not video.damaged:
            # a single window of a file with fewer frames than it declares; this pass has counted them
            windows = with_frames(max(1, video.end))
        else:
            windows = chain([first], windows)
    elif video.has_sound:
        windows = (Window(start=start, end=end, person=1) for start, end in times)
    else:
        raise ClipError.of(video.path, "it has no sound, and this network takes nothing else")
    if video.promised_seconds > video.seconds + 1 / video.frames_per_second:
        windows = chain(windows, [Gap(video.seconds, video.promised_seconds)])
    if spec.uses_sound:
        windows = _add_sound(video, windows, spec, stopwatch)
    return merge_gaps(windows)


@dataclass(slots=True)
class _OpenWindow:
    """Window that is being recorded.

    Attributes:
        start: In seconds.
        end: In seconds.
        times: Times of the frames that are still missing.
        indices: Of the frames so far.
    """

    start: float
    end: float
    times: deque[float]
    indices: list[int]


def _camera_windows(
    camera: "Camera",
    spec: ModelSpec,
    detector: "FaceDetector | None",
    stopwatch: Stopwatch,
    *,
    window_seconds: float,
    hop_seconds: float,
) -> Iterator[Window]:
    """Yield the windows of a camera as they are recorded: at T evenly spaced times, the frame displayed then.

    An incomplete last window is dropped.

    Args:
        camera: Opened.
        spec: Of the network.
        detector: Face detector; `None` takes whole frames.
        stopwatch: Counts frames, and measures waiting for them and the detector.
        window_seconds: Length of a window.
        hop_seconds: From the start of one window to the next.

    Raises:
        UserError: When the network takes sound only, or the camera ends before the first window does.
    """
    if not spec.uses_frames:
        raise UserError(
            f"camera {camera.index}: cameras have no sound, and this network takes nothing else"
        )
    buffer = frame_buffer(spec, detector, window_seconds, stopwatch)
    open_windows: deque[_OpenWindow] = deque()
    opened = closed = 0
    for index, (since, until, frame) in enumerate(
        stopwatch.each("decode", _display_intervals(camera))
    ):
        while opened * hop_seconds < until:
            start = opened * hop_seconds
            end = start + window_seconds
            times = deque(np.linspace(start, end, spec.num_frames).tolist())
            open_windows.append(_OpenWindow(start, end, times, []))
            opened += 1
        stopwatch.frames += 1
        needed = False
        for window in open_windows:
            while window.times and window.times[0] < until:
                window.times.popleft()
                window.indices.append(index)
                needed = True
        if needed:
            buffer.add(index, since, frame)
        while open_windows and not open_windows[0].times:
            window = open_windows.popleft()
            closed += 1
            for each in buffer.windows(window.start, window.end, window.indices):
                silence = spec.audio.silence if spec.uses_sound else None
                yield replace(each, sound=silence)
        buffer.drop_before(open_windows[0].indices[0] if open_windows else index + 1)
    if not closed:
        raise UserError(
            f"camera {camera.index}: it ended before the first window of {window_seconds:g} s"
        )


def _display_intervals(camera: "Camera") -> Iterator[tuple[float, float, Frames]]:
    """Yield start and end of the interval in which each frame is the latest one, in seconds, and the frame."""
    previous, duration = None, 0.0
    for seconds, frame in camera.frames():
        if previous is not None:
            duration = seconds - previous[0]
            yield previous[0], seconds, previous[1]
        previous = seconds, frame
    if previous is not None:
        yield previous[0], previous[0] + duration, previous[1]


def _windows_with_frames(
    video: VideoFile,
    times: Sequence[tuple[float, float]],
    spec: ModelSpec,
    buffer: "FrameBuffer",
    stopwatch: Stopwatch,
    *,
    num_frames: int | None,
) -> Iterator[Window | Gap]:
    """Yield the windows of a video with `num_frames` decodable frames or one less; `None`: all that it declares."""
    starts = video.starts[:num_frames]
    longest = max_frame_seconds(starts)

    def choose(start: float, end: float) -> FrameChoice:
        if end - start < video.seconds and is_frozen(start, end, starts, longest):
            return FrameChoice(start, end, {})
        return choose_frames(start, end, starts, num_frames=spec.num_frames)

    def windows_in(choice: FrameChoice) -> Iterator[Window | Gap]:
        indices = choice.indices(buffer.indices())
        if indices is None:
            yield Gap(choice.start, choice.end)
        else:
            yield from buffer.windows(choice.start, choice.end, indices)

    # chosen twice: the choices of a long video take more memory than its times
    needed = {index for start, end in times for index in choose(start, end).frames}
    choices = (choose(start, end) for start, end in times)
    choice = next(choices, None)
    passed = 0
    for index, seconds, frame in stopwatch.each("decode", video.frames(needed)):
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
    video: VideoFile, windows: Iterable[Window | Gap], spec: ModelSpec, stopwatch: Stopwatch
) -> Iterator[Window | Gap]:
    """Yield the windows with their sound; for an audio network, windows without sound become gaps."""
    from emorec.inference.audio import AudioWindows  # late: few networks take sound

    audio = AudioWindows(video.path, spec.audio)
    for window in windows:
        if isinstance(window, Gap):
            yield window
            continue
        whole = (window.start, window.end) == (0.0, video.seconds)
        with stopwatch.measure("decode"):
            sound, has_sound = audio.read_all() if whole else audio.read(window.start, window.end)
        if has_sound or spec.uses_frames:
            yield replace(window, sound=sound, has_sound=has_sound)
        else:
            yield Gap(window.start, window.end)


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
    seconds: float, *, window_seconds: float, hop_seconds: float
) -> Iterator[tuple[float, float]]:
    """Yield start and end of each window, in seconds.

    Args:
        seconds: Length of the video.
        window_seconds: Length of a window, above 0.
        hop_seconds: From the start of one window to the next, above 0.

    >>> list(window_times(5.0, window_seconds=4.0, hop_seconds=2.0))
    [(0.0, 5.0)]
    >>> list(window_times(8.5, window_seconds=4.0, hop_seconds=2.0))
    [(0.0, 4.0), (2.0, 6.0), (4.0, 8.0)]
    >>> list(window_times(9.5, window_seconds=4.0, hop_seconds=2.0))
    [(0.0, 4.0), (2.0, 6.0), (4.0, 8.0), (5.5, 9.5)]
    """
    if seconds <= MAX_SINGLE_WINDOW * window_seconds + TIME_TOLERANCE_SECONDS:
        yield 0.0, seconds
        return
    last = int((seconds - window_seconds + TIME_TOLERANCE_SECONDS) / hop_seconds)
    for hop in range(last + 1):
        yield hop * hop_seconds, hop * hop_seconds + window_seconds
    if seconds - (last * hop_seconds + window_seconds) > MIN_REMAINDER * hop_seconds:
        yield seconds - window_seconds, seconds


def max_frame_seconds(starts: npt.NDArray[np.float64]) -> float:
    """Return how long a frame may be displayed before it counts as frozen, in seconds.

    >>> max_frame_seconds(np.arange(30) / 30), max_frame_seconds(np.arange(3.0))
    (0.5, 2.0)
    """
    if len(starts) < 2:
        return MIN_FROZEN_SECONDS
    return max(MIN_FROZEN_SECONDS, 2 * float(np.median(np.diff(starts))))


def is_frozen(start: float, end: float, starts: npt.NDArray[np.float64], longest: float) -> bool:
    """Return whether a frozen frame fills more than half of a window, as where a recording was interrupted.

    Args:
        start: Of the window, in seconds.
        end: Of the window, in seconds.
        starts: Start of each frame, in seconds from the first.
        longest: `max_frame_seconds(starts)`.

    >>> is_frozen(0.0, 4.0, np.array([0.0, 0.5, 1.0, 2.5, 3.5]), 1.0)
    False
    >>> is_frozen(0.0, 4.0, np.array([0.0, 0.5, 1.0, 3.5]), 1.0)
    True
    >>> slow = np.array([0.0, 0.25, 0.5, 2.0])  # no frame starts in these windows, but one is displayed
    >>> is_frozen(0.3, 0.4, slow, 0.5), is_frozen(1.0, 1.1, slow, 0.5)
    (False, True)
    """
    first = int(np.searchsorted(starts, start, side="right")) - 1
    stop = int(np.searchsorted(starts, end))
    next_start = starts[stop] if stop < len(starts) else end
    edges = np.append(starts[first:stop], next_start)
    inside = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
    frozen = (np.diff(edges) > longest) & (inside > MAX_FROZEN_SHARE * (end - start))
    return bool(frozen.any())


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """Frames that a window may need, chosen before decoding.

    Attributes:
        start: In seconds from the first frame.
        end: In seconds, exclusive.
        by_end: Possible number of decodable frames -> T frame indices, sorted; empty for a frozen window.
    """

    start: float
    end: float
    by_end: dict[int, list[int]]

    @property
    def first(self) -> int:
        """First frame that may be needed; -1 without any."""
        return min(self.frames, default=-1)

    @property
    def last(self) -> int:
        """Last frame that may be needed; -1 without any."""
        return max(self.frames, default=-1)

    @property
    def frames(self) -> set[int]:
        """All frames that may be needed, and the last one before each end, which shows that it was reached."""
        return {index for end, indices in self.by_end.items() for index in (*indices, end - 1)}

    def indices(self, decoded: Collection[int]) -> list[int] | None:
        """Return T frame indices, or `None` where one of them was not decoded.

        >>> choice = FrameChoice(0.0, 1.0, {3: [0, 2], 2: [0, 1]})
        >>> choice.indices({0, 1, 2}), choice.indices({0, 1}), choice.indices({0})
        ([0, 2], [0, 1], None)
        """
        for end in sorted(self.by_end, reverse=True):
            if end - 1 in decoded:
                indices = self.by_end[end]
                return indices if all(index in decoded for index in indices) else None
        return None


def choose_frames(
    start: float, end: float, starts: npt.NDArray[np.float64], *, num_frames: int
) -> FrameChoice:
    """Choose T evenly spaced frames of those that start in a window, else the one displayed then.

    Args:
        start: Of the window, in seconds.
        end: Of the window, in seconds.
        starts: Start of each frame, in seconds. The last one may not be decodable, as in every original of RAVDESS.
        num_frames: T.

    >>> choose_frames(0.2, 0.4, np.arange(10) / 10, num_frames=2).by_end
    {4: [2, 3]}
    >>> choose_frames(0.0, 1.0, np.arange(10) / 10, num_frames=3).by_end
    {9: [0, 4, 8], 10: [0, 4, 9]}
    >>> choose_frames(0.22, 0.27, np.arange(10) / 10, num_frames=2).by_end
    {3: [2, 2]}
    """
    edges = np.searchsorted(starts, np.array((start, end)) - TIME_TOLERANCE_SECONDS)
    first, stop = int(edges[0]), int(edges[1])
    by_end: dict[int, list[int]] = {}
    for last in sorted(likely_ends(promised=len(starts), shown=len(starts), first=0, stop=stop)):
        begin = min(first, last - 1)
        by_end[last] = [begin + index for index in linspace_indices(last - begin, num_frames)]
    return FrameChoice(start, end, by_end)


class FrameBuffer:
    """Frames that open windows may still need, preprocessed when they arrive; one person a window.

    Args:
        spec: Of the network.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self._frames: dict[int, Frames] = {}

    def add(self, index: int, seconds: float, frame: Frames) -> None:
        """Add the next frame, (H, W, C) uint8 RGB, which starts at `seconds`."""
        del seconds  # only tracks of faces need it
        self._frames[index] = preprocess(frame[None], self.spec)[0]

    def indices(self) -> set[int]:
        """Return the indices of the buffered frames."""
        return set(self._frames)

    def drop_before(self, index: int) -> None:
        """Drop all frames with lower indices."""
        self._frames = {i: frame for i, frame in self._frames.items() if i >= index}

    def windows(self, start: float, end: float, indices: Sequence[int]) -> Iterator[Window]:
        """Yield the windows of an interval, by person, without sound; `indices` are its T buffered frames."""
        frames = np.stack([self._frames[index] for index in indices])  # (T, H, W, 3)
        yield Window(start=start, end=end, person=1, frames=frames)


class FaceBuffer(FrameBuffer):
    """Frame buffer that tracks every face; a window for each person, cropped to one area.

    Args:
        spec: Of the network.
        detector: Face detector.
        max_missing_seconds: A track ends when its face was not detected for this long.
        stopwatch: Measures the detector.
    """

    def __init__(
        self,
        spec: ModelSpec,
        detector: "FaceDetector",
        max_missing_seconds: float,
        stopwatch: Stopwatch,
    ) -> None:
        from emorec.inference.tracks import Tracker  # late: whole frames need none

        super().__init__(spec)
        self.detector = detector
        self.stopwatch = stopwatch
        self._tracker = Tracker(max_missing_seconds)
        self._seconds: dict[int, float] = {}
        self._faces: dict[int, dict[int, Box]] = {}
        self._persons: dict[int, int] = {}

    @override
    def add(self, index: int, seconds: float, frame: Frames) -> None:
        with self.stopwatch.measure("faces"):
            self._faces[index] = self._tracker.update(self.detector.all_faces(frame), seconds)
        self._frames[index], self._seconds[index] = frame, seconds

    @override
    def drop_before(self, index: int) -> None:
        super().drop_before(index)
        self._seconds = {i: self._seconds[i] for i in self._frames}
        self._faces = {i: self._faces[i] for i in self._frames}

    @override
    def windows(self, start: float, end: float, indices: Sequence[int]) -> Iterator[Window]:
        """See `FrameBuffer`; yields one window without a person where no face is in at least half of the frames."""
        windows: dict[int, Window] = {}
        for track in sorted({track for index in indices for track in self._faces[index]}):
            box = face_of_boxes([self._faces[index].get(track) for index in indices]).box
            if box is None:
                continue
            # numbered late: tracks found in less than half of every window are mostly false detections
            person = self._persons.setdefault(track, len(self._persons) + 1)
            windows[person] = Window(
                start=start,
                end=end,
                person=person,
                frames=self._crop(box, indices),
                box=box,
                boxes=tuple(
                    (self._seconds[index], self._faces[index][track])
                    for index in sorted(set(indices))
                    if track in self._faces[index]
                ),
            )
        yield from (windows[person] for person in sorted(windows))
        if not windows:
            yield Window(start=start, end=end, person=None)

    def _crop(self, box: Box, indices: Sequence[int]) -> npt.NDArray[np.uint8]:
        crops = {
            index: crop_face(self._frames[index][None], box, self.spec)[0] for index in set(indices)
        }
        return np.stack([crops[index] for index in indices])  # (T, H, W, 3)


def frame_buffer(
    spec: ModelSpec, detector: "FaceDetector | None", window_seconds: float, stopwatch: Stopwatch
) -> FrameBuffer:
    """Return a frame buffer: with a detector one that tracks faces, else one of whole frames."""
    if detector is None:
        return FrameBuffer(spec)
    return FaceBuffer(spec, detector, max(MIN_MISSING_SECONDS, window_seconds), stopwatch)


def preprocess(frames: Frames, spec: ModelSpec) -> Frames:
    """(T, H, W, C) -> (T, height, width, C), resized and cropped as in training without augmentation; a copy."""
    return np.array(
        center_crop(
            resize_frames(frames, size_before_crop(spec.image_size), spec.resize), spec.image_size
        )
    )


def crop_face(frames: Frames, box: Box, spec: ModelSpec) -> Frames:
    """(T, H, W, C) -> (T, height, width, C), cropped around the face in `box` and preprocessed."""
    return preprocess(crop(frames, crop_area(box, size_before_crop(spec.image_size))), spec)


def window_from_frames(frames: Frames, spec: ModelSpec, detector: "FaceDetector | None") -> Window:
    """Return a window of T evenly spaced frames, preprocessed like a clip in training; without sound.

    Args:
        frames: (N, H, W, 3) uint8, RGB.
        spec: Of a network that takes frames.
        detector: Finds the face to crop; `None` takes whole frames.
    """
    chosen = frames[linspace_indices(len(frames), spec.num_frames)]  # (T, H, W, 3)
    box = None if detector is None else clip_box(chosen, detector).box
    if detector is not None and box is None:
        return Window(start=0, end=0, person=None)
    return Window(
        start=0,
        end=0,
        person=1,
        frames=preprocess(chosen, spec) if box is None else crop_face(chosen, box, spec),
        sound=spec.audio.silence if spec.uses_sound else None,
        box=box,
    )
