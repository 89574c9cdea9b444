"""Frozen features of frames and sound: an ImageNet backbone, HOG, landmarks, blendshapes, embeddings, functionals."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emorec.baseline import FeatureKind
from emorec.data.audio_embedding import EmbeddingSpec
from emorec.data.datamodule import ClipDataModule
from emorec.data.functionals import FunctionalsSpec
from emorec.data.landmarks import LEFT_EYE, RIGHT_EYE, LandmarkSpec
from emorec.errors import UserError
from emorec.image_size import Size
from emorec.inference.runtimes import choose_device
from emorec.layers.geometry import align
from emorec.models import LateFusion
from emorec.models.flops import gflops_per_clip, num_parameters

Floats = npt.NDArray[np.float32]

Stream = Literal["frames", "landmarks", "embedding"]
"""The entry of a batch that features are computed from."""

Statistic = Literal["mean", "std", "max", "change"]
"""How features are pooled over frames; "change" is the last less the first."""

HOG_SIDE = 128
"""Pixels that a frame is resized to."""

HOG_CELL = 16
"""Pixels a side of the cells that each have a histogram; blocks of 2 x 2 cells are normalised together."""

HOG_BINS = 9
"""Orientations, over 180 degrees."""


class FeatureExtractor(Protocol):
    """Frame features that need no training.

    Attributes:
        name: As shown to users.
        stream: What they are computed from.
        statistics: By which they are pooled over the frames.
        version: Changes whenever the features do.
        num_parameters: Of a pretrained network.
        gflops_per_clip: 1e9 multiply-adds for the frames of a clip; NaN when unknown.
    """

    name: str
    stream: Stream
    statistics: tuple[Statistic, ...]
    version: str
    num_parameters: int
    gflops_per_clip: float

    def __call__(self, clip: Mapping[str, Tensor]) -> Floats:
        """A clip of a batch (see `emorec.data.clip.Batch`) -> (T, D) float32; NaN where a frame has no features."""
        ...


def make_extractor(
    kind: FeatureKind, data: ClipDataModule, *, backbone: str, weights: str, seed: int
) -> FeatureExtractor:
    """Return the feature extractor for the clips of a data module.

    Args:
        kind: Which one.
        data: Gives the clips.
        backbone: The network's torchvision name, for "backbone".
        weights: Its weights.
        seed: Of random weights.

    Raises:
        UserError: When the network's weights can't be loaded.
    """
    if kind == "hog":
        return HogFeatures()
    if kind == "backbone":
        return BackboneFeatures(
            backbone,
            weights=weights,
            num_frames=data.frame_spec.num_frames,
            image_size=data.image_size,
            seed=seed,
        )
    if kind in ("sound", "compare", "egemaps"):
        assert data.embedding_spec is not None
        return SoundFeatures(data.embedding_spec)
    assert data.landmark_spec is not None
    return LandmarkFeatures(data.landmark_spec, blendshapes_only=kind == "blendshapes")


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

    stream: Stream = "frames"
    statistics: tuple[Statistic, ...] = ("mean", "std", "change")

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
    def __call__(self, clip: Mapping[str, Tensor]) -> Floats:
        """Frames (T, C, H, W) uint8 -> (T, D)."""
        pixels = clip["frames"].to(self._device)
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
    stream: Stream = "frames"
    statistics: tuple[Statistic, ...] = ("mean", "std")
    num_parameters = 0
    gflops_per_clip = float("nan")

    def __init__(self) -> None:
        self.version = f"hog {HOG_SIDE} {HOG_CELL} {HOG_BINS} opencv {cv2.__version__}"
        block = (2 * HOG_CELL, 2 * HOG_CELL)
        cell = (HOG_CELL, HOG_CELL)
        self._hog = cv2.HOGDescriptor((HOG_SIDE, HOG_SIDE), block, cell, cell, HOG_BINS)

    def __call__(self, clip: Mapping[str, Tensor]) -> Floats:
        """Frames (T, C, H, W) uint8 -> (T, 1764)."""
        frames = clip["frames"].permute(0, 2, 3, 1).contiguous().numpy()  # (T, H, W, C)
        size = (HOG_SIDE, HOG_SIDE)
        small = (cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames)
        grey = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in small)
        return np.stack([np.ravel(self._hog.compute(frame)) for frame in grey])


class LandmarkFeatures:
    """Aligned landmarks and blendshapes of the face in a frame: 478 * 3 + 52 numbers, or the blendshapes alone.

    A frame without a face is a row of NaN.

    Args:
        spec: Of the landmarks.
        blendshapes_only: Leave out the landmarks.

    Attributes:
        name: "landmarks" or "blendshapes".
        version: Changes with MediaPipe's graphs and the face detector.
        num_parameters: 0; those of the graphs are not counted.
        gflops_per_clip: NaN.
    """

    stream: Stream = "landmarks"
    statistics: tuple[Statistic, ...] = ("mean", "std", "max")
    num_parameters = 0
    gflops_per_clip = float("nan")

    def __init__(self, spec: LandmarkSpec, *, blendshapes_only: bool = False) -> None:
        self.name = "blendshapes" if blendshapes_only else "landmarks"
        self.version = f"{self.name} 2 {spec.version}"
        self._blendshapes_only = blendshapes_only

    def __call__(self, clip: Mapping[str, Tensor]) -> Floats:
        """Landmarks (T, 478, 3) and blendshapes (T, 52) -> (T, D)."""
        features = clip["blendshapes"]
        if not self._blendshapes_only:
            shapes = align(clip["landmarks"], (RIGHT_EYE, LEFT_EYE)).flatten(1)  # (T, 478 * 3)
            features = torch.cat([shapes, features], dim=1)  # (T, D)
        return features.where(clip["face_present"].unsqueeze(1), torch.nan).numpy()


class SoundFeatures:
    """Embedding of the sound of a clip, pooled over its windows as other features are over frames; or functionals.

    A clip without sound has rows of NaN.

    Args:
        spec: Of the embedding or the functionals.

    Attributes:
        name: "sound", the name and layer of a speech model, or that of the set of functionals.
        statistics: One for functionals, which are pooled already.
        version: Changes with the networks of the embedding and the length of the sound, or with openSMILE.
        num_parameters: 0; those of the networks are not counted.
        gflops_per_clip: NaN.
    """

    stream: Stream = "embedding"
    num_parameters = 0
    gflops_per_clip = float("nan")

    def __init__(self, spec: EmbeddingSpec | FunctionalsSpec) -> None:
        self.version = f"sound {spec.name}"
        self.name = "sound"
        self.statistics: tuple[Statistic, ...] = ("mean", "std", "max")
        if isinstance(spec, FunctionalsSpec):
            self.name, self.statistics = spec.feature_set, ("mean",)
        elif model := spec.speech_model:
            self.name = f"{Path(model.name).name}-layer{model.layer_number(spec.layer)}"

    def __call__(self, clip: Mapping[str, Tensor]) -> Floats:
        """Embedding (S, D) -> (S, D)."""
        return clip["embedding"].where(clip["heard"], torch.nan).numpy()


def pool_frames(features: Floats, statistics: Sequence[Statistic]) -> Floats:
    """(T, D) -> (len(statistics) * D,): statistics of each feature over the frames.

    Frames without features are rows of NaN and are left out; a clip that has no other frame is NaN.

    Args:
        features: Of T frames.
        statistics: In order; "std" divides by T, not by T - 1.

    >>> pool_frames(np.array([[1, 0], [3, 0], [np.nan, np.nan]], np.float32), ["mean", "std", "max", "change"])
    array([2., 0., 1., 0., 3., 0., 2., 0.], dtype=float32)
    """
    known = features[~np.isnan(features).any(axis=1)].astype(np.float64)
    if not len(known):
        return np.full(len(statistics) * features.shape[1], np.nan, np.float32)
    pool: dict[str, Callable[..., Any]] = {
        "mean": np.mean,
        "std": np.std,
        "max": np.max,
        "change": lambda rows, axis: rows.take(-1, axis) - rows.take(0, axis),
    }
    return np.concatenate([pool[name](known, axis=0) for name in statistics]).astype(np.float32)


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
