"""Torchvision's networks without their heads, frozen in part, or inflated to stacks of frames."""

from typing import Literal, Self, get_args

import torch
import torchvision
from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError
from emorec.image_size import Size, format_size
from emorec.layers.pretrained import load_pretrained
from emorec.layers.small_cnns import ClipCNN, FaceCNN
from emorec.text import did_you_mean

Freeze = Literal["none", "all", "stages"]
"""Train the whole backbone, nothing of it, or its last quarter of stages."""

_STAGE_CONTAINERS = ("features", "layers", "encoder.layers", "trunk_output")
"""Modules of torchvision's networks that hold the stages; a ResNet has them at the top level."""

Inflate = Literal["random", "mean"]
"""Initialise the new filters at random, or with the pretrained ones averaged over the frames."""

VideoBackbone = Literal["r3d_18", "mc3_18", "r2plus1d_18", "clip_cnn"]

FACE_CNN, CLIP_CNN = "face_cnn", "clip_cnn"

_EXCLUDED = ("alexnet", "densenet", "googlenet", "inception", "maxvit", "squeezenet")
"""Not offered: they need larger images, or have other heads or other keys in their published weights."""

IMAGE_BACKBONES = tuple(
    name
    for name in torchvision.models.list_models(module=torchvision.models)
    if not name.startswith(_EXCLUDED)
)
"""Torchvision's image classifiers whose head can be removed."""


CAM_LAYERS = {
    "ConvNeXt": "features",
    "EfficientNet": "features",
    "MNASNet": "layers",
    "MobileNetV2": "features",
    "MobileNetV3": "features",
    "RegNet": "trunk_output",
    "ResNet": "layer4",
    "ShuffleNetV2": "conv5",
    "SwinTransformer": "permute",  # the stages are channels-last
    "VideoResNet": "layer4",
}
"""For each class of network, the layer whose output is averaged over all positions (for Grad-CAM).

ClipCNN, FaceCNN and VGG flatten their last maps, and a VisionTransformer has none.
"""


class Backbone(nn.Module):
    """A network without its head, (N, D) features; frozen modules stay in evaluation mode.

    A frozen BatchNorm would otherwise keep updating its running statistics, away from the weights around it.

    Args:
        network: Returns (N, D) features.
        num_features: D.
        freeze: "none", "all", or "stages" for all but the last quarter (see `freeze_front`).
    """

    def __init__(self, network: nn.Module, num_features: int, freeze: Freeze) -> None:
        super().__init__()
        self.network = network
        self.num_features = num_features
        self._frozen = freeze_front(network, freeze)

    @property
    def cam_layer(self) -> nn.Module | None:
        """The layer whose maps are averaged over all positions; `None` if there is none."""
        name = CAM_LAYERS.get(type(self.network).__name__)
        return None if name is None else self.network.get_submodule(name)

    @override
    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    @override
    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W), or clips (N, 3, T, H, W) for a video backbone -> features (N, D)."""
        features: Tensor = self.network(pixels)
        return features


def image_backbone(name: str, *, weights: str, freeze: Freeze, image_size: Size) -> Backbone:
    """Return a 2D network by its torchvision name, without its head.

    Args:
        name: Such as "resnet18", "mobilenet_v2", "efficientnet_b0"; "face_cnn" is a `FaceCNN`.
        weights: "DEFAULT" for torchvision's ImageNet weights, "none", or the path of a state dict.
        freeze: "none", "all" or "stages".
        image_size: Of the images; matters to a ViT and a `FaceCNN` only.

    Raises:
        UserError: When there is no such network, it can't take images of this size, or its weights can't be loaded.
    """
    if name == FACE_CNN:
        _check_size(name, FaceCNN.image_size, image_size)
        return _small_cnn(name, FaceCNN(), weights, freeze)
    if name not in IMAGE_BACKBONES:
        raise UserError(
            f"no image backbone {name!r} in torchvision {torchvision.__version__}"
            f"{did_you_mean(name, IMAGE_BACKBONES)}: choose resnet18, mobilenet_v2, efficientnet_b0, ..."
        )
    network, head, num_features = _without_head(name)
    _check_size(name, getattr(network, "image_size", None), image_size)
    load_pretrained(network, weights, torchvision.models.get_model_weights(name).DEFAULT, head)
    return Backbone(network, num_features, freeze)


def _small_cnn(name: str, network: FaceCNN | ClipCNN, weights: str, freeze: Freeze) -> Backbone:
    if weights == "DEFAULT":
        raise UserError(f"there are no published weights of {name}: choose --model.weights none")
    load_pretrained(network, weights)
    return Backbone(network, network.num_features, freeze)


def _check_size(name: str, side: int | None, image_size: Size) -> None:
    """Refuse a size other than the one square size that a network takes."""
    if side is not None and image_size != (side, side):
        raise UserError(
            f"{name} only takes images of {format_size((side, side))} pixels, not {format_size(image_size)}: "
            f"set --data.image_size {side}"
        )


def video_backbone(
    name: VideoBackbone, *, weights: str, freeze: Freeze, num_frames: int, image_size: Size
) -> Backbone:
    """Return a 3D ResNet-18 by its torchvision name, without its head.

    Args:
        name: "r3d_18", "mc3_18" or "r2plus1d_18"; "clip_cnn" is a `ClipCNN`.
        weights: "DEFAULT" for torchvision's Kinetics-400 weights, "none", or the path of a state dict.
        freeze: "none", "all" or "stages".
        num_frames: T of the clips; matters to a `ClipCNN` only.
        image_size: Of their frames; matters to a `ClipCNN` only.

    Raises:
        UserError: When there is no such network, it can't take clips of this shape, or its weights can't be loaded.

    Source: Tran et al. 2018, A Closer Look at Spatiotemporal Convolutions for Action Recognition, table 1.
    """
    if name not in get_args(VideoBackbone):
        raise UserError(f"no video backbone {name!r}: choose {', '.join(get_args(VideoBackbone))}")
    if name == CLIP_CNN:
        return _small_cnn(name, ClipCNN(num_frames, image_size), weights, freeze)
    network, head, num_features = _without_head(name)
    load_pretrained(network, weights, torchvision.models.get_model_weights(name).DEFAULT, head)
    return Backbone(network, num_features, freeze)


def _without_head(name: str) -> tuple[nn.Module, str, int]:
    """Return the network, the name of the head that was removed (its last linear layer), and D."""
    network = torchvision.models.get_model(name, weights=None)
    linear = [
        (path, layer) for path, layer in network.named_modules() if isinstance(layer, nn.Linear)
    ]
    head, layer = linear[-1]
    network.set_submodule(head, nn.Identity())
    return network, head, layer.in_features


def freeze_front(network: nn.Module, freeze: Freeze) -> list[nn.Module]:
    """Freeze the front of a network and return the modules that are frozen entirely.

    With "stages" the last quarter of the stages stays trainable (at least one, and what follows it): `layer4` of a
    ResNet, `features[15:]` of a MobileNetV2, the last three blocks of a ViT-B.

    >>> network = nn.Sequential(*(nn.Linear(1, 1) for _ in range(4)))
    >>> [freeze_front(network, "stages").index(layer) for layer in network[:3]]
    [0, 1, 2]
    >>> [parameter.requires_grad for parameter in network[3].parameters()]
    [True, True]
    """
    parameters = list(network.parameters())
    frozen = {"none": 0, "all": len(parameters)}.get(freeze)
    if frozen is None:
        first_trained = next(_first_trained_stage(network).parameters())
        frozen = next(i for i, parameter in enumerate(parameters) if parameter is first_trained)
    for parameter in parameters[:frozen]:
        parameter.requires_grad_(False)
    return [module for module in network.modules() if _is_frozen(module)]


def _first_trained_stage(network: nn.Module) -> nn.Module:
    modules = dict(network.named_modules())
    container = next((modules[name] for name in _STAGE_CONTAINERS if name in modules), network)
    stages = [child for child in container.children() if any(True for _ in child.parameters())]
    return stages[-max(1, len(stages) // 4)]


def _is_frozen(module: nn.Module) -> bool:
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)


def inflate_frames(conv: nn.Conv2d, num_frames: int, inflate: Inflate) -> nn.Conv2d:
    """Return a convolution over T frames stacked as channels, frame after frame.

    With "mean" each frame gets the filter divided by T: a clip of equal frames gives the output of one of them.

    Args:
        conv: Takes C channels.
        num_frames: T.
        inflate: "mean", or "random" for torchvision's own initialisation (He et al.
            2015, Delving Deep into Rectifiers).

    >>> conv = inflate_frames(nn.Conv2d(3, 8, 7), num_frames=10, inflate="mean")
    >>> conv.weight.shape
    torch.Size([8, 30, 7, 7])
    """
    inflated = nn.Conv2d(
        num_frames * conv.in_channels,
        conv.out_channels,
        kernel_size=conv.kernel_size,  # type: ignore[arg-type]
        stride=conv.stride,  # type: ignore[arg-type]
        padding=conv.padding,  # type: ignore[arg-type]
        bias=conv.bias is not None,
    )
    with torch.no_grad():
        if inflate == "mean":
            inflated.weight.copy_(conv.weight.repeat(1, num_frames, 1, 1) / num_frames)
        else:
            nn.init.kaiming_normal_(inflated.weight, mode="fan_out", nonlinearity="relu")
        if inflated.bias is not None and conv.bias is not None:
            inflated.bias.copy_(conv.bias)
    return inflated
