"""Face tracks: boxes of the same person linked by overlap. No face is ever identified."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from emorec.data.faces import SAME_FACE_OVERLAP, Box, iou


@dataclass(frozen=True, slots=True)
class Track:
    """Last detection of a tracked face.

    Attributes:
        number: Of the track, from 1 in order of appearance.
        box: The face when it was last detected.
        seconds: When that was.
        x_velocity: In pixels per second, positive to the right.
        y_velocity: In pixels per second, positive downwards.
    """

    number: int
    box: Box
    seconds: float
    x_velocity: float = 0.0
    y_velocity: float = 0.0

    def extrapolate(self, seconds: float) -> Box:
        """Return the box expected at a later time, at constant velocity.

        >>> Track(1, Box(0, 0, 10, 10), 0.0, x_velocity=5.0).extrapolate(2.0)
        Box(left=10.0, top=0.0, width=10, height=10)
        """
        elapsed = seconds - self.seconds
        left = self.box.left + self.x_velocity * elapsed
        top = self.box.top + self.y_velocity * elapsed
        return replace(self.box, left=left, top=top)

    def update(self, box: Box, seconds: float) -> "Track":
        """Return the track after its face was detected again."""
        elapsed = max(seconds - self.seconds, 1e-3)
        x_velocity = (box.left + box.width / 2 - self.box.left - self.box.width / 2) / elapsed
        y_velocity = (box.top + box.height / 2 - self.box.top - self.box.height / 2) / elapsed
        return Track(self.number, box, seconds, x_velocity, y_velocity)


class Tracker:
    """Assigns each box of a frame to a track.

    Boxes are matched to the extrapolated boxes of the tracks, the rest to the boxes where tracks were last detected,
    each time with the largest total overlap. A box that overlaps no track by `SAME_FACE_OVERLAP` starts a new one.

    Args:
        max_missing_seconds: A track ends when its face was not detected for this long.

    Source: Bewley et al. 2016, "Simple online and realtime tracking", with a constant velocity for its Kalman filter.
    """

    def __init__(self, max_missing_seconds: float) -> None:
        self.max_missing_seconds = max_missing_seconds
        self.tracks: list[Track] = []
        self._num_tracks = 0
        self._seconds = 0.0
        """Time of the last frame."""

    def update(
        self, boxes: Sequence[Box], seconds: float, *, follows: bool = False
    ) -> dict[int, Box]:
        """Return the boxes by track number.

        Args:
            boxes: The faces in a frame.
            seconds: Time of the frame, later than that of the frame before.
            follows: Whether the frame before was displayed until then, and so were its faces.
        """
        unmatched_tracks = [
            track
            for track in self.tracks
            if seconds - track.seconds < self.max_missing_seconds
            or (follows and track.seconds == self._seconds)
        ]
        self._seconds = seconds
        # from left to right, so that track numbers do not depend on the order of detections
        unmatched_boxes = sorted(boxes, key=lambda box: (box.left, box.top))
        updated: list[Track] = []
        for extrapolate in (True, False):
            expected = [
                track.extrapolate(seconds) if extrapolate else track.box
                for track in unmatched_tracks
            ]
            pairs = match_boxes(expected, unmatched_boxes)
            updated += [unmatched_tracks[i].update(unmatched_boxes[j], seconds) for i, j in pairs]
            matched_tracks, matched_boxes = {i for i, _ in pairs}, {j for _, j in pairs}
            unmatched_tracks = [
                track for i, track in enumerate(unmatched_tracks) if i not in matched_tracks
            ]
            unmatched_boxes = [
                box for j, box in enumerate(unmatched_boxes) if j not in matched_boxes
            ]
        for box in unmatched_boxes:
            self._num_tracks += 1
            updated.append(Track(self._num_tracks, box, seconds))
        self.tracks = unmatched_tracks + updated
        return {track.number: track.box for track in updated}


def match_boxes(expected: Sequence[Box], boxes: Sequence[Box]) -> list[tuple[int, int]]:
    """Return index pairs of boxes that overlap by at least `SAME_FACE_OVERLAP`, with the largest total overlap.

    >>> match_boxes([Box(0, 0, 10, 10), Box(50, 0, 10, 10)], [Box(52, 0, 10, 10), Box(99, 0, 10, 10)])
    [(1, 0)]
    """
    if not expected or not boxes:
        return []
    overlaps = np.array([[iou(one, other) for other in boxes] for one in expected])
    overlaps[overlaps < SAME_FACE_OVERLAP] = 0.0
    if 1 in overlaps.shape:
        pairs = [np.unravel_index(overlaps.argmax(), overlaps.shape)]
    else:
        from scipy.optimize import linear_sum_assignment  # late: a third of a second to import

        pairs = list(zip(*linear_sum_assignment(overlaps, maximize=True), strict=True))
    return [(int(row), int(column)) for row, column in pairs if overlaps[row, column] > 0]
