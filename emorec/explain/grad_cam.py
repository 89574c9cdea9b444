"""Heat by gradients: the places of a network's last maps that speak for an answer; captum is imported here alone."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from emorec.errors import UserError
from emorec.explain.score import Score


def is_installed() -> bool:
    """Whether captum is there."""
    return find_spec("captum") is not None


def grad_cam(score: Score, given: Mapping[str, Tensor], layer: nn.Module) -> Tensor:
    """(N, h, w) of N pictures, or (1, t, h, w) of a clip, 0 and above: the layer's maps, each as much as it matters.

    Args:
        score: What is explained.
        given: One clip.
        layer: What the network names as `last_maps`.

    Raises:
        UserError: When captum is not installed.

    Source: Selvaraju et al. 2017, Grad-CAM, section 3.
    """
    if not is_installed():
        raise UserError(
            "Grad-CAM needs captum: pip install 'emorec[explain]', or choose --method occlusion"
        )
    from captum.attr import LayerGradCam

    # a frozen network has no gradient but that of what it is given
    inputs = tuple(
        value if value.dtype == torch.bool else value.detach().float().requires_grad_()
        for value in given.values()
    )
    # cuDNN has no gradient of a recurrent network that is not training
    with torch.backends.cudnn.flags(enabled=False):
        maps: Any = LayerGradCam(score, layer).attribute(inputs, relu_attributions=True)
    heat: Tensor = maps.detach().squeeze(1).cpu()
    return heat


def shape_of_maps(score: Score, given: Mapping[str, Tensor], layer: nn.Module) -> tuple[int, ...]:
    """(N, C, h, w) or (B, C, t, h, w): what the layer makes of a clip."""
    seen: list[tuple[int, ...]] = []
    handle = layer.register_forward_hook(lambda *said: seen.append(tuple(said[2].shape)))
    try:
        score.of(given)
    finally:
        handle.remove()
    return seen[0]
