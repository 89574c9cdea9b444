"""Backbones against torchvision's networks, small CNNs against the layers of the authors' code."""

from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from emorec.errors import UserError
from emorec.image_size import Size
from emorec.layers.backbone import (
    IMAGE_BACKBONES,
    Backbone,
    ClipCNN,
    FaceCNN,
    Freeze,
    Grey,
    add_stochastic_depth,
    image_backbone,
    inflate_frames,
    video_backbone,
)
from emorec.layers.pretrained import IMAGENET, Normalize
from emorec.models import CNN3D
from emorec.models.face import FrameSequence, RecurrentStack

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


TABLE = {
    "BatchNorm2d": 2 * 1,
    "Conv2d 1": 5 * 5 * 1 * 64,
    "Conv2d 2": 5 * 5 * 64 * 128,
    "Conv2d 3": 5 * 5 * 128 * 256,
    "Linear": 2 * 2 * 256 * 300 + 300,
}
SHAPES = [
    (1, 96, 96),
    (1, 96, 96),
    (64, 96, 96),
    (64, 96, 96),
    (64, 48, 48),
    (128, 44, 44),
    (128, 44, 44),
    (128, 22, 22),
    (256, 18, 18),
    (256, 18, 18),
    (256, 2, 2),
    (1024,),
    (300,),
]


def test_every_layer_has_the_parameters_of_the_table() -> None:
    layers = [layer for layer in FaceCNN() if any(True for _ in layer.parameters())]
    counted = [sum(weights.numel() for weights in layer.parameters()) for layer in layers]
    assert counted == list(TABLE.values())
    assert sum(counted) == 1_333_102


def test_every_layer_has_the_documented_shape() -> None:
    pictures, shapes = torch.zeros(2, 3, 96, 96), []
    for layer in FaceCNN().eval():
        pictures = layer(pictures)
        shapes.append(tuple(pictures.shape[1:]))
    assert shapes == SHAPES


def test_grey_conversion_equals_opencv() -> None:
    import cv2

    pictures = torch.randint(0, 256, (2, 8, 8, 3), dtype=torch.uint8)
    grey = Grey()(Normalize(IMAGENET)(pictures.permute(0, 3, 1, 2)))
    for picture, own in zip(pictures.numpy(), grey, strict=True):
        expected = torch.from_numpy(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)) / 255
        torch.testing.assert_close(own[0], expected, atol=0.6 / 255, rtol=0)


@pytest.mark.parametrize(
    ("image_size", "weights"),
    [((112, 112), "none"), ((96, 112), "none"), ((96, 96), "DEFAULT")],
)
def test_unsupported_sizes_and_weights_are_refused(image_size: Size, weights: str) -> None:
    with pytest.raises(UserError, match=r"96 x 96 pixels, not (112|96) x 112|no published weights"):
        image_backbone("face_cnn", weights=weights, freeze="none", image_size=image_size)


def test_weights_round_trip_through_a_file(tmp_path) -> None:
    saved = FaceCNN()
    torch.save(saved.state_dict(), tmp_path / "face.pt")
    loaded = image_backbone(
        "face_cnn", weights=str(tmp_path / "face.pt"), freeze="all", image_size=(96, 96)
    )
    assert torch.equal(loaded.network[2].weight, saved[2].weight)  # type: ignore[index]
    assert not any(weights.requires_grad for weights in loaded.parameters())


def test_a_gru_of_three_layers_is_three_stacked_grus() -> None:
    recurrent = RecurrentStack(300, "gru", (100, 100, 50))
    # torch has two biases per gate
    expected = sum(3 * h * (d + h + 2) for d, h in [(300, 100), (100, 100), (100, 50)])
    assert sum(weights.numel() for weights in recurrent.parameters()) == expected
    features = torch.randn(2, 7, 300)
    by_hand = features
    for layer in recurrent.layers:
        by_hand = layer(by_hand)[0]
    assert torch.equal(recurrent(features), by_hand[:, -1])


def test_without_recurrent_layers_only_the_last_frame_is_used() -> None:
    features = torch.randn(2, 7, 30)
    assert torch.equal(RecurrentStack(30, "none", (5,))(features), features[:, -1])


@pytest.mark.parametrize(("kind", "layer"), [("gru", nn.GRU), ("lstm", nn.LSTM), ("rnn", nn.RNN)])
def test_each_rnn_is_torch_s(kind, layer) -> None:
    assert [type(each) for each in RecurrentStack(8, kind, (4,)).layers] == [layer]


@pytest.mark.parametrize("sizes", [(), (10, 0)])
def test_invalid_sizes_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"hidden_sizes"):
        RecurrentStack(8, "gru", sizes)


def sequence(backbone: str) -> FrameSequence:
    return FrameSequence(
        2,
        backbone=backbone,
        weights="none",
        freeze="none",
        image_size=(96, 96),
        num_features=300,
        rnn="gru",
        hidden_sizes=(10,),
        dropout=0.0,
    )


def test_frame_features_and_frames_give_the_same_output() -> None:
    whole, top = sequence("face_cnn").eval(), sequence("none").eval()
    top.load_state_dict(
        {name: tensor for name, tensor in whole.state_dict().items() if "backbone" not in name}
    )
    frames = torch.randn(2, 3, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(top(whole.frame_features(frames)), whole(frames))


@pytest.mark.parametrize(
    ("backbone", "clips", "message"),
    [
        ("none", torch.zeros(1, 2, 3, 96, 96), "emorec features CKPT"),
        ("face_cnn", torch.zeros(1, 2, 300), "--model.backbone none"),
        ("none", torch.zeros(1, 2, 512), "--model.num_features 512"),
    ],
)
def test_frames_and_features_in_place_of_each_other_are_refused(
    backbone: str, clips: torch.Tensor, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        sequence(backbone)(clips)


def test_the_linear_layer_has_the_input_size_of_the_paper() -> None:
    network = ClipCNN(20, (60, 100))
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(21504, 256)]
    assert sum(weights.numel() for weights in network.parameters()) == 5_797_120


@pytest.mark.parametrize("num_frames", [9, 10, 16])
@pytest.mark.parametrize("size", [(45, 45), (46, 51), (60, 100), (112, 112)])
def test_clips_of_any_sufficient_size_are_accepted(num_frames: int, size: Size) -> None:
    network = CNN3D(
        backbone="clip_cnn", weights="none", num_classes=3, num_frames=num_frames, image_size=size
    )
    frames = torch.zeros(2, num_frames, 3, *size, dtype=torch.uint8)
    assert network(frames).shape == (2, 3)


@pytest.mark.parametrize(("num_frames", "size"), [(8, (60, 100)), (9, (44, 100)), (9, (100, 44))])
def test_too_small_clips_and_unpublished_weights_are_refused(num_frames: int, size: Size) -> None:
    clip_cnn = {"backbone": "clip_cnn", "weights": "none"}
    with pytest.raises(UserError, match="clip_cnn takes at least 9 frames of 45 x 45 pixels, not"):
        CNN3D(**clip_cnn, num_frames=num_frames, image_size=size)
    with pytest.raises(UserError, match="no published weights of clip_cnn"):
        CNN3D(backbone="clip_cnn", num_frames=9, image_size=45)


def test_freeze_stages_trains_the_last_stage() -> None:
    network = video_backbone(
        "clip_cnn", weights="none", freeze="stages", num_frames=9, image_size=(45, 45)
    )
    learns = {name for name, weights in network.named_parameters() if weights.requires_grad}
    assert {name.rpartition(".")[0] for name in learns} == {
        "network.features.9",
        "network.linear.0",
    }


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "efficientnet_b0"])
def test_blocks_are_skipped_in_training_only(name: str) -> None:
    torch.manual_seed(0)
    network = torchvision.models.get_model(name)
    images = torch.randn(4, 3, 32, 32)
    plain = network.eval()(images)
    add_stochastic_depth(network, 0.9)
    assert torch.equal(network(images), plain)
    keys = network.state_dict().keys()
    assert keys == torchvision.models.get_model(name).state_dict().keys()
    outputs = {float(network.train()(images).detach().sum()) for _ in range(4)}
    assert len(outputs) == 4


def test_a_skipped_block_returns_its_input() -> None:
    torch.manual_seed(0)
    network = torchvision.models.resnet18()
    add_stochastic_depth(network, 0.5)
    block = network.layer4[1].train()
    images = torch.rand(64, 512, 1, 1)
    unchanged = (block(images) == images).flatten(1).all(dim=1)
    assert 16 < int(unchanged.sum()) < 48
    first = network.layer1[0].train()
    features = torch.rand(8, 64, 2, 2)
    assert not (first(features) == features).flatten(1).all(dim=1).any()
