"""Faces: the detector YuNet, the face of a clip, and its pixels: cropped, or aligned by eyes, nose and mouth.

All frames of a clip share one crop or transform: one that followed the face from frame to frame would remove motion.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from emorec.data.video.reader import Frames
from emorec.errors import UserError
from emorec.image_size import CROP_SHARE, Size

Points = tuple[tuple[float, float], ...]
"""(x, y) of several points, in pixels."""

Matrix = npt.NDArray[np.float64]
"""(2, 3): an affine map (x, y, 1) -> (x, y)."""

YUNET_SIDE = 320
"""Longer side in pixels at which YuNet detects faces; larger frames are downsampled."""

YUNET_MIN_SIDE = 33
"""Shorter side in pixels at which YuNet detects faces; smaller frames are padded below and on the right.

OpenCV 4.14 reads uninitialised memory where the coarsest of YuNet's maps, one cell for 32 pixels, has one row or
column: it found faces of infinite width in frames of 32 x 32 pixels, in some processes.
"""

POINTS_SIDE = 256
"""Side in pixels of the square in which the points of a face are refined.

In 8 clips of RAVDESS that were turned by 8 and 20 degrees, the points of faces about 80 pixels high follow 0.36 of the
turn. Crops of the face enlarged to 192, 256 and 320 pixels follow 0.63, 0.97 and 1.00 of it.
"""

MIN_SCORE = 0.7
"""Lowest score of a detected face, 0 to 1."""

MARGIN = 0.05
"""Margin on each side of the face, as a share of its height."""

MIN_SHARE = 0.5
"""Share of a clip's frames in which the face has to be detected, in the same place."""

SAME_FACE_OVERLAP = 0.3
"""Lowest intersection over union of two boxes of the same face.

Source: Bewley et al. 2016, "Simple online and realtime tracking", section 3.3 (IOU_min in its published code).
"""

EYE, NOSE, MOUTH = (0.172, -0.119), (0.0, 0.086), (0.152, 0.235)
"""Where the left eye, the tip of the nose and the left corner of the mouth of an average face lie.

(x, y) from the centre of its box, in heights of the box; right and left mirror each other. Source: the mean of YuNet's
refined points in 95 clips of 19 training actors of the RAVDESS split `seed`.
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A face from hairline to chin, in pixels of the frame; it may extend beyond the frame."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Face:
    """A detected face, in pixels of the frame.

    Attributes:
        box: From hairline to chin.
        points: (x, y) of right eye, left eye, tip of the nose, right and left corner of the mouth; right and left are
            those of the person.
        score: 0 to 1.
    """

    box: Box
    points: Points
    score: float


@dataclass(frozen=True, slots=True)
class ClipFace:
    """The face of a clip.

    Attributes:
        face: The median over the frames; `None` if it was detected in too few of them.
        found: Number of frames in which it was detected, in the same place.
    """

    face: Face | None
    found: int


@dataclass(frozen=True, slots=True)
class CropArea:
    """The part of a frame to crop, in pixels; it may extend beyond the frame."""

    left: int
    top: int
    height: int
    width: int


def clip_face(frames: Frames, detect: Callable[[Frames], Face | None]) -> ClipFace:
    """Return the face of a clip: the median of box, points and score over the frames in which it is detected.

    Wrong boxes in single frames do no harm, nor does another face that is the largest in some frames: of boxes that do
    not overlap, those where most others lie count.

    Args:
        frames: (T, H, W, C) uint8, RGB.
        detect: Returns the face of a frame, (H, W, C) uint8 RGB, such as a `FaceDetector`.
    """
    return face_of_frames([detect(frame) for frame in frames])


def face_of_frames(faces: Sequence[Face | None]) -> ClipFace:
    """Return the face of a clip from that of each of its T frames; see `clip_face`.

    >>> faces = [Face(Box(left, 20, 30, 40), ((left + 9, 35),), 0.9) for left in (9, 10, 12, 300)]
    >>> face_of_frames([*faces, None])
    ClipFace(face=Face(box=Box(left=10.0, ..., height=40.0), points=((19.0, 35.0),), score=0.9), found=3)
    >>> face_of_frames([faces[0], None, None])
    ClipFace(face=None, found=1)
    """
    steady = _of_one_face([face for face in faces if face is not None])
    if not steady or len(steady) < MIN_SHARE * len(faces):
        return ClipFace(None, len(steady))
    boxes = [face.box for face in steady]
    centres_and_sizes = [
        (box.left + box.width / 2, box.top + box.height / 2, box.width, box.height) for box in boxes
    ]
    x, y, width, height = np.median(centres_and_sizes, axis=0).tolist()
    points = np.median([face.points for face in steady], axis=0).tolist()
    face = Face(
        box=Box(x - width / 2, y - height / 2, width, height),
        points=tuple((x, y) for x, y in points),
        score=float(np.median([face.score for face in steady])),
    )
    return ClipFace(face, len(steady))


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


def _of_one_face(faces: Sequence[Face]) -> list[Face]:
    """The faces whose boxes overlap the most central one."""
    if not faces:
        return []
    overlaps = [[iou(one.box, other.box) for other in faces] for one in faces]
    most_central = max(overlaps, key=sum)
    return [
        face for face, share in zip(faces, most_central, strict=True) if share >= SAME_FACE_OVERLAP
    ]


def canonical_points(size: Size) -> Points:
    """Return where `alignment` puts the five points of a face in frames of a size; see `Face`.

    A face with these points has the place and height in the frame that `crop_area` gives it.

    >>> [(round(x), round(y)) for x, y in canonical_points((256, 256))]
    [(93, 104), (163, 104), (128, 146), (97, 176), (159, 176)]
    """
    height, width = size
    scale = min(size) * CROP_SHARE / (1 + 2 * MARGIN)
    (eye_x, eye_y), (mouth_x, mouth_y) = EYE, MOUTH
    points = ((-eye_x, eye_y), EYE, NOSE, (-mouth_x, mouth_y), MOUTH)
    return tuple((width / 2 + scale * x, height / 2 + scale * y) for x, y in points)


def alignment(points: Points, size: Size) -> Matrix:
    """Return the similarity transform of a frame's pixels to those of a result in which the face is upright.

    It turns, scales and shifts the five points of a face so that they lie as close as they can, in squared distance, to
    the `canonical_points` of the result.

    Args:
        points: Of the face, see `Face`.
        size: Of the result.

    Source: Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns"; in the
    plane, with points as complex numbers, it is a linear regression.

    >>> upright = canonical_points((64, 64))
    >>> turned = tuple((100 - 2 * y, 2 * x) for x, y in upright)  # a quarter turn, twice the size
    >>> alignment(turned, (64, 64)).round(6) + 0.0
    array([[ 0. ,  0.5,  0. ],
           [-0.5,  0. , 50. ]])
    """
    source, target = (
        np.array([complex(x, y) for x, y in each]) for each in (points, canonical_points(size))
    )
    centred = source - source.mean()
    # multiplication by a complex number turns and scales
    factor = complex(np.vdot(centred, target) / np.vdot(centred, centred))
    shift = complex(target.mean() - factor * source.mean())
    return np.array(
        [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    )


def warp(frames: Frames, matrix: Matrix, size: Size) -> Frames:
    """Transform frames, (T, H, W, C) -> (T, height, width, C); beyond the frame its border pixels are repeated.

    Frames that shrink are averaged before they are turned, so fine texture does not turn into false edges.

    Args:
        frames: (T, H, W, C) uint8.
        matrix: A similarity transform of their pixels to those of the result; the first pixel reaches from 0 to 1.
        size: Of the result.

    >>> row = np.array([10, 20, 30, 40], dtype=np.uint8).reshape(1, 1, 4, 1)
    >>> warp(row, np.array([[1.0, 0, 1], [0, 1, 0]]), (1, 6)).ravel().tolist()
    [10, 10, 20, 30, 40, 40]
    >>> warp(row, np.array([[0.5, 0, 0], [0, 0.5, 0]]), (1, 2)).ravel().tolist()
    [15, 35]
    """
    height, width = frames.shape[1:3]
    scale = min(1.0, float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))))
    reduced = max(1, round(width * scale)), max(1, round(height * scale))
    linear = matrix[:, :2] * np.divide((width, height), reduced)
    # OpenCV counts from the centre of the first pixel
    shift = matrix[:, 2] + linear @ (0.5, 0.5) - 0.5
    to_result = np.column_stack([linear, shift])
    warped = np.empty((len(frames), *size, frames.shape[3]), np.uint8)
    for frame, target in zip(frames, warped, strict=True):
        smaller = cv2.resize(frame, reduced, interpolation=cv2.INTER_AREA)
        target[:] = cv2.warpAffine(
            smaller,
            to_result,
            size[::-1],
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        ).reshape(target.shape)
    return warped


def face_pixels(frames: Frames, face: Face, size: Size, mode: Literal["crop", "align"]) -> Frames:
    """Return the pixels around a face, (T, H, W, C) -> (T, height, width, C).

    Args:
        frames: (T, H, W, C) uint8.
        face: The face of the clip.
        size: Height and width that the network's frames have before they are cropped. Aligned frames have it, cropped
            ones have its proportions only.
        mode: "crop" or "align".
    """
    if mode == "align":
        return warp(frames, alignment(face.points, size), size)
    return crop(frames, crop_area(face.box, size))


def find_detector(detector: str = "auto") -> str:
    """Return the absolute path of YuNet's file, for `FaceDetector` in this process or another.

    Args:
        detector: "yunet" or "auto" is the file that comes with emorec; anything else is the path of a YuNet file.

    Raises:
        UserError: If the file does not exist.
    """
    if detector in ("auto", "yunet"):
        from emorec.pretrained import YUNET, weights_file  # late: whole frames need no detector

        return str(weights_file(YUNET))
    path = Path(detector).expanduser().absolute()
    if not path.is_file():
        raise UserError(
            f"face detector {detector!r}: no such file; choose yunet or a file of YuNet"
        )
    return str(path)


class FaceDetector:
    """YuNet, a small convolutional network for faces of 10 to 300 pixels. Not picklable: each process opens its own.

    Args:
        path: Its ONNX file.

    Attributes:
        version: Name and digest; detections may differ between versions.

    Raises:
        UserError: When the file can't be read or is something else.

    Source: Wu, Peng & Yu 2023, "YuNet: a tiny millisecond-level face detector".
    """

    def __init__(self, path: str | Path) -> None:
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise UserError(f"face detector {path}: can't be read: {error.strerror}") from error
        self.version = f"yunet {hashlib.sha256(content).hexdigest()[:8]}"
        try:
            with silent_opencv():
                self._network = cv2.FaceDetectorYN.create(
                    "onnx",
                    np.frombuffer(content, np.uint8),
                    np.empty(0, np.uint8),
                    (YUNET_SIDE, YUNET_SIDE),
                    score_threshold=MIN_SCORE,
                )
                self(np.zeros((32, 32, 3), np.uint8))  # other networks fail only now
        except cv2.error as error:
            raise UserError(
                f"face detector {path}: not a YuNet network that OpenCV can read; name another ONNX file"
            ) from error

    def __call__(self, frame: Frames, *, refine: bool = False) -> Face | None:
        """Return the largest face of a frame; `None` without one.

        Args:
            frame: (H, W, C) uint8, RGB.
            refine: See `detect`.
        """
        faces = self.detect(frame)
        largest = max(faces, key=lambda face: face.box.width * face.box.height, default=None)
        return self._refine(frame, largest) if refine and largest else largest

    def detect(self, frame: Frames, *, refine: bool = False) -> list[Face]:
        """Return the faces of a frame with a score of at least `MIN_SCORE`, in no order.

        Args:
            frame: (H, W, C) uint8, RGB.
            refine: Detect each face once more, enlarged: the points of small faces follow a tilted head only in part.
        """
        faces = self._detect(frame)
        return [self._refine(frame, face) for face in faces] if refine else faces

    def _refine(self, frame: Frames, face: Face) -> Face:
        """The face with the points that are found in its aligned pixels; unchanged where it isn't detected there."""
        size = (POINTS_SIDE, POINTS_SIDE)
        matrix = alignment(face.points, size)
        found = self(warp(frame[None], matrix, size)[0])
        if found is None:
            return face
        inverse = cv2.invertAffineTransform(matrix)
        points = (np.array(found.points) @ inverse[:, :2].T + inverse[:, 2]).tolist()
        return replace(face, points=tuple((x, y) for x, y in points))

    def _detect(self, frame: Frames) -> list[Face]:
        small = _downsampled(frame, YUNET_SIDE)
        missing = (max(0, YUNET_MIN_SIDE - side) for side in small.shape[:2])
        padded = np.pad(small, (*((0, pixels) for pixels in missing), (0, 0)))
        height, width = padded.shape[:2]
        self._network.setInputSize((width, height))
        # OpenCV's type denies that there may be no face
        found: Any = self._network.detect(cv2.cvtColor(padded, cv2.COLOR_RGB2BGR))[1]
        if found is None:
            return []
        scale = np.divide(frame.shape[:2], small.shape[:2])[::-1]  # of x and y
        faces = np.asarray(found, np.float64)  # (N, 15): box, five points, score
        numbers = (faces[:, :14].reshape(-1, 7, 2) * scale).tolist()
        return [
            Face(Box(*corner, *size), tuple((x, y) for x, y in points), score)
            for (corner, size, *points), score in zip(numbers, faces[:, 14].tolist(), strict=True)
        ]


def _downsampled(frame: Frames, max_side: int) -> Frames:
    """(H, W, C) -> the frame with no side longer than `max_side` pixels."""
    height, width = frame.shape[:2]
    scale = min(1.0, max_side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


@contextmanager
def silent_opencv() -> Iterator[None]:
    """Silence OpenCV's log: errors are raised, and its messages would tear up a progress bar."""
    logging = cv2.utils.logging
    before = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)
