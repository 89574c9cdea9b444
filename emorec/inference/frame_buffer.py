"""Frame buffers: the frames of open windows, as whole frames or as the pixels around each tracked face."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emorec.data.faces import Box, Face, clip_face, face_of_frames, face_pixels
from emorec.data.preprocessing import center_crop, resize_frames
from emorec.data.video.reader import Frames, linspace_indices
from emorec.image_size import size_before_crop
from emorec.inference.spec import ModelSpec
from emorec.inference.timeline import Window
from emorec.inference.video import Stopwatch

if TYPE_CHECKING:
    from emorec.data.faces import FaceDetector
    from emorec.data.landmarks import FaceTrack, Points

MIN_MISSING_SECONDS = 1.0
"""A person keeps the same number after missing detections of at least this long, however short windows are."""

MAX_FOLLOWED_SECONDS = 0.8
"""For this long after faces were detected, their landmarks are followed without detecting them again."""


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
    """Frame buffer that tracks every face; a window for each person, all of its frames cropped or aligned alike.

    For a network that takes landmarks alone, those of a long video are measured as frames arrive, which are not kept;
    they are followed from frame to frame, and faces are detected about once a second.

    Args:
        spec: Of the network; its `face` is "crop" or "align".
        detector: Face detector.
        max_missing_seconds: A track ends when its face was not detected for this long.
        stopwatch: Measures the detector.
        is_long: Whether the video has several windows; a single one has the landmarks of a clip in training.
    """

    def __init__(
        self,
        spec: ModelSpec,
        detector: "FaceDetector",
        max_missing_seconds: float,
        stopwatch: Stopwatch,
        *,
        is_long: bool = False,
    ) -> None:
        from emorec.inference.tracks import Tracker  # late: whole frames need none

        super().__init__(spec)
        self.detector = detector
        self.stopwatch = stopwatch
        self._tracker = Tracker(max_missing_seconds)
        self._follows = is_long and not spec.uses_frames
        self._detected_seconds = 0.0
        self._seconds: dict[int, float] = {}
        self._last_index = -1
        self._faces: dict[int, dict[int, Face]] = {}
        self._landmarks: dict[tuple[int, int], tuple[FaceTrack, npt.NDArray[np.int16]]] = {}
        self._persons: dict[int, int] = {}

    @override
    def add(self, index: int, seconds: float, frame: Frames) -> None:
        last = self._last_index
        with self.stopwatch.measure("faces"):
            is_recent = seconds - self._detected_seconds < MAX_FOLLOWED_SECONDS
            is_followed = self._follows and bool(self._faces.get(last)) and is_recent
            if is_followed:
                self._faces[index] = self._faces[last].copy()
            else:
                faces = self.detector.detect(frame, refine=self.spec.face == "align")
                by_box = {face.box: face for face in faces}
                tracks = self._tracker.update(list(by_box), seconds, follows=index == last + 1)
                self._faces[index] = {track: by_box[box] for track, box in tracks.items()}
                self._detected_seconds = seconds
            if self._follows:
                # a detection may have missed a face whose landmarks go on
                for track in {track for faces in self._faces.values() for track in faces}:
                    self._measure(index, track, frame, last)
                    if is_followed:
                        self._move_box(index, track, last)
            else:
                self._frames[index] = frame
        self._seconds[index], self._last_index = seconds, index

    @override
    def indices(self) -> set[int]:
        return set(self._seconds)

    @override
    def drop_before(self, index: int) -> None:
        super().drop_before(index)
        self._seconds = {i: seconds for i, seconds in self._seconds.items() if i >= index}
        self._faces = {i: faces for i, faces in self._faces.items() if i >= index}
        self._landmarks = {key: face for key, face in self._landmarks.items() if key[0] >= index}

    @override
    def windows(self, start: float, end: float, indices: Sequence[int]) -> Iterator[Window]:
        """See `FrameBuffer`; yields one window without a person where no face is in at least half of the frames."""
        windows: dict[int, Window] = {}
        for track in sorted({track for index in indices for track in self._faces[index]}):
            face = face_of_frames([self._faces[index].get(track) for index in indices]).face
            if face is None:
                continue
            # numbered late: tracks found in less than half of every window are mostly false detections
            person = self._persons.setdefault(track, len(self._persons) + 1)
            windows[person] = Window(
                start=start,
                end=end,
                person=person,
                **(self._measured(track, indices) if self.spec.uses_landmarks else {}),
                frames=self._pixels(face, indices) if self.spec.uses_frames else None,
                box=face.box,
                boxes=tuple(
                    (self._seconds[index], self._faces[index][track].box)
                    for index in sorted(set(indices))
                    if track in self._faces[index]
                ),
            )
        yield from (windows[person] for person in sorted(windows))
        if not windows:
            yield Window(start=start, end=end, person=None)

    def _measured(self, track: int, indices: Sequence[int]) -> dict[str, Any]:
        """Return what a window of T frames tells of a track's landmarks."""
        from emorec.data.landmarks import FACE, fill_missing

        last = indices[0]
        for index in indices:
            if not self._follows and (index, track) not in self._landmarks:
                with self.stopwatch.measure("faces"):
                    self._measure(index, track, self._frames[index], last)
            last = index
        absent = np.zeros(1, FACE), np.empty((0, 2), np.int16)
        measured = [self._landmarks.get((index, track), absent) for index in indices]
        faces = np.concatenate([face for face, _ in measured])
        found = {index for index, there in zip(indices, faces["present"], strict=True) if there}
        return {
            "face": fill_missing(faces),
            "seconds": tuple(self._seconds[index] for index in indices),
            "pose": tuple(faces["pose"][faces["present"]].mean(axis=0).tolist()) if found else None,
            "contours": tuple(
                (self._seconds[index], self._landmarks[index, track][1]) for index in sorted(found)
            ),
        }

    def _measure(self, index: int, track: int, frame: Frames, last: int) -> None:
        """Measure the landmarks of a track, which are searched for where they were in another frame, first."""
        from emorec.data.landmarks import cached_landmarker, contour_points

        detected = self._faces[index].get(track)
        face = cached_landmarker()([frame], [detected], self._points(last, track))
        self._landmarks[index, track] = face, contour_points(face["landmarks"][0])

    def _points(self, index: int, track: int) -> "Points | None":
        face, _ = self._landmarks.get((index, track), (None, None))
        return face["landmarks"][0] if face is not None and face["present"][0] else None

    def _move_box(self, index: int, track: int, last: int) -> None:
        """Move the box of a followed face with its landmarks."""
        face = self._faces[index].get(track)
        before, after = self._points(last, track), self._points(index, track)
        if face is not None and before is not None and after is not None:
            box = moved_box(face.box, before, after)
            self._faces[index][track] = replace(face, box=box)

    def _pixels(self, face: Face, indices: Sequence[int]) -> npt.NDArray[np.uint8]:
        pixels = {
            index: preprocess(self._frames[index][None], self.spec, face)[0]
            for index in set(indices)
        }
        return np.stack([pixels[index] for index in indices])  # (T, H, W, 3)


def moved_box(box: Box, before: "Points", after: "Points") -> Box:
    """Return a box that moves and grows with the points of its face.

    Args:
        box: Around the points before.
        before: (N, 3) in pixels.
        after: The same points in a later frame.

    >>> points = np.array([[1.0, 1.0, 0.0], [3.0, 3.0, 0.0]])
    >>> moved_box(Box(0, 0, 4, 4), points, 2 * points + (10, 0, 0))
    Box(left=10.0, top=0.0, width=8.0, height=8.0)
    """
    one, other = before[:, :2], after[:, :2]
    scale = float(other.std(axis=0).mean() / one.std(axis=0).mean())
    corner = other.mean(axis=0) + scale * (np.array([box.left, box.top]) - one.mean(axis=0))
    left, top = corner.tolist()
    return Box(left, top, scale * box.width, scale * box.height)


def frame_buffer(
    spec: ModelSpec,
    detector: "FaceDetector | None",
    window_seconds: float,
    stopwatch: Stopwatch,
    *,
    is_long: bool,
) -> FrameBuffer:
    """Return a frame buffer: with a detector one that tracks faces, else one of whole frames; see `FaceBuffer`."""
    if detector is None:
        return FrameBuffer(spec)
    max_missing_seconds = max(MIN_MISSING_SECONDS, window_seconds)
    return FaceBuffer(spec, detector, max_missing_seconds, stopwatch, is_long=is_long)


def preprocess(frames: Frames, spec: ModelSpec, face: Face | None = None) -> Frames:
    """Return frames as in training without augmentation, (T, H, W, C) -> (T, height, width, C), a copy.

    Args:
        frames: (T, H, W, C) uint8.
        spec: Of the network.
        face: To crop or align to; `None` takes whole frames.
    """
    size = size_before_crop(spec.image_size)
    if face is not None and spec.face != "none":
        frames = face_pixels(frames, face, size, spec.face)
    return np.array(center_crop(resize_frames(frames, size, spec.resize), spec.image_size))


def window_from_frames(frames: Frames, spec: ModelSpec, detector: "FaceDetector | None") -> Window:
    """Return a window of T evenly spaced frames, preprocessed like a clip in training; without sound.

    Args:
        frames: (N, H, W, 3) uint8, RGB.
        spec: Of a network that takes frames; its `face` is how the detected face is cut out.
        detector: `None` takes whole frames.
    """
    chosen = frames[linspace_indices(len(frames), spec.num_frames)]  # (T, H, W, 3)
    face = track = None
    if spec.uses_landmarks:
        from emorec.data.landmarks import cached_landmarker

        track = cached_landmarker()(chosen)
        if not track["present"].any():
            return Window(start=0, end=0, person=None)
    if detector is not None:
        face = clip_face(chosen, partial(detector, refine=spec.face == "align")).face
        if face is None:
            return Window(start=0, end=0, person=None)
    return Window(
        start=0,
        end=0,
        person=1,
        frames=preprocess(chosen, spec, face) if spec.uses_frames else None,
        face=track,
        sound=spec.audio.silence if spec.uses_sound else None,
        box=None if face is None else face.box,
    )
