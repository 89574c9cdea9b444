"""Faces: the detector YuNet and its file, downloaded once; the face box of a clip, the area around it, and the crop.

All frames of a clip share one area: a box that followed the face from frame to frame would remove its motion.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np

from emorec.data.video.reader import Frames
from emorec.errors import UserError
from emorec.image_size import CROP_SHARE, Size
from emorec.io import disk_errors, sha256

log = logging.getLogger(__name__)

FILE_VARIABLE = "EMOREC_FACE_DETECTOR"
"""Environment variable that names a YuNet file to use instead of the released one."""

# Source: the Git LFS pointer of models/face_detection_yunet/face_detection_yunet_2023mar.onnx in OpenCV Zoo, MIT
# licence. Its raw.githubusercontent.com address gives that pointer only; the second address is OpenCV's own mirror.
YUNET_NAME = "face_detection_yunet_2023mar.onnx"
YUNET_BYTES = 232_589
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
YUNET_URLS = (
    f"https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/{YUNET_NAME}",
    f"https://huggingface.co/opencv/face_detection_yunet/resolve/3cc26e7f1014a5ee5d74a42acee58bafc9d0a310/{YUNET_NAME}",
)

YUNET_SIDE = 320
"""Longer side in pixels at which YuNet detects faces; larger frames are downsampled."""

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
    points: tuple[tuple[float, float], ...]
    score: float


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


def find_detector(detector: str = "auto") -> str:
    """Return the absolute path of YuNet's file, for `FaceDetector` in this process or another.

    Args:
        detector: "yunet" or "auto" is the file that `EMOREC_FACE_DETECTOR` names, by default the released one, which is
            downloaded into the cache folder once; anything else is the path of a YuNet file.

    Raises:
        UserError: When the file is missing, is no YuNet network, or can't be downloaded.
    """
    if detector not in ("auto", "yunet"):
        return _checked(detector, f"face detector {detector!r}", "choose yunet or a file of YuNet")
    if named := os.environ.get(FILE_VARIABLE):
        return _checked(
            named, f"{FILE_VARIABLE} is {named!r}", "name a file of YuNet or unset the variable"
        )
    from emorec.data.cache.store import cache_folder

    target = (cache_folder() / "models" / YUNET_NAME).absolute()
    if not (target.is_file() and sha256(target) == YUNET_SHA256):
        _download(target)
    return str(target)


def _checked(name: str, description: str, remedy: str) -> str:
    """The absolute path of a user's file, opened once as a check."""
    path = Path(name).expanduser().absolute()
    if not path.is_file():
        raise UserError(f"{description}: no such file; {remedy}")
    FaceDetector(path)
    return str(path)


def _download(target: Path) -> None:
    """Download YuNet from the first address that serves it."""
    # late: the network libraries take long to import
    from filelock import FileLock

    from emorec.data.download.http import RemoteFile, download

    reasons = []
    with disk_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            for url in YUNET_URLS:
                remote = RemoteFile("YuNet", url, YUNET_BYTES, f"sha256:{YUNET_SHA256}")
                try:
                    download(remote, target, retries=0)
                except UserError as error:
                    reasons.append(f"{urlsplit(url).hostname}: {error}")
                else:
                    log.info("downloaded the face detector YuNet to %s", target)
                    return
    raise UserError(
        f"no face detector: download {YUNET_URLS[0]} to {target}, or name the file in {FILE_VARIABLE} "
        f"({'; '.join(reasons)})"
    )


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

    def __call__(self, frame: Frames) -> Box | None:
        """Return the largest face of a frame; `None` without one.

        Args:
            frame: (H, W, C) uint8, RGB.
        """
        return max(self.all_faces(frame), key=lambda box: box.width * box.height, default=None)

    def all_faces(self, frame: Frames) -> list[Box]:
        """Return the boxes of the faces of a frame, see `detect`."""
        return [face.box for face in self.detect(frame)]

    def detect(self, frame: Frames) -> list[Face]:
        """Return the faces of a frame with a score of at least `MIN_SCORE`, in no order.

        Args:
            frame: (H, W, C) uint8, RGB.
        """
        small = _downsampled(frame, YUNET_SIDE)
        height, width = small.shape[:2]
        self._network.setInputSize((width, height))
        # OpenCV's type denies that there may be no face
        found: Any = self._network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
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
