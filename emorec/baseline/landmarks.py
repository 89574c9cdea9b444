"""Where eyes, nose and the corners of the mouth are: the five points that YuNet marks."""

from pathlib import Path

import cv2
import numpy as np

from emorec.baseline.pooling import Floats
from emorec.data.decoding.decode import Frames
from emorec.data.faces.detector import HAAR, MIN_SCORE, YUNET_SIDE, load_detector
from emorec.data.faces.detector_file import find_detector
from emorec.errors import UserError

NUM_FEATURES = 14
"""Two for each of five points, and four of the box."""


class LandmarkFeatures:
    """14 numbers a frame: the five points within the face's box, and the box within the picture.

    Five points say how the head is held and how wide the mouth is, hardly more: no package that emorec needs brings a
    model of finer landmarks. A frame without a face is a row of NaN.

    Args:
        detector: "auto" or "yunet" for YuNet, downloaded once, or its file.

    Attributes:
        name: "landmarks".
        version: What the features depend on.
        num_parameters: 0, for what YuNet has learnt is not counted.
        gflops_per_clip: Not known.

    Raises:
        UserError: When YuNet can't be had, or the cascade was chosen, which marks no points.

    Source: Wu, Peng & Yu 2023, "YuNet: a tiny millisecond-level face detector".
    """

    name = "landmarks"
    num_parameters = 0
    gflops_per_clip = float("nan")

    def __init__(self, detector: str = "auto") -> None:
        if detector == HAAR:
            raise UserError(
                "data.face_detector is haar, which marks no landmarks: choose yunet or a file of it"
            )
        path = find_detector("yunet" if detector == "auto" else detector)
        self.version = f"landmarks 1 {load_detector(path).version} opencv {cv2.__version__}"
        self._network = cv2.FaceDetectorYN.create(
            "onnx",
            np.frombuffer(Path(path).read_bytes(), np.uint8),
            np.empty(0, np.uint8),
            (YUNET_SIDE, YUNET_SIDE),
            score_threshold=MIN_SCORE,
        )

    def __call__(self, frames: Frames) -> Floats:
        """(T, H, W, C) uint8, RGB -> (T, 14)."""
        return np.stack([self._of(frame) for frame in frames])

    def _of(self, frame: Frames) -> Floats:
        height, width = frame.shape[:2]
        self._network.setInputSize((width, height))
        _, found = self._network.detect(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        faces = np.atleast_2d(np.asarray(found, np.float32))  # None, where there is none, is NaN
        if np.isnan(faces).any():
            return np.full(NUM_FEATURES, np.nan, np.float32)
        return within_box(faces[(faces[:, 2] * faces[:, 3]).argmax()], width, height)


def within_box(face: Floats, width: int, height: int) -> Floats:
    """One of YuNet's faces -> (14,): points from 0 to 1 within the box, then the box as shares of the picture.

    Args:
        face: Left, top, width and height of the box and x and y of five points, in pixels; what follows is not read.
        width: Of the picture.
        height: Of the picture.

    >>> face = np.array([10, 20, 40, 50, *(30, 45) * 5, 0.9], np.float32)
    >>> within_box(face, 100, 200)[[0, 1, 8, 9, 10, 11, 12, 13]]
    array([0.5 , 0.5 , 0.5 , 0.5 , 0.1 , 0.1 , 0.4 , 0.25], dtype=float32)
    """
    box, points = face[:4], face[4:14].reshape(5, 2)
    placed = (points - box[:2]) / box[2:]
    shares = box / np.array([width, height, width, height])
    return np.concatenate([placed.ravel(), shares]).astype(np.float32)
