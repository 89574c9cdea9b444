"""Frozen frame features: an ImageNet backbone, HOG, or facial landmarks."""

import hashlib
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch

from emorec.baseline import FeatureKind
from emorec.data.datamodule import ClipDataModule
from emorec.data.faces import MIN_SCORE, YUNET_SIDE, FaceDetector, find_detector
from emorec.data.video.reader import Frames
from emorec.errors import UserError
from emorec.image_size import Size
from emorec.inference.runtimes import choose_device
from emorec.models import LateFusion
from emorec.models.flops import gflops_per_clip, num_parameters

Floats = npt.NDArray[np.float32]

HOG_SIDE = 128
"""Pixels that a frame is resized to."""

HOG_CELL = 16
"""Pixels a side of the cells that each have a histogram; blocks of 2 x 2 cells are normalised together."""

HOG_BINS = 9
"""Orientations, over 180 degrees."""

NUM_LANDMARK_FEATURES = 14
"""Two for each of five points, and four for the box."""


class FeatureExtractor(Protocol):
    """Frame features that need no training.

    Attributes:
        name: As shown to users.
        version: Changes whenever the features do.
        num_parameters: Of a pretrained network.
        gflops_per_clip: 1e9 multiply-adds for the frames of a clip; NaN when unknown.
    """

    name: str
    version: str
    num_parameters: int
    gflops_per_clip: float

    def __call__(self, frames: Frames) -> Floats:
        """(T, H, W, C) uint8, RGB -> (T, D) float32; a row of NaN where a frame has no features."""
        ...


def make_extractor(
    kind: FeatureKind, data: ClipDataModule, *, backbone: str, weights: str, seed: int
) -> FeatureExtractor:
    """Return the feature extractor for the frames of a data module.

    Args:
        kind: Which one.
        data: Gives the frames.
        backbone: The network's torchvision name, for "backbone".
        weights: Its weights.
        seed: Of random weights.

    Raises:
        UserError: When the network's weights or the face detector can't be loaded.
    """
    if kind == "hog":
        return HogFeatures()
    if kind == "landmarks":
        return LandmarkFeatures(data.frame_spec.face_detector)
    return BackboneFeatures(
        backbone,
        weights=weights,
        num_frames=data.frame_spec.num_frames,
        image_size=data.image_size,
        seed=seed,
    )


class BackboneFeatures:
    """D features of a frame from a frozen torchvision network without its head.

    Args:
        backbone: The image network's torchvision name.
        weights: "DEFAULT" for ImageNet's, "none" for random ones, or the path of a state dict.
        num_frames: T.
        image_size: Height and width of the frames, in pixels.
        seed: Of random weights.

    Attributes:
        name: The network's.
        version: Changes with the weights, torch and the kind of device.
        num_parameters: Of the network without its head.
        gflops_per_clip: 1e9 multiply-adds for T frames.

    Raises:
        UserError: When there is no such network, or its weights can't be loaded.
    """

    def __init__(
        self, backbone: str, *, weights: str, num_frames: int, image_size: Size, seed: int
    ) -> None:
        self.name = backbone
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                network = LateFusion(
                    backbone=backbone,
                    weights=weights,
                    freeze="all",
                    num_frames=num_frames,
                    image_size=image_size,
                )
            except UserError as error:
                raise UserError(_with_baseline_options(str(error), backbone)) from error
        self.gflops_per_clip = gflops_per_clip(network)
        self.num_parameters = num_parameters(network.backbone)
        self._device = choose_device(None)
        self.version = (
            f"{backbone} {_digest(network.backbone)} torch {torch.__version__} {self._device}"
        )
        self._network = network.to(self._device).eval()

    @torch.inference_mode()
    def __call__(self, frames: Frames) -> Floats:
        """(T, H, W, C) uint8, RGB -> (T, D)."""
        pixels = torch.from_numpy(frames).to(self._device).permute(0, 3, 1, 2)  # (T, C, H, W)
        images = self._network.normalized(pixels.unsqueeze(0)).squeeze(0)  # (T, C, H, W)
        features = self._network.backbone(images)  # (T, D)
        return np.asarray(features.float().cpu().numpy(), np.float32)


class HogFeatures:
    """Histograms of oriented gradients: 1,764 numbers a frame, 7 x 7 blocks of 2 x 2 cells with 9 orientations each.

    Attributes:
        name: "hog".
        version: Changes with the parameters and OpenCV.
        num_parameters: 0.
        gflops_per_clip: NaN.

    Source: Dalal & Triggs 2005, "Histograms of oriented gradients for human detection".
    """

    name = "hog"
    num_parameters = 0
    gflops_per_clip = float("nan")

    def __init__(self) -> None:
        self.version = f"hog {HOG_SIDE} {HOG_CELL} {HOG_BINS} opencv {cv2.__version__}"
        block = (2 * HOG_CELL, 2 * HOG_CELL)
        cell = (HOG_CELL, HOG_CELL)
        self._hog = cv2.HOGDescriptor((HOG_SIDE, HOG_SIDE), block, cell, cell, HOG_BINS)

    def __call__(self, frames: Frames) -> Floats:
        """(T, H, W, C) uint8, RGB -> (T, 1764)."""
        size = (HOG_SIDE, HOG_SIDE)
        small = (cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames)
        grey = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in small)
        return np.stack([np.ravel(self._hog.compute(frame)) for frame in grey])


class LandmarkFeatures:
    """YuNet's five points (eyes, nose, corners of the mouth) within the face's box, and the box within the image.

    Five points describe the pose of the head and how wide the mouth is, hardly more: none of emorec's dependencies
    ships a model of finer landmarks. A frame without a face is a row of NaN.

    Args:
        detector: "auto" or "yunet" for the YuNet of the package, or the path of its ONNX file.

    Attributes:
        name: "landmarks".
        version: Changes with the detector and OpenCV.
        num_parameters: 0; the detector's are not counted.
        gflops_per_clip: NaN.

    Raises:
        UserError: When YuNet can't be loaded.

    Source: Wu, Peng & Yu 2023, "YuNet: a tiny millisecond-level face detector".
    """

    name = "landmarks"
    num_parameters = 0
    gflops_per_clip = float("nan")

    def __init__(self, detector: str = "auto") -> None:
        path = find_detector(detector)
        self.version = f"landmarks 1 {FaceDetector(path).version} opencv {cv2.__version__}"
        self._detector = cv2.FaceDetectorYN.create(
            "onnx",
            np.frombuffer(Path(path).read_bytes(), np.uint8),
            np.empty(0, np.uint8),
            (YUNET_SIDE, YUNET_SIDE),
            score_threshold=MIN_SCORE,
        )

    def __call__(self, frames: Frames) -> Floats:
        """(T, H, W, C) uint8, RGB -> (T, 14)."""
        return np.stack([self._features(frame) for frame in frames])

    def _features(self, frame: Frames) -> Floats:
        height, width = frame.shape[:2]
        self._detector.setInputSize((width, height))
        _, detected = self._detector.detect(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        faces = np.atleast_2d(np.asarray(detected, np.float32))  # None, without a face, becomes NaN
        if np.isnan(faces).any():
            return np.full(NUM_LANDMARK_FEATURES, np.nan, np.float32)
        largest = faces[(faces[:, 2] * faces[:, 3]).argmax()]
        return landmarks_in_box(largest, width, height)


def landmarks_in_box(face: Floats, width: int, height: int) -> Floats:
    """Convert one of YuNet's detections to (14,): points in 0 to 1 within the box, then the box in 0 to 1 of the image.

    Args:
        face: Left, top, width and height of the box, then x and y of five points, in pixels; the rest is ignored.
        width: Of the image, in pixels.
        height: Of the image, in pixels.

    >>> face = np.array([10, 20, 40, 50, *(30, 45) * 5, 0.9], np.float32)
    >>> landmarks_in_box(face, 100, 200)[[0, 1, 8, 9, 10, 11, 12, 13]]
    array([0.5 , 0.5 , 0.5 , 0.5 , 0.1 , 0.1 , 0.4 , 0.25], dtype=float32)
    """
    box, points = face[:4], face[4:14].reshape(5, 2)
    in_box = (points - box[:2]) / box[2:]
    in_image = box / np.array([width, height, width, height])
    return np.concatenate([in_box.ravel(), in_image]).astype(np.float32)


def pool_frames(features: Floats) -> Floats:
    """(T, D) -> (2D,): the mean of each feature over the frames, then its standard deviation (of T, not of T - 1).

    Frames without features are rows of NaN and are left out; a clip that has no other frame is NaN.

    >>> pool_frames(np.array([[1, 0], [3, 0], [np.nan, np.nan]], np.float32))
    array([2., 0., 1., 0.], dtype=float32)
    """
    known = features[~np.isnan(features).any(axis=1)].astype(np.float64)
    if not len(known):
        return np.full(2 * features.shape[1], np.nan, np.float32)
    return np.concatenate([known.mean(axis=0), known.std(axis=0)]).astype(np.float32)


def _digest(network: torch.nn.Module) -> str:
    """Sixteen hexadecimal digits of all weights and running statistics."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _with_baseline_options(message: str, backbone: str) -> str:
    """Replace a network's option names in an error about its weights by those of `emorec baseline`.

    >>> _with_baseline_options("w.pth does not fit the network: 3 missing (a)", "resnet18")
    'w.pth does not fit the network: 3 missing (a); --backbone (resnet18) has to match the weights'
    """
    if "does not fit the network" in message:
        return f"{message}; --backbone ({backbone}) has to match the weights"
    return message.replace("--model.weights", "--weights")
