"""Backbones: torchvision's networks without their heads, frozen in part or inflated to stacks of frames; small CNNs."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any, Literal, Self, get_args

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import mobilenetv2, mobilenetv3, regnet, resnet
from torchvision.ops import StochasticDepth, stochastic_depth
from typing_extensions import override

from emorec.errors import UserError
from emorec.image_size import Size, format_frames, format_size
from emorec.layers.pretrained import IMAGENET, load_pretrained
from emorec.text import did_you_mean

LUMA = (0.299, 0.587, 0.114)
"""Luminance weights of red, green and blue. Source: ITU-R BT.601, section 2.5.1."""


class Grey(nn.Module):
    """Convert images normalised for ImageNet to grey levels of 0 to 1, so that this network takes the same input.

    >>> from emorec.layers.pretrained import Normalize
    >>> Grey()(Normalize(IMAGENET)(torch.full((1, 3, 1, 1), 51, dtype=torch.uint8))).flatten()
    tensor([0.2000])
    """

    weights: Tensor
    black: Tensor

    def __init__(self) -> None:
        super().__init__()
        luma = torch.tensor(LUMA).view(3, 1, 1)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in IMAGENET)
        self.register_buffer("weights", luma * std, persistent=False)
        self.register_buffer("black", (luma * mean).sum(), persistent=False)

    @override
    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 1, H, W)."""
        return (images * self.weights).sum(dim=1, keepdim=True) + self.black


class FaceCNN(nn.Sequential):
    """Three convolutions over a grey face of 96 pixels, 300 features; 1,333,102 parameters.

    Source: Khorrami et al. 2016, How Deep Neural Networks Can Improve Emotion Recognition on Video Data, section 3, as
    in the authors' code of Rangulov & Fahim 2020 (arXiv 2006.11168), `simple_cnn_ccc_loss`.
    """

    image_size = 96
    num_features = 300

    def __init__(self) -> None:
        # eps and momentum are Keras' defaults, as in the original
        super().__init__(
            Grey(),  # (N, 1, 96, 96)
            nn.BatchNorm2d(1, eps=1e-3, momentum=0.01),
            nn.Conv2d(1, 64, 5, padding="same", bias=False),  # (N, 64, 96, 96)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (N, 64, 48, 48)
            nn.Conv2d(64, 128, 5, bias=False),  # (N, 128, 44, 44)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (N, 128, 22, 22)
            nn.Conv2d(128, 256, 5, bias=False),  # (N, 256, 18, 18)
            nn.ReLU(),
            nn.AvgPool2d(9),  # (N, 256, 2, 2)
            nn.Flatten(),  # (N, 1024)
            nn.Linear(1024, self.num_features),  # (N, 300)
        )
        # Keras' default initialisation: torch's starts with features a third as large
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.bias)


CLIP_CHANNELS = (3, 16, 32, 64, 128)

MIN_CLIP_SHAPE = (9, 45, 45)
"""Fewest frames, height and width that the last convolution leaves an output for."""


class ClipCNN(nn.Module):
    """Four 3D convolutions and a linear layer to 256 features; 5,797,120 parameters for 20 frames of 60 x 100.

    Args:
        num_frames: T.
        image_size: Of the frames. The last maps are flattened, not averaged, so the network is tied to this size.

    Raises:
        UserError: When the frames are too few or too small for the convolutions.

    Source: The authors' code of Singh & Fang 2020 (arXiv:2006.08129). Strides of 1, 2 and 2 of its pools are inferred
    from the 21,504 inputs of its linear layer.
    """

    num_features = 256

    def __init__(self, num_frames: int, image_size: Size) -> None:
        super().__init__()
        if any(
            side < least
            for side, least in zip((num_frames, *image_size), MIN_CLIP_SHAPE, strict=True)
        ):
            raise UserError(
                f"clip_cnn takes at least {format_frames(MIN_CLIP_SHAPE[0], MIN_CLIP_SHAPE[1:])}, not "
                f"{format_frames(num_frames, image_size)}"
            )
        layers: list[nn.Module] = []
        time, (height, width) = num_frames, image_size
        for inputs, outputs in pairwise(CLIP_CHANNELS):
            layers += [nn.Conv3d(inputs, outputs, 3), nn.ReLU()]
            time, height, width = time - 2, height - 2, width - 2
            if outputs != CLIP_CHANNELS[-1]:
                layers.append(nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2)))
                height, width = (height - 1) // 2, (width - 1) // 2
        self.features = nn.Sequential(*layers, nn.Flatten())
        flattened = CLIP_CHANNELS[-1] * time * height * width
        self.linear = nn.Sequential(nn.Linear(flattened, self.num_features), nn.ReLU())

    @override
    def forward(self, clips: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, 256)."""
        features: Tensor = self.linear(self.features(clips))
        return features


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
    stages = _stages(network)
    return stages[-max(1, len(stages) // 4)]


def _stages(network: nn.Module) -> list[nn.Module]:
    modules = dict(network.named_modules())
    container = next((modules[name] for name in _STAGE_CONTAINERS if name in modules), network)
    return [child for child in container.children() if any(True for _ in child.parameters())]


def decayed_groups(
    model: nn.Module, network: nn.Module, *, lr: float, decay: float
) -> list[dict[str, Any]]:
    """Return the trained parameters of a model in groups for an optimizer, the earlier stages with lower rates.

    Args:
        model: All of it.
        network: Part of the model. Its last stage has the learning rate lr * decay, the one before it lr * decay ** 2.
        lr: Of what follows the network's stages.
        decay: From 0 to 1.

    Source: Howard & Ruder 2018, Universal Language Model Fine-tuning, section 3.2; Clark et al. 2020, ELECTRA, table 8.

    >>> network = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    >>> model = nn.Sequential(network, nn.Linear(1, 2))
    >>> [group["lr"] for group in decayed_groups(model, network, lr=0.4, decay=0.5)]
    [0.1, 0.2, 0.4]
    """
    stages = _stages(network)
    depths = {each: depth for depth, stage in enumerate(stages) for each in stage.parameters()}
    depth = 0  # of what lies before the first stage
    for parameter in network.parameters():
        # what lies between or behind stages goes with the stage before it
        depth = depths.setdefault(parameter, depth)
    groups: list[dict[str, Any]] = [
        {"params": [], "lr": lr * decay ** (len(stages) - depth)}
        for depth in range(len(stages) + 1)
    ]
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups[depths.get(parameter, len(stages))]["params"].append(parameter)
    return [group for group in groups if group["params"]]


RESIDUAL_BRANCHES: Mapping[type[nn.Module], str] = {
    resnet.BasicBlock: "bn2",
    resnet.Bottleneck: "bn3",
    mobilenetv2.InvertedResidual: "conv",
    mobilenetv3.InvertedResidual: "block",
    regnet.ResBottleneckBlock: "f",
}
"""For each class of residual blocks, the module whose output is added to the block's input."""


def add_stochastic_depth(network: nn.Module, rate: float) -> None:
    """Make a network skip its residual blocks at random while it is trained, each image by itself.

    Args:
        network: One of torchvision.
        rate: Probability of skipping the last block; it grows linearly from 0 at the first one.

    Raises:
        UserError: When the network has no residual blocks of a known kind.

    Source: Huang et al. 2016, Deep Networks with Stochastic Depth, section 3.
    """
    blocks = [
        block
        for block in network.modules()
        if isinstance(block, (StochasticDepth, *RESIDUAL_BRANCHES))
        and getattr(block, "use_res_connect", True)
    ]
    if not blocks:
        raise UserError(
            f"model.stochastic_depth is {rate:g}, and {type(network).__name__} has no residual blocks to skip: choose 0"
        )
    for number, block in enumerate(blocks):
        probability = rate * number / max(1, len(blocks) - 1)
        if isinstance(block, StochasticDepth):
            block.p = probability
        else:
            branch = block.get_submodule(RESIDUAL_BRANCHES[type(block)])
            branch.register_forward_hook(partial(_skip_branch, probability))


def _skip_branch(probability: float, branch: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
    kept: Tensor = stochastic_depth(output, probability, "row", branch.training)
    return kept


def _is_frozen(module: nn.Module) -> bool:
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)


def subtract_onset(images: Tensor) -> Tensor:
    """Replace the frames after the first one by their difference to it: (B, T, C, H, W) of the same shape.

    It separates a person's appearance from what changes in the clip.

    Args:
        images: Normalised frames.

    >>> frames = torch.tensor([5.0, 7.0]).reshape(1, 2, 1, 1, 1)
    >>> subtract_onset(frames).flatten().tolist()
    [5.0, 2.0]
    """
    onset = images[:, :1]
    return torch.cat([onset, images[:, 1:] - onset], dim=1)


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
