"""Backbones against torchvision's networks."""

from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from emorec.errors import UserError
from emorec.layers.backbone import (
    IMAGE_BACKBONES,
    Backbone,
    Freeze,
    image_backbone,
    inflate_frames,
    video_backbone,
)

CLIPS: dict[str, Any] = {"num_frames": 9, "image_size": (64, 64)}


@pytest.mark.parametrize(
    ("name", "head", "num_features"),
    [
        ("resnet18", "fc", 512),
        ("resnet50", "fc", 2048),
        ("mobilenet_v2", "classifier.1", 1280),
        ("efficientnet_b0", "classifier.1", 1280),
        ("convnext_tiny", "classifier.2", 768),
    ],
)
def test_features_equal_the_inputs_of_torchvision_s_head(
    name: str, head: str, num_features: int
) -> None:
    reference = torchvision.models.get_model(name, weights=None).eval()
    backbone = image_backbone(name, weights="none", freeze="none", image_size=(32, 32)).eval()
    body = {key: value for key, value in reference.state_dict().items() if not key.startswith(head)}
    backbone.network.load_state_dict(body)
    pictures = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        features = backbone(pictures)
        assert features.shape == (2, backbone.num_features) == (2, num_features)
        torch.testing.assert_close(reference.get_submodule(head)(features), reference(pictures))


@pytest.mark.parametrize("name", ["r3d_18", "mc3_18", "r2plus1d_18"])
def test_video_features_equal_the_inputs_of_torchvision_s_head(name: str) -> None:
    reference = torchvision.models.get_model(name, weights=None).eval()
    backbone = video_backbone(name, weights="none", freeze="none", **CLIPS).eval()  # type: ignore[arg-type]
    backbone.network.load_state_dict(reference.state_dict(), strict=False)
    clips = torch.randn(1, 3, 4, 32, 32)
    with torch.no_grad():
        features = backbone(clips)
        assert features.shape == (1, backbone.num_features) == (1, 512)
        torch.testing.assert_close(reference.fc(features), reference(clips))


@pytest.mark.parametrize(
    "name", ["vit_b_16", "swin_t", "shufflenet_v2_x0_5", "vgg11", "mnasnet0_5"]
)
def test_other_families_return_features(name: str) -> None:
    with torch.device("meta"):
        backbone = image_backbone(name, weights="none", freeze="none", image_size=(224, 224))
        features = backbone(torch.zeros(2, 3, 224, 224))
    assert features.shape == (2, backbone.num_features)


def test_every_backbone_has_published_weights() -> None:
    assert len(IMAGE_BACKBONES) > 50
    for name in IMAGE_BACKBONES:
        assert torchvision.models.get_model_weights(name).DEFAULT.url.startswith("https://")


def test_an_unknown_name_is_refused_with_the_closest_one() -> None:
    with pytest.raises(
        UserError, match=r"no image backbone 'resnet81' .*did you mean resnet18\?\)"
    ):
        image_backbone("resnet81", weights="none", freeze="none", image_size=(224, 224))
    with pytest.raises(UserError, match=r"no image backbone 'zzz' in .*: choose resnet18"):
        image_backbone("zzz", weights="none", freeze="none", image_size=(224, 224))
    with pytest.raises(
        UserError, match="no video backbone 'r3d': choose r3d_18, mc3_18, r2plus1d_18, clip_cnn"
    ):
        video_backbone("r3d", weights="none", freeze="none", **CLIPS)  # type: ignore[arg-type]


def test_a_vit_refuses_other_image_sizes_before_loading_weights() -> None:
    with pytest.raises(
        UserError, match="vit_b_16 only takes images of 224 x 224 pixels, not 112 x 112"
    ):
        image_backbone("vit_b_16", weights="/no/such/file", freeze="none", image_size=(112, 112))


def test_the_head_is_removed_with_its_parameters() -> None:
    backbone = image_backbone("resnet18", weights="none", freeze="none", image_size=(32, 32))
    assert isinstance(backbone.network.get_submodule("fc"), nn.Identity)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 11_176_512


AVERAGED = {
    "ConvNeXt": "convnext_tiny",
    "EfficientNet": "efficientnet_b0",
    "MNASNet": "mnasnet0_5",
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3": "mobilenet_v3_small",
    "RegNet": "regnet_y_400mf",
    "ResNet": "resnet18",
    "ShuffleNetV2": "shufflenet_v2_x0_5",
    "SwinTransformer": "swin_t",
    "VideoResNet": "r3d_18",
}


@pytest.mark.parametrize("name", AVERAGED.values())
def test_features_do_not_depend_on_positions_in_the_cam_layer(name: str) -> None:
    torch.manual_seed(0)
    if name == "r3d_18":
        backbone = video_backbone(name, weights="none", freeze="none", **CLIPS)
        pixels = torch.randn(1, 3, 9, 64, 64)
    else:
        backbone = image_backbone(name, weights="none", freeze="none", image_size=(128, 128))
        pixels = torch.randn(1, 3, 128, 128)
    layer = backbone.eval().cam_layer
    assert layer is not None
    shapes = []

    def flip(_: nn.Module, __: Any, maps: torch.Tensor) -> torch.Tensor:
        shapes.append(maps.shape[2:])
        return maps.flip(*range(2, maps.ndim))

    with torch.no_grad():
        features = backbone(pixels)
        layer.register_forward_hook(flip)
        difference = (backbone(pixels) - features).abs().max()
    assert difference <= 1e-4 * features.abs().max()
    assert features.abs().max() > 0
    assert min(shapes[0][-2:]) >= 4


def test_every_family_has_a_cam_layer_or_is_known_to_have_none() -> None:
    kinds = {
        torchvision.models.get_model_builder(name).__annotations__["return"].__name__
        for name in IMAGE_BACKBONES
    }
    assert kinds | {"VideoResNet"} == AVERAGED.keys() | {"VGG", "VisionTransformer"}
    vgg = image_backbone("vgg11", weights="none", freeze="none", image_size=(64, 64))
    assert vgg.cam_layer is None


def resnet(freeze: Freeze) -> Backbone:
    return image_backbone("resnet18", weights="none", freeze=freeze, image_size=(32, 32))


def trained(backbone: Backbone) -> set[str]:
    return {
        name for name, parameter in backbone.network.named_parameters() if parameter.requires_grad
    }


def train_once(backbone: Backbone) -> None:
    """One optimizer step on all trainable weights."""
    weights = [parameter for parameter in backbone.parameters() if parameter.requires_grad]
    backbone.train()
    loss = backbone(torch.randn(4, 3, 32, 32)).square().mean()
    if weights:
        loss.backward()
        torch.optim.SGD(weights, lr=1.0).step()


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def test_freeze_none_trains_everything() -> None:
    backbone = resnet("none")
    before = state(backbone)
    train_once(backbone)
    assert not any(torch.equal(before[name], now) for name, now in state(backbone).items())


def test_freeze_all_changes_nothing_and_builds_no_graph() -> None:
    backbone = resnet("all")
    before = state(backbone)
    train_once(backbone)
    assert all(torch.equal(before[name], now) for name, now in state(backbone).items())
    assert not backbone(torch.randn(1, 3, 32, 32)).requires_grad
    assert not any(module.training for module in backbone.network.modules())


def test_freeze_stages_trains_only_the_last_stage_and_its_batch_statistics() -> None:
    backbone = resnet("stages")
    before = state(backbone)
    train_once(backbone)
    changed = {name for name, now in state(backbone).items() if not torch.equal(before[name], now)}
    assert changed == {name for name in before if name.startswith("network.layer4.")}


def test_frozen_parts_stay_in_evaluation_mode() -> None:
    model = nn.Sequential(resnet("stages"))
    model.eval().train()
    network = model[0].network
    assert not network.bn1.training
    assert not any(module.training for module in network.layer3.modules())
    assert all(module.training for module in network.layer4.modules())
    model.eval()
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("resnet50", "layer4.0.conv1.weight"),
        ("mobilenet_v2", "features.15.conv.0.0.weight"),
        ("efficientnet_b0", "features.7.0.block.0.0.weight"),
        ("convnext_tiny", "features.6.0.weight"),
        ("regnet_x_400mf", "trunk_output.block4.block4-0.proj.0.weight"),
        ("vit_b_16", "encoder.layers.encoder_layer_9.ln_1.weight"),
    ],
)
def test_freeze_stages_begins_at_the_expected_stage(name: str, first: str) -> None:
    backbone = image_backbone(name, weights="none", freeze="stages", image_size=(224, 224))
    learns = [parameter.requires_grad for parameter in backbone.network.parameters()]
    names = [name for name, _ in backbone.network.named_parameters()]
    begin = names.index(first)
    assert learns == [False] * begin + [True] * (len(names) - begin)


def test_a_video_backbone_is_frozen_the_same_way() -> None:
    backbone = video_backbone(
        "r3d_18", weights="none", freeze="stages", num_frames=9, image_size=(64, 64)
    )
    assert {name.split(".")[0] for name in trained(backbone)} == {"layer4"}


@pytest.fixture
def conv() -> nn.Conv2d:
    return nn.Conv2d(3, 8, kernel_size=7, stride=2, padding=3)


@pytest.mark.parametrize("num_frames", [1, 2, 10])
def test_an_inflated_filter_of_a_still_clip_equals_that_of_the_image(
    conv: nn.Conv2d, num_frames: int
) -> None:
    picture = torch.randn(2, 3, 20, 24)
    still = picture.repeat(1, num_frames, 1, 1)
    inflated = inflate_frames(conv, num_frames, "mean")
    torch.testing.assert_close(inflated(still), conv(picture))


def test_each_frame_has_the_scaled_filters_of_the_image(conv: nn.Conv2d) -> None:
    inflated = inflate_frames(conv, 4, "mean")
    for frame in range(4):
        of_frame = inflated.weight[:, 3 * frame : 3 * frame + 3]
        torch.testing.assert_close(4 * of_frame, conv.weight)


def test_random_filters_differ_between_frames_with_the_variance_of_a_resnet() -> None:
    inflated = inflate_frames(nn.Conv2d(3, 64, 7, bias=False), 10, "random")
    assert not torch.equal(inflated.weight[:, :3], inflated.weight[:, 3:6])
    assert inflated.weight.std().item() == pytest.approx((2 / (64 * 7 * 7)) ** 0.5, rel=0.02)
    assert inflated.bias is None
