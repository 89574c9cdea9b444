"""Where a network looked: a map of 0 to 1 over each frame, and over the spectrogram of a clip that is heard."""

import logging
from collections.abc import Mapping
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn
from torch.nn.functional import interpolate

from emorec.errors import UserError
from emorec.explain.grad_cam import grad_cam, is_installed, shape_of_maps
from emorec.explain.occlusion import occlude_frames, occlude_spectrogram
from emorec.explain.score import Score
from emorec.layers.spectrogram import Spectrogram

log = logging.getLogger(__name__)

Method = Literal["grad_cam", "occlusion"]
Asked = Literal["auto", "grad_cam", "occlusion"]
Map: TypeAlias = npt.NDArray[np.float32]

FEWEST_PLACES = 4
"""Along the shorter side of a layer's maps: fewer tell no eye from a mouth."""


def frame_heat(score: Score, given: Mapping[str, Tensor], asked: Asked) -> tuple[Map, Method]:
    """(T, H, W) from 0 to 1, the hottest place of the clip being 1, and how it was found.

    "auto" takes Grad-CAM where the network has maps of each frame, or over time, with at least 4 places a side. One
    that stacks its frames has one map for all: in which of them it saw something only occlusion tells. Grad-CAM weighs
    a map by the mean of its gradient, which is right where the map itself is averaged, so `last_maps` names no others.

    Args:
        score: What is explained.
        given: One clip, frames (1, T, 3, H, W) among it.
        asked: How.

    Raises:
        UserError: When Grad-CAM is asked for and captum or a layer with places is missing.
    """
    num_frames, _, *size = given["frames"].shape[1:]
    layer = score.network.last_maps
    if layer is None or _chosen(score, given, layer, asked) == "occlusion":
        if asked == "grad_cam":
            raise UserError(
                f"{type(score.network).__name__} has no maps that are averaged over places, which Grad-CAM is for: "
                "choose --method occlusion"
            )
        return scaled(occlude_frames(score, given)), "occlusion"
    maps = grad_cam(score, given, layer)  # (T, h, w), (1, h, w) or (1, t, h, w)
    if maps.ndim == 4:
        over_time = interpolate(maps[None], size=(num_frames, *size), mode="trilinear")
        return scaled(over_time[0, 0]), "grad_cam"
    larger = interpolate(maps[:, None], size=tuple(size), mode="bilinear")[:, 0]
    return scaled(larger.expand(num_frames, *size)), "grad_cam"


def sound_heat(score: Score, given: Mapping[str, Tensor]) -> Map:
    """(bins, windows) from 0 to 1 over the spectrogram, by occlusion.

    What follows its maps reads them place by place: Grad-CAM, tried on networks trained on RAVDESS, pointed at the
    silence behind the words, which can be taken away without any effect.

    Raises:
        UserError: When the network makes no spectrogram.
    """
    return scaled(occlude_spectrogram(score, given, spectrogram_of(score.network)))


def spectrogram_of(network: nn.Module) -> Spectrogram:
    """The layer that makes a picture of what is heard.

    Raises:
        UserError: When there is none.
    """
    for layer in network.modules():
        if isinstance(layer, Spectrogram):
            return layer
    raise UserError(
        f"{type(network).__name__} makes no emorec.layers.spectrogram.Spectrogram of its sound"
    )


def _chosen(score: Score, given: Mapping[str, Tensor], layer: nn.Module, asked: Asked) -> Method:
    if asked == "occlusion":
        return "occlusion"
    shape = shape_of_maps(score, given, layer)
    if asked == "grad_cam":
        return "grad_cam" if max(shape[-2:]) > 1 else "occlusion"
    if not fits(shape, given["frames"].shape[1]):
        return "occlusion"
    if not is_installed():
        _tell_once()
        return "occlusion"
    return "grad_cam"


def fits(shape: tuple[int, ...], num_frames: int) -> bool:
    """Whether maps (N, C, h, w) or (B, C, t, h, w) tell places in each of so many frames.

    >>> fits((10, 512, 7, 7), 10), fits((1, 512, 16, 16), 10), fits((1, 512, 2, 7, 7), 10), fits((10, 512, 2, 2), 10)
    (True, False, True, False)
    """
    own = len(shape) == 5 or shape[:1] == (num_frames,)
    return own and min(shape[-2:]) >= FEWEST_PLACES


def scaled(heat: Tensor) -> Map:
    """What is below 0 becomes 0, the highest 1; zeros where nothing is above 0.

    >>> import torch
    >>> scaled(torch.tensor([-1.0, 1.0, 4.0])).tolist(), scaled(torch.tensor([-1.0])).tolist()
    ([0.0, 0.25, 1.0], [0.0])
    """
    above: Map = heat.clamp(min=0).numpy().astype(np.float32)
    highest = above.max(initial=0)
    return above / highest if highest > 0 else above


@cache
def _tell_once() -> None:
    log.warning("captum is missing: occlusion instead of Grad-CAM (pip install 'emorec[explain]')")
