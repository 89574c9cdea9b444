"""Where the face of a clip is: one box out of its frames, the area around it, and the cut.

One area serves all frames of a clip: a box that followed the face from frame to frame would take its motion away.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from emorec.data.decoding.decode import Frames
from emorec.image_size import CROP_SHARE, Size

MARGIN = 0.05
"""Free on each side of the face, as a share of its height."""

MIN_SHARE = 0.5
"""Of a clip's frames that have to show one face in one place."""

SAME_FACE_OVERLAP = 0.3
"""Boxes that overlap less are of two faces.

Source: Bewley et al. 2016, "Simple online and realtime tracking", section 3.3 (IOU_min in its published code).
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A face from hairline to chin, in pixels of the frame; parts of it may lie outside."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class ClipFace:
    """The face of a clip.

    Attributes:
        box: Where it is; `None` when it was not found in enough frames.
        found: Frames in which it was found, in one place.
    """

    box: Box | None
    found: int


@dataclass(frozen=True, slots=True)
class Area:
    """Pixels of a frame to cut out; parts of it may lie outside."""

    left: int
    top: int
    height: int
    width: int


def clip_box(frames: Frames, detect: Callable[[Frames], Box | None]) -> ClipFace:
    """The face of a clip: the median of centre and size over the frames in which it was found.

    A frame with a wrong box does no harm, nor does another face that is the largest in some frames: of boxes that do
    not overlap, those that lie where most others lie count.

    Args:
        frames: (T, H, W, C) uint8, RGB.
        detect: (H, W, C) uint8, RGB -> the face in it.

    >>> places = iter([Box(9, 20, 30, 40), None, Box(10, 20, 30, 40), Box(12, 22, 30, 44), Box(300, 0, 80, 80)])
    >>> clip_box(np.zeros((5, 90, 400, 3), dtype=np.uint8), lambda frame: next(places))
    ClipFace(box=Box(left=10.0, top=20.0, width=30.0, height=40.0), found=3)
    """
    return face_of([detect(frame) for frame in frames])


def face_of(found: Sequence[Box | None]) -> ClipFace:
    """The face of a clip, from what was found in each of its T frames; see `clip_box`.

    >>> face_of([Box(9, 20, 30, 40), None, None])
    ClipFace(box=None, found=1)
    """
    boxes = _of_one_face([box for box in found if box is not None])
    if not boxes or len(boxes) < MIN_SHARE * len(found):
        return ClipFace(None, len(boxes))
    centres_and_sizes = [
        (box.left + box.width / 2, box.top + box.height / 2, box.width, box.height) for box in boxes
    ]
    x, y, width, height = np.median(centres_and_sizes, axis=0).tolist()
    return ClipFace(Box(x - width / 2, y - height / 2, width, height), len(boxes))


def overlap(one: Box, other: Box) -> float:
    """Area that two boxes share, as a share of what both cover.

    >>> overlap(Box(0, 0, 10, 10), Box(5, 0, 10, 10))
    0.3333333333333333
    """
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    shared = max(0.0, width) * max(0.0, height)
    covered = one.width * one.height + other.width * other.height - shared
    return shared / covered if covered else 0.0


def area_around(box: Box, shape: Size, margin: float = MARGIN) -> Area:
    """The area to keep of a clip, larger than the face and its margin by what crops at random need.

    The central `CROP_SHARE` of its shorter side is as long as the face is high, with the margin above and below it.

    Args:
        box: The face.
        shape: What the area has the proportions of.
        margin: On each side of it, as a share of its height.

    >>> area_around(Box(30, 50, 80, 100), (1, 1), margin=0.2)  # 100 pixels and twice 20, by 8/7
    Area(left=-10, top=20, height=160, width=160)
    >>> area_around(Box(30, 50, 80, 100), (60, 100), margin=0.2)
    Area(left=-64, top=20, height=160, width=267)
    """
    face = max(box.height, box.width)  # a head that lies on its side is wider than high
    scale = face * (1 + 2 * margin) / CROP_SHARE / min(shape)
    height, width = (max(1, round(side * scale)) for side in shape)
    return Area(
        left=round(box.left + box.width / 2 - width / 2),
        top=round(box.top + box.height / 2 - height / 2),
        height=height,
        width=width,
    )


def cut_out(frames: Frames, area: Area) -> Frames:
    """(T, H, W, C) -> (T, height, width, C), uint8; beyond the picture its last row or column goes on.

    Args:
        frames: (T, H, W, C) uint8.
        area: What to cut out.

    >>> row = np.array([1, 2, 3], dtype=np.uint8).reshape(1, 1, 3, 1)
    >>> cut_out(row, Area(left=-1, top=0, height=2, width=4))[0, :, :, 0].tolist()
    [[1, 1, 2, 3], [1, 1, 2, 3]]
    """
    rows, above, below = _inside(area.top, area.height, frames.shape[1])
    columns, before, behind = _inside(area.left, area.width, frames.shape[2])
    borders = ((0, 0), (above, below), (before, behind), (0, 0))
    return np.pad(frames[:, rows, columns], borders, mode="edge")


def _inside(start: int, length: int, limit: int) -> tuple[slice, int, int]:
    """What of a stretch is there, at least one pixel, and how many pixels have to be made up before and after it.

    >>> _inside(-2, 6, 3)
    (slice(0, 3, None), 2, 1)
    >>> _inside(5, 2, 3)
    (slice(2, 3, None), 1, 0)
    """
    there = np.clip(np.arange(start, start + length), 0, limit - 1)
    first, last = int(there[0]), int(there[-1])
    before = int(np.count_nonzero(there == first)) - 1
    return slice(first, last + 1), before, length - before - (last + 1 - first)


def _of_one_face(boxes: Sequence[Box]) -> list[Box]:
    """The boxes that overlap the one which overlaps all others most."""
    if not boxes:
        return []
    overlaps = [[overlap(one, other) for other in boxes] for one in boxes]
    most_central = max(overlaps, key=sum)
    return [
        box for box, share in zip(boxes, most_central, strict=True) if share >= SAME_FACE_OVERLAP
    ]
