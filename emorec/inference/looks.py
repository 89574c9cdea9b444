"""What is kept of a video's frames while windows that need them are open, and the windows made of it."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emorec.data.decoding.decode import Frames
from emorec.data.faces.detector import FaceDetector
from emorec.data.faces.face import Box, area_around, cut_out, face_of
from emorec.data.preprocessing import center_crop, resize_frames
from emorec.image_size import size_before_crop
from emorec.inference.cutting import Cutting
from emorec.inference.facts import Facts
from emorec.inference.stopwatch import Stopwatch
from emorec.inference.track import Tracker
from emorec.inference.window import Window

PATIENCE_SECONDS = 1.0
"""At least so long somebody may not be found and still be the same person; windows of one frame are much shorter."""


class Looks(Protocol):
    """Frames that windows may still need."""

    def add(self, index: int, seconds: float, frame: Frames) -> None:
        """Takes the next frame, (H, W, C) uint8 RGB, and when it starts."""

    def there(self) -> set[int]:
        """Indices of the frames that are kept."""

    def forget(self, before: int) -> None:
        """Lets go of all frames with lower indices."""

    def windows(self, start: float, end: float, indices: Sequence[int]) -> Iterator[Window]:
        """The windows of a stretch, by person, without sound; `indices` are those of its T frames, all there."""


class WholePictures(Looks):
    """Whole pictures, or what of them has the network's proportions; one person, whoever it is.

    Args:
        facts: Of the network.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._pictures: dict[int, Frames] = {}

    @override
    def add(self, index: int, seconds: float, frame: Frames) -> None:
        self._pictures[index] = as_trained(frame[None], self.facts)[0]

    @override
    def there(self) -> set[int]:
        return set(self._pictures)

    @override
    def forget(self, before: int) -> None:
        self._pictures = {i: picture for i, picture in self._pictures.items() if i >= before}

    @override
    def windows(self, start: float, end: float, indices: Sequence[int]) -> Iterator[Window]:
        frames = np.stack([self._pictures[index] for index in indices])
        yield Window(start=start, end=end, person=1, frames=frames)


class EveryFace(Looks):
    """Every face of a video, followed by overlap; each window cuts one area a person out of its frames.

    Args:
        facts: Of the network.
        detector: Finds faces.
        patience_seconds: A track ends when its face was not seen for so long.
        clock: Counts what finding faces takes.
    """

    def __init__(
        self, facts: Facts, detector: FaceDetector, patience_seconds: float, clock: Stopwatch
    ) -> None:
        self.facts = facts
        self.detector = detector
        self.clock = clock
        self._tracker = Tracker(patience_seconds)
        self._frames: dict[int, Frames] = {}
        self._seconds: dict[int, float] = {}
        self._faces: dict[int, dict[int, Box]] = {}
        self._people: dict[int, int] = {}

    @override
    def add(self, index: int, seconds: float, frame: Frames) -> None:
        with self.clock.during("faces"):
            self._faces[index] = self._tracker(self.detector.all_faces(frame), seconds)
        self._frames[index], self._seconds[index] = frame, seconds

    @override
    def there(self) -> set[int]:
        return set(self._frames)

    @override
    def forget(self, before: int) -> None:
        for kept in (self._frames, self._seconds, self._faces):
            for index in [index for index in kept if index < before]:
                del kept[index]

    @override
    def windows(self, start: float, end: float, indices: Sequence[int]) -> Iterator[Window]:
        people: dict[int, Window] = {}
        for track in sorted({track for index in indices for track in self._faces[index]}):
            boxes = [self._faces[index].get(track) for index in indices]
            face = face_of(boxes)
            if face.box is None:
                continue
            # who is never there for half a window is nobody, most often a mistake of the detector
            person = self._people.setdefault(track, len(self._people) + 1)
            people[person] = Window(
                start=start,
                end=end,
                person=person,
                frames=self._cut(face.box, indices),
                box=face.box,
                face_frames=face.found,
                boxes=tuple(
                    (self._seconds[index], self._faces[index][track])
                    for index in sorted(set(indices))
                    if track in self._faces[index]
                ),
            )
        yield from (people[person] for person in sorted(people))
        if not people:
            yield Window(start=start, end=end, person=None, frames=None, face_frames=0)

    def _cut(self, box: Box, indices: Sequence[int]) -> npt.NDArray[np.uint8]:
        cut = {
            index: face_as_trained(self._frames[index][None], box, self.facts)[0]
            for index in set(indices)
        }
        return np.stack([cut[index] for index in indices])


def looks_of(facts: Facts, cutting: Cutting, clock: Stopwatch) -> Looks:
    """What keeps the frames of a video that is cut in this way."""
    if cutting.detector is None:
        return WholePictures(facts)
    patience_seconds = max(PATIENCE_SECONDS, cutting.window_seconds)
    return EveryFace(facts, cutting.detector, patience_seconds, clock)


def as_trained(frames: Frames, facts: Facts) -> Frames:
    """(T, H, W, C) -> (T, height, width, C), as training sees what is not augmented; memory of its own."""
    pictures = resize_frames(frames, size_before_crop(facts.image_size), facts.resize)
    return np.array(center_crop(pictures, facts.image_size))


def face_as_trained(frames: Frames, box: Box, facts: Facts) -> Frames:
    """The same of the area around a face that is in this box."""
    return as_trained(cut_out(frames, area_around(box, size_before_crop(facts.image_size))), facts)
