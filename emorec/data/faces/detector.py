"""The face in a frame, found by YuNet, or by the cascade that comes with OpenCV where YuNet's file can't be had."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from emorec.data.decoding.decode import Frames
from emorec.data.faces.face import Box
from emorec.errors import UserError

HAAR = "haar"

YUNET_SIDE = 320
"""Pixels of the longer side at which YuNet looks for faces; larger frames are shrunk."""

MIN_SCORE = 0.7
"""YuNet's confidence from which on a box is a face, of 0 to 1."""

CASCADE = "haarcascade_frontalface_alt2.xml"

CASCADE_SIDE = 224
"""The same for the cascade, whose boxes are no better at 320, for nearly twice the time."""

CASCADE_MIN_SHARE = 1 / 8
"""Smallest face that the cascade looks for, as a share of the longer side."""

# What the cascade marks ends above the chin. These make of its squares, of side 1, what YuNet marks: medians over all
# spoken clips of 22 actors of RAVDESS.
_FACE_HEIGHT = 1.19
_FACE_WIDTH = 0.86
_FACE_BELOW = 0.02


class FaceDetector(Protocol):
    """Finds the face in a frame. It can't be pickled: each process opens its own (`load_detector`).

    Attributes:
        version: What it is, in a few words; other boxes come from another version.
    """

    version: str

    def __call__(self, frame: Frames) -> Box | None:
        """The largest of the faces that it is sure of.

        Args:
            frame: (H, W, C) uint8, RGB.
        """
        ...

    def all_faces(self, frame: Frames) -> list[Box]:
        """All faces that it is sure of, in no order.

        Args:
            frame: (H, W, C) uint8, RGB.
        """
        ...


def load_detector(found: str) -> FaceDetector:
    """Opens a detector.

    Args:
        found: "haar" or the path of a file of YuNet, as `find_detector` finds them.

    Raises:
        UserError: When it can't be opened.

    >>> load_detector("haar").version
    'haar opencv 4...'
    """
    return CascadeDetector() if found == HAAR else YuNetDetector(Path(found))


class YuNetDetector:
    """YuNet, a small convolutional network for faces of 10 to 300 pixels.

    Args:
        path: Its ONNX file.

    Raises:
        UserError: When it can't be read or is something else.

    Source: Wu, Peng & Yu 2023, "YuNet: a tiny millisecond-level face detector".
    """

    def __init__(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UserError(f"face detector {path}: can't be read: {error.strerror}") from error
        self.version = f"yunet {hashlib.sha256(content).hexdigest()[:8]}"
        try:
            with speechless_opencv():
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
        """The largest of the faces scored `MIN_SCORE` or more.

        Args:
            frame: (H, W, C) uint8, RGB.
        """
        return _largest(self.all_faces(frame))

    def all_faces(self, frame: Frames) -> list[Box]:
        """The faces scored `MIN_SCORE` or more.

        Args:
            frame: (H, W, C) uint8, RGB.
        """
        small = _shrunk(frame, YUNET_SIDE)
        height, width = small.shape[:2]
        self._network.setInputSize((width, height))
        _, faces = self._network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        return _boxes(faces, small, frame)


class CascadeDetector:
    """The cascade for faces seen from the front that comes with OpenCV.

    Raises:
        UserError: When this OpenCV comes without it.

    Source: Viola & Jones 2001, "Rapid object detection using a boosted cascade of simple features"; the file is
        Rainer Lienhart's.
    """

    def __init__(self) -> None:
        self.version = f"{HAAR} opencv {cv2.__version__}"
        try:
            from cv2.data import haarcascades

            description = Path(haarcascades, CASCADE).read_text(encoding="utf-8")
        except (ImportError, OSError) as error:
            raise UserError(
                "the installed OpenCV comes without its face cascade: install opencv-python-headless"
            ) from error
        # from memory, for OpenCV can't open every path on Windows
        storage = cv2.FileStorage(description, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        self._cascade = cv2.CascadeClassifier()
        self._cascade.read(storage.getFirstTopLevelNode())

    def __call__(self, frame: Frames) -> Box | None:
        """The largest of the faces, made as large as YuNet marks them.

        Args:
            frame: (H, W, C) uint8, RGB.
        """
        return _largest(self.all_faces(frame))

    def all_faces(self, frame: Frames) -> list[Box]:
        """The faces, made as large as YuNet marks them.

        Args:
            frame: (H, W, C) uint8, RGB.
        """
        small = _shrunk(frame, CASCADE_SIDE)
        least = round(CASCADE_MIN_SHARE * max(small.shape))
        grey = cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
        squares = self._cascade.detectMultiScale(grey, 1.1, 3, minSize=(least, least))
        return _boxes([_face_of(*square) for square in squares], small, frame)


def _face_of(left: float, top: float, side: float, _: float) -> tuple[float, float, float, float]:
    """Left, top, width and height of the face in a square that the cascade marks."""
    width, height = _FACE_WIDTH * side, _FACE_HEIGHT * side
    x, y = left + side / 2, top + side / 2 + _FACE_BELOW * side
    return x - width / 2, y - height / 2, width, height


def _shrunk(frame: Frames, longest: int) -> Frames:
    """(H, W, C) -> the frame with no side longer than so many pixels."""
    height, width = frame.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _boxes(faces: npt.ArrayLike | None, small: Frames, frame: Frames) -> list[Box]:
    """The boxes in a shrunk frame, in pixels of the frame; each row starts with its box."""
    if faces is None or not len(boxes := np.asarray(faces, np.float64)):
        return []
    down, across = np.divide(frame.shape[:2], small.shape[:2])
    return [Box(*(box * (across, down, across, down)).tolist()) for box in boxes[:, :4]]


def _largest(boxes: Sequence[Box]) -> Box | None:
    """The first of the largest boxes.

    >>> _largest([Box(0, 0, 3, 4), Box(9, 9, 5, 5)])
    Box(left=9, top=9, width=5, height=5)
    """
    return max(boxes, key=lambda box: box.width * box.height, default=None)


@contextmanager
def speechless_opencv() -> Iterator[None]:
    """OpenCV raises what is wrong; what it prints beside that would tear up the progress bar."""
    logging = cv2.utils.logging
    before = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)
