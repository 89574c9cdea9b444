"""Which boxes of a video are of one person: tracks by overlap. Nobody is recognised, neither here nor later."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from emorec.data.faces.boxes import SAME_FACE_OVERLAP, Box, iou


@dataclass(frozen=True, slots=True)
class Track:
    """A person's face where it was last seen.

    Attributes:
        number: Of the track; they count from 1 in the order in which they begin.
        box: Where it was.
        seconds: When.
        across: Pixels a second that it moved to the right.
        down: The same downwards.
    """

    number: int
    box: Box
    seconds: float
    across: float = 0.0
    down: float = 0.0

    def expected(self, seconds: float) -> Box:
        """Where it is when it goes on as it went.

        >>> Track(1, Box(0, 0, 10, 10), 0.0, across=5.0).expected(2.0)
        Box(left=10.0, top=0.0, width=10, height=10)
        """
        ahead = seconds - self.seconds
        left, top = self.box.left + self.across * ahead, self.box.top + self.down * ahead
        return replace(self.box, left=left, top=top)

    def seen(self, box: Box, seconds: float) -> "Track":
        """The track after its face was seen again."""
        ahead = max(seconds - self.seconds, 1e-3)
        across = (box.left + box.width / 2 - self.box.left - self.box.width / 2) / ahead
        down = (box.top + box.height / 2 - self.box.top - self.box.height / 2) / ahead
        return Track(self.number, box, seconds, across, down)


class Tracker:
    """Gives each box the number of its track, frame by frame.

    A box belongs to the track whose face is expected there, else to one that was last seen there; of all pairs those
    are taken which overlap most together. What overlaps no track by `SAME_FACE_OVERLAP` begins a new one.

    Args:
        patience_seconds: A track ends when its face was not seen for so long.

    Source: Bewley et al. 2016, "Simple online and realtime tracking", with a constant velocity for its Kalman filter.
    """

    def __init__(self, patience_seconds: float) -> None:
        self.patience_seconds = patience_seconds
        self.tracks: list[Track] = []
        self._begun = 0

    def __call__(self, boxes: Sequence[Box], seconds: float) -> dict[int, Box]:
        """The boxes by the numbers of their tracks.

        Args:
            boxes: Of the faces in a frame.
            seconds: When it was filmed, later than the frame before.
        """
        self.tracks = [
            track for track in self.tracks if seconds - track.seconds < self.patience_seconds
        ]
        # from left to right, so that numbers do not hang on how a detector orders faces
        new = sorted(boxes, key=lambda box: (box.left, box.top))
        lost, seen = self.tracks, list[Track]()
        for expects in (True, False):
            pairs = matched(
                [track.expected(seconds) if expects else track.box for track in lost], new
            )
            seen += [lost[row].seen(new[column], seconds) for row, column in pairs]
            rows, columns = {row for row, _ in pairs}, {column for _, column in pairs}
            lost = [track for row, track in enumerate(lost) if row not in rows]
            new = [box for column, box in enumerate(new) if column not in columns]
        for box in new:
            self._begun += 1
            seen.append(Track(self._begun, box, seconds))
        self.tracks = lost + seen
        return {track.number: track.box for track in seen}


def matched(places: Sequence[Box], boxes: Sequence[Box]) -> list[tuple[int, int]]:
    """Pairs of a place and a box that overlap by `SAME_FACE_OVERLAP` or more: those with the largest sum of all.

    >>> matched([Box(0, 0, 10, 10), Box(50, 0, 10, 10)], [Box(52, 0, 10, 10), Box(99, 0, 10, 10)])
    [(1, 0)]
    """
    if not places or not boxes:
        return []
    from scipy.optimize import linear_sum_assignment

    shares = np.array([[iou(place, box) for box in boxes] for place in places])
    shares[shares < SAME_FACE_OVERLAP] = 0.0
    rows, columns = linear_sum_assignment(shares, maximize=True)
    return [
        (int(row), int(column))
        for row, column in zip(rows, columns, strict=True)
        if shares[row, column] > 0
    ]
