"""The face detector YuNet: its file, downloaded once, and the faces in a frame."""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np

from emorec.data.faces.boxes import Box
from emorec.data.video.reader import Frames
from emorec.errors import UserError
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
        """Return the faces of a frame with a score of at least `MIN_SCORE`, in no order.

        Args:
            frame: (H, W, C) uint8, RGB.
        """
        small = _downsampled(frame, YUNET_SIDE)
        height, width = small.shape[:2]
        self._network.setInputSize((width, height))
        # OpenCV's type denies that there may be no face
        faces: Any = self._network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
        if faces is None:
            return []
        scale_y, scale_x = np.divide(frame.shape[:2], small.shape[:2])
        boxes = np.asarray(faces, np.float64)[:, :4] * (scale_x, scale_y, scale_x, scale_y)
        return [Box(*box) for box in boxes.tolist()]


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
