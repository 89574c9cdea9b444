"""Saliency maps over frames and spectrograms, by Grad-CAM or occlusion: where a network looked or listened."""

import logging
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.transforms.functional import gaussian_blur

from emorec.errors import UserError
from emorec.explain.score import Score
from emorec.layers.spectrogram import Spectrogram

log = logging.getLogger(__name__)

Method = Literal["grad_cam", "occlusion"]
MethodChoice = Literal["auto", "grad_cam", "occlusion"]
SaliencyMap: TypeAlias = npt.NDArray[np.float32]

MIN_MAP_SIDE = 4
"""Positions along the shorter side of a layer's maps; fewer can't separate an eye from a mouth."""

NUM_SPOTS = 9
"""Occluded spots along each side of an image."""

SPOT_SHARE = 0.085
"""Standard deviation of a spot as a share of the side: its full width at half maximum is a fifth of the side."""

BLUR_SHARE = 1 / 9
"""Standard deviation of the blur as a share of the side."""


def frame_saliency(
    score: Score, inputs: Mapping[str, Tensor], method: MethodChoice
) -> tuple[SaliencyMap, Method]:
    """Return a map (T, H, W) from 0 to 1, the maximum of the clip being 1, and the method used.

    "auto" chooses Grad-CAM where the network has maps of each frame, or over time, with at least 4 positions a side,
    and occlusion elsewhere: a network that stacks its frames has one map for all of them. Grad-CAM weighs a map by the
    mean of its gradient, which is correct where the map itself is averaged, so `cam_layer` is such a layer.

    Args:
        score: What is explained.
        inputs: One clip, with frames (1, T, 3, H, W).
        method: How.

    Raises:
        UserError: When Grad-CAM is chosen and captum or a suitable layer is missing.
    """
    num_frames, _, *size = inputs["frames"].shape[1:]
    layer = score.network.cam_layer
    if layer is None or _choose_method(score, inputs, layer, method) == "occlusion":
        if method == "grad_cam":
            raise UserError(
                f"{type(score.network).__name__} has no maps that are averaged over positions, as Grad-CAM needs: "
                "choose --method occlusion"
            )
        return scale_to_one(occlude_frames(score, inputs)), "occlusion"
    maps = grad_cam(score, inputs, layer)  # (T, h, w), (1, h, w) or (1, t, h, w)
    if maps.ndim == 4:
        over_time = interpolate(maps[None], size=(num_frames, *size), mode="trilinear")
        return scale_to_one(over_time[0, 0]), "grad_cam"
    resized = interpolate(maps[:, None], size=tuple(size), mode="bilinear")[:, 0]
    return scale_to_one(resized.expand(num_frames, *size)), "grad_cam"


def spectrogram_saliency(score: Score, inputs: Mapping[str, Tensor]) -> SaliencyMap:
    """Return a map (bins, windows) from 0 to 1 over the spectrogram, by occlusion.

    The layers after the maps of an audio network distinguish positions: Grad-CAM, tried on networks trained on RAVDESS,
    highlights silence whose removal has no effect.

    Raises:
        UserError: When the network has no spectrogram layer.
    """
    return scale_to_one(occlude_spectrogram(score, inputs, find_spectrogram(score.network)))


def find_spectrogram(network: nn.Module) -> Spectrogram:
    """Return the spectrogram layer of a network.

    Raises:
        UserError: When there is none.
    """
    for layer in network.modules():
        if isinstance(layer, Spectrogram):
            return layer
    raise UserError(
        f"{type(network).__name__} has no emorec.layers.spectrogram.Spectrogram for its sound"
    )


def _choose_method(
    score: Score, inputs: Mapping[str, Tensor], layer: nn.Module, method: MethodChoice
) -> Method:
    if method == "occlusion":
        return "occlusion"
    shape = _map_shape(score, inputs, layer)
    if method == "grad_cam":
        return "grad_cam" if max(shape[-2:]) > 1 else "occlusion"
    if not localizes(shape, inputs["frames"].shape[1]):
        return "occlusion"
    if not captum_is_installed():
        _warn_once()
        return "occlusion"
    return "grad_cam"


def localizes(shape: tuple[int, ...], num_frames: int) -> bool:
    """Return whether maps (N, C, h, w) or (B, C, t, h, w) distinguish positions in each frame.

    >>> localizes((10, 512, 7, 7), 10), localizes((1, 512, 16, 16), 10), localizes((1, 512, 2, 7, 7), 10)
    (True, False, True)
    >>> localizes((10, 512, 2, 2), 10)
    False
    """
    by_frame = len(shape) == 5 or shape[:1] == (num_frames,)
    return by_frame and min(shape[-2:]) >= MIN_MAP_SIDE


def _map_shape(score: Score, inputs: Mapping[str, Tensor], layer: nn.Module) -> tuple[int, ...]:
    """Return the shape of the layer's output for a clip, (N, C, h, w) or (B, C, t, h, w)."""
    shapes: list[tuple[int, ...]] = []
    handle = layer.register_forward_hook(
        lambda _module, _inputs, output: shapes.append(tuple(output.shape))
    )
    try:
        score.of(inputs)
    finally:
        handle.remove()
    return shapes[0]


def captum_is_installed() -> bool:
    """Return whether captum, which Grad-CAM needs, is installed."""
    return find_spec("captum") is not None


@cache
def _warn_once() -> None:
    log.warning("captum is missing: occlusion instead of Grad-CAM (pip install 'emorec[explain]')")


def grad_cam(score: Score, inputs: Mapping[str, Tensor], layer: nn.Module) -> Tensor:
    """Return non-negative maps (N, h, w) of N images, or (1, t, h, w) of a clip.

    Args:
        score: What is explained.
        inputs: One clip.
        layer: The network's `cam_layer`.

    Raises:
        UserError: When captum is not installed.

    Source: Selvaraju et al. 2017, Grad-CAM, section 3.
    """
    if not captum_is_installed():
        raise UserError(
            "Grad-CAM needs captum: pip install 'emorec[explain]', or choose --method occlusion"
        )
    from captum.attr import LayerGradCam

    # a frozen network has gradients with respect to its inputs only
    leaves = tuple(
        value if value.dtype == torch.bool else value.detach().float().requires_grad_()
        for value in inputs.values()
    )
    # cuDNN has no gradient of a recurrent network in evaluation mode
    with torch.backends.cudnn.flags(enabled=False):
        maps: Any = LayerGradCam(score, layer).attribute(leaves, relu_attributions=True)
    result: Tensor = maps.detach().squeeze(1).cpu()
    return result


def occlude_frames(score: Score, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return (T, H, W): the mean drop of the score when spots over a pixel are blurred in a frame.

    Spots have soft edges and the colours of their surroundings: a grey square would add something to the image.

    Source: Zeiler & Fergus 2014, Visualizing and Understanding Convolutional Networks, section 4.2 (grey squares); Fong
    & Vedaldi 2017, Interpretable Explanations of Black Boxes by Meaningful Perturbation, section 4.1 (blur).
    """
    frames = inputs["frames"][0]  # (T, 3, H, W)
    blurred = blur(frames.float())
    spots = gaussian_spots(*frames.shape[2:]).to(frames.device)  # (N, H, W)

    def occluded() -> Iterator[Tensor]:
        for position, frame in enumerate(frames.float()):
            for spot in spots:
                variant = frames.clone()
                mixed = frame + (blurred[position] - frame) * spot
                variant[position] = mixed.round().to(frames.dtype)
                yield variant

    drops = score.of(inputs) - score.of_variants(inputs, "frames", occluded())  # (T * N,)
    return spread(drops.view(len(frames), -1), spots).cpu()  # (T, H, W)


def occlude_spectrogram(score: Score, inputs: Mapping[str, Tensor], layer: nn.Module) -> Tensor:
    """Return (bins, windows): the mean drop of the score when spots of the spectrogram are set to 0, its mean."""
    with torch.no_grad():
        spectrogram: Tensor = layer(inputs["sound"])[0]  # (1, bins, windows)
    spots = gaussian_spots(*spectrogram.shape[1:]).to(spectrogram.device)  # (N, bins, windows)
    remaining = spots

    def occlude(_: nn.Module, __: tuple[Tensor], output: Tensor) -> Tensor:
        nonlocal remaining
        batch, remaining = remaining[: len(output)], remaining[len(output) :]
        return output * (1 - batch[:, None])  # (B, 1, bins, windows)

    whole = score.of(inputs)
    handle = layer.register_forward_hook(occlude)
    try:
        scores = score.of_variants(inputs, "sound", (inputs["sound"][0] for _ in spots))
    finally:
        handle.remove()
    return spread((whole - scores)[None], spots)[0].cpu()  # (bins, windows)


def blur(frames: Tensor) -> Tensor:
    """Return frames (T, 3, H, W) float, blurred until nothing of the size of an eye remains."""
    height, width = frames.shape[2:]
    kernel = [2 * (side // 3) + 1 for side in (width, height)]
    blurred: Tensor = gaussian_blur(frames, kernel, [BLUR_SHARE * width, BLUR_SHARE * height])
    return blurred


def gaussian_spots(height: int, width: int) -> Tensor:
    """Return spots (N, H, W) from 0 to 1 that cover an image evenly, row by row.

    >>> gaussian_spots(45, 90).argmax(dim=2)[:9].amax(dim=1)  # the centres of the first row
    tensor([ 4, 14, 24, 34, 44, 54, 64, 74, 84])
    """
    down, across = _profiles(height), _profiles(width)  # (9, H), (9, W)
    return (down[:, None, :, None] * across[None, :, None, :]).flatten(0, 1)


def _profiles(length: int) -> Tensor:
    centres = (torch.arange(NUM_SPOTS) + 0.5) * length / NUM_SPOTS
    distances = (torch.arange(length) + 0.5 - centres[:, None]) / (SPOT_SHARE * length)
    return (-0.5 * distances.square()).exp()  # (9, length)


def spread(values: Tensor, spots: Tensor) -> Tensor:
    """Values (T, N) of spots (N, H, W) -> (T, H, W): their mean at each pixel, weighted by the spots.

    >>> spots = torch.tensor([[[1.0, 0.5, 0.0]], [[0.0, 0.5, 1.0]]])
    >>> spread(torch.tensor([[1.0, 3.0]]), spots)
    tensor([[[1., 2., 3.]]])
    """
    return torch.einsum("tn,nhw->thw", values, spots) / spots.sum(dim=0)


def scale_to_one(saliency: Tensor) -> SaliencyMap:
    """Clip negative values to 0 and scale the maximum to 1; zeros where nothing is above 0.

    >>> scale_to_one(torch.tensor([-1.0, 1.0, 4.0])).tolist(), scale_to_one(torch.tensor([-1.0])).tolist()
    ([0.0, 0.25, 1.0], [0.0])
    """
    positive: SaliencyMap = saliency.clamp(min=0).numpy().astype(np.float32)
    maximum = positive.max(initial=0)
    return positive / maximum if maximum > 0 else positive
