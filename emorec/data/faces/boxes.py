"""Face boxes: the box of a clip, the area around it, and the crop.

All frames of a clip share one area: a box that followed the face from frame to frame would remove its motion.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from emorec.data.video.reader import Frames
from emorec.image_size import CROP_SHARE, Size

MARGIN = 0.05
"""Margin on each side of the face, as a share of its height."""

MIN_SHARE = 0.5
"""Share of a clip's frames in which the face has to be detected, in the same place."""

SAME_FACE_OVERLAP = 0.3
"""Lowest intersection over union of two boxes of the same face.

Source: Bewley et al. 2016, "Simple online and realtime tracking", section 3.3 (IOU_min in its published code).
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A face from hairline to chin, in pixels of the frame; it may extend beyond the frame."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class ClipFace:
    """The face of a clip.

    Attributes:
        box: Its box; `None` if it was detected in too few frames.
        found: Number of frames in which it was detected, in the same place.
    """

    box: Box | None
    found: int


@dataclass(frozen=True, slots=True)
class CropArea:
    """The part of a frame to crop, in pixels; it may extend beyond the frame."""

    left: int
    top: int
    height: int
    width: int


def clip_box(frames: Frames, detect: Callable[[Frames], Box | None]) -> ClipFace:
    """Return the face of a clip: the median of centre and size over the frames in which it is detected.

    Wrong boxes in single frames do no harm, nor does another face that is the largest in some frames: of boxes that do
    not overlap, those where most others lie count.

    Args:
        frames: (T, H, W, C) uint8, RGB.
        detect: Returns the face of a frame, (H, W, C) uint8 RGB, such as a `FaceDetector`.

    >>> boxes = iter([Box(9, 20, 30, 40), None, Box(10, 20, 30, 40), Box(12, 22, 30, 44), Box(300, 0, 80, 80)])
    >>> clip_box(np.zeros((5, 90, 400, 3), dtype=np.uint8), lambda frame: next(boxes))
    ClipFace(box=Box(left=10.0, top=20.0, width=30.0, height=40.0), found=3)
    """
    return face_of_boxes([detect(frame) for frame in frames])


def face_of_boxes(found: Sequence[Box | None]) -> ClipFace:
    """Return the face of a clip, from the box in each of its T frames; see `clip_box`.

    >>> face_of_boxes([Box(9, 20, 30, 40), None, None])
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


def iou(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes.

    >>> iou(Box(0, 0, 10, 10), Box(5, 0, 10, 10))
    0.3333333333333333
    """
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    shared = max(0.0, width) * max(0.0, height)
    covered = one.width * one.height + other.width * other.height - shared
    return shared / covered if covered else 0.0


def crop_area(box: Box, shape: Size, margin: float = MARGIN) -> CropArea:
    """Return the area to keep of a clip: the face and its margin, enlarged by what random crops need.

    The central `CROP_SHARE` of its shorter side is as long as the face is high, plus the margin above and below it.

    Args:
        box: The face.
        shape: Height and width whose proportions the area gets.
        margin: Margin on each side of the face, as a share of its height.

    >>> crop_area(Box(30, 50, 80, 100), (1, 1), margin=0.2)  # 100 pixels and twice 20, by 8/7
    CropArea(left=-10, top=20, height=160, width=160)
    >>> crop_area(Box(30, 50, 80, 100), (60, 100), margin=0.2)
    CropArea(left=-64, top=20, height=160, width=267)
    """
    face = max(box.height, box.width)  # a head that lies on its side is wider than high
    scale = face * (1 + 2 * margin) / CROP_SHARE / min(shape)
    height, width = (max(1, round(side * scale)) for side in shape)
    return CropArea(
        left=round(box.left + box.width / 2 - width / 2),
        top=round(box.top + box.height / 2 - height / 2),
        height=height,
        width=width,
    )


def crop(frames: Frames, area: CropArea) -> Frames:
    """Crop frames, (T, H, W, C) -> (T, height, width, C); beyond the frame its border pixels are repeated.

    Args:
        frames: (T, H, W, C) uint8.
        area: What to crop.

    >>> row = np.array([1, 2, 3], dtype=np.uint8).reshape(1, 1, 3, 1)
    >>> crop(row, CropArea(left=-1, top=0, height=2, width=4))[0, :, :, 0].tolist()
    [[1, 1, 2, 3], [1, 1, 2, 3]]
    """
    rows, above, below = _inside(area.top, area.height, frames.shape[1])
    columns, before, behind = _inside(area.left, area.width, frames.shape[2])
    borders = ((0, 0), (above, below), (before, behind), (0, 0))
    return np.pad(frames[:, rows, columns], borders, mode="edge")


def _inside(start: int, length: int, limit: int) -> tuple[slice, int, int]:
    """The part of a range within 0 to `limit`, at least one pixel, and the number of pixels to pad before and after.

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
    """The boxes that overlap the most central one."""
    if not boxes:
        return []
    overlaps = [[iou(one, other) for other in boxes] for one in boxes]
    most_central = max(overlaps, key=sum)
    return [
        box for box, share in zip(boxes, most_central, strict=True) if share >= SAME_FACE_OVERLAP
    ]
