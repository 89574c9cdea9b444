"""Torchvision's networks without their heads: pictures or clips become features."""

from difflib import get_close_matches
from typing import Literal, Self, get_args

import torchvision
from torch import Tensor, nn
from torchvision.models import WeightsEnum
from typing_extensions import override

from emorec.errors import UserError
from emorec.image_size import Size, format_size, parse_image_size
from emorec.layers.clip_cnn import ClipCNN
from emorec.layers.face_cnn import FaceCNN
from emorec.layers.freeze import Freeze, freeze_front
from emorec.layers.pretrained import load_file, load_pretrained

VideoBackbone = Literal["r3d_18", "mc3_18", "r2plus1d_18", "clip_cnn"]

FACE_CNN, CLIP_CNN = "face_cnn", "clip_cnn"

_UNFIT = ("alexnet", "densenet", "googlenet", "inception", "maxvit", "squeezenet")
"""Not offered: smallest pictures, heads, sizes or published keys of their own."""

IMAGE_BACKBONES = tuple(
    name
    for name in torchvision.models.list_models(module=torchvision.models)
    if not name.startswith(_UNFIT)
)
"""Torchvision's image classifiers that can do without their head."""


LAST_MAPS = {
    "ConvNeXt": "features",
    "EfficientNet": "features",
    "MNASNet": "layers",
    "MobileNetV2": "features",
    "MobileNetV3": "features",
    "RegNet": "trunk_output",
    "ResNet": "layer4",
    "ShuffleNetV2": "conv5",
    "SwinTransformer": "permute",  # the stages themselves have their channels last
    "VideoResNet": "layer4",
}
"""By class of network, the layer whose output is then averaged over all places.

ClipCNN, FaceCNN and VGG keep their places apart to the end, and a VisionTransformer has none.
"""


class Backbone(nn.Module):
    """A network that gives features; what is frozen in it stays in evaluation mode.

    A frozen BatchNorm would otherwise go on to follow the training clips, and the weights around it no longer fit.

    Args:
        network: Gives (N, D) features.
        num_features: D.
        freeze: "none", "all", or "stages" for all but the last quarter (see `freeze_front`).
    """

    def __init__(self, network: nn.Module, num_features: int, freeze: Freeze) -> None:
        super().__init__()
        self.network = network
        self.num_features = num_features
        self._frozen = freeze_front(network, freeze)

    @property
    def last_maps(self) -> nn.Module | None:
        """The layer whose maps are then averaged over all places; `None` without."""
        name = LAST_MAPS.get(type(self.network).__name__)
        return None if name is None else self.network.get_submodule(name)

    @override
    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    @override
    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) normalised pictures, or (N, 3, T, H, W) clips for a video backbone -> (N, D)."""
        features: Tensor = self.network(pixels)
        return features


def image_backbone(name: str, *, weights: str, freeze: Freeze, image_size: Size) -> Backbone:
    """A 2D network by its torchvision name, whose head was taken off.

    Args:
        name: Such as "resnet18", "mobilenet_v2", "efficientnet_b0"; "face_cnn" is a `FaceCNN`.
        weights: "DEFAULT" for torchvision's ImageNet weights, "none", or the path of a state dict.
        freeze: "none", "all" or "stages".
        image_size: Of the pictures; only a ViT and a `FaceCNN` care.

    Raises:
        UserError: When there is no such network, it can't take such pictures, or its weights can't be loaded.
    """
    if name == FACE_CNN:
        return _face_cnn(weights, freeze, image_size)
    if name not in IMAGE_BACKBONES:
        near = get_close_matches(name, IMAGE_BACKBONES, n=1)
        hint = (
            f"did you mean {near[0]}?"
            if near
            else "take resnet18, mobilenet_v2, efficientnet_b0, ..."
        )
        raise UserError(
            f"no image backbone {name!r} in torchvision {torchvision.__version__}: {hint}"
        )
    network, head, num_features = _headless(name)
    _refuse_other_size(name, getattr(network, "image_size", None), image_size)
    load_pretrained(network, weights, _published(name), head)
    return Backbone(network, num_features, freeze)


def _face_cnn(weights: str, freeze: Freeze, image_size: Size) -> Backbone:
    network = FaceCNN()
    _refuse_other_size(FACE_CNN, network.image_size, image_size)
    return _unpublished(FACE_CNN, network, weights, freeze)


def _unpublished(name: str, network: FaceCNN | ClipCNN, weights: str, freeze: Freeze) -> Backbone:
    """A network of our own, whose weights are random or come from a file."""
    if weights == "DEFAULT":
        raise UserError(f"nobody has published weights of {name}: choose --model.weights none")
    load_file(network, weights)
    return Backbone(network, network.num_features, freeze)


def _refuse_other_size(name: str, side: int | None, image_size: Size) -> None:
    """Stops where a network takes squares of one size alone and pictures are of another."""
    if side is not None and image_size != parse_image_size(side):
        raise UserError(
            f"{name} takes pictures of {format_size(parse_image_size(side))} px alone, not {format_size(image_size)}"
        )


def video_backbone(
    name: VideoBackbone, *, weights: str, freeze: Freeze, num_frames: int, image_size: Size
) -> Backbone:
    """A 3D ResNet-18 by its torchvision name, whose head was taken off.

    Args:
        name: "r3d_18", "mc3_18" or "r2plus1d_18"; "clip_cnn" is a `ClipCNN`.
        weights: "DEFAULT" for torchvision's Kinetics-400 weights, "none", or the path of a state dict.
        freeze: "none", "all" or "stages".
        num_frames: T of the clips; only a `ClipCNN` cares.
        image_size: Of their frames; only a `ClipCNN` cares.

    Raises:
        UserError: When there is no such network, it can't take such clips, or its weights can't be loaded.

    Source: Tran et al. 2018, A Closer Look at Spatiotemporal Convolutions for Action Recognition, table 1.
    """
    if name not in get_args(VideoBackbone):
        raise UserError(f"no video backbone {name!r}: take {', '.join(get_args(VideoBackbone))}")
    if name == CLIP_CNN:
        return _unpublished(CLIP_CNN, ClipCNN(num_frames, image_size), weights, freeze)
    network, head, num_features = _headless(name)
    load_pretrained(network, weights, _published(name), head)
    return Backbone(network, num_features, freeze)


def _headless(name: str) -> tuple[nn.Module, str, int]:
    """The network, the name of the head that was taken off (its last linear layer), and D."""
    network = torchvision.models.get_model(name, weights=None)
    linear = [
        (path, layer) for path, layer in network.named_modules() if isinstance(layer, nn.Linear)
    ]
    head, layer = linear[-1]
    network.set_submodule(head, nn.Identity())
    return network, head, layer.in_features


def _published(name: str) -> WeightsEnum:
    published: WeightsEnum = torchvision.models.get_model_weights(name).DEFAULT
    return published
