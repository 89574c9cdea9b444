"""Torchvision's own networks are the oracle."""

import pytest
import torch
import torchvision
from torch import nn

from emorec.errors import UserError
from emorec.layers.backbone import IMAGE_BACKBONES, image_backbone, video_backbone


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
def test_features_are_those_torchvision_hands_to_its_own_head(
    name: str, head: str, num_features: int
) -> None:
    whole = torchvision.models.get_model(name, weights=None).eval()
    backbone = image_backbone(name, weights="none", freeze="none", image_size=32).eval()
    body = {key: value for key, value in whole.state_dict().items() if not key.startswith(head)}
    backbone.network.load_state_dict(body)
    pictures = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        features = backbone(pictures)
        assert features.shape == (2, backbone.num_features) == (2, num_features)
        torch.testing.assert_close(whole.get_submodule(head)(features), whole(pictures))


@pytest.mark.parametrize("name", ["r3d_18", "mc3_18", "r2plus1d_18"])
def test_video_features_are_those_torchvision_hands_to_its_own_head(name: str) -> None:
    whole = torchvision.models.get_model(name, weights=None).eval()
    backbone = video_backbone(name, weights="none", freeze="none").eval()  # type: ignore[arg-type]
    backbone.network.load_state_dict(whole.state_dict(), strict=False)
    clips = torch.randn(1, 3, 4, 32, 32)
    with torch.no_grad():
        features = backbone(clips)
        assert features.shape == (1, backbone.num_features) == (1, 512)
        torch.testing.assert_close(whole.fc(features), whole(clips))


@pytest.mark.parametrize(
    "name", ["vit_b_16", "swin_t", "shufflenet_v2_x0_5", "vgg11", "mnasnet0_5"]
)
def test_other_families_give_features_too(name: str) -> None:
    with torch.device("meta"):
        backbone = image_backbone(name, weights="none", freeze="none", image_size=224)
        features = backbone(torch.zeros(2, 3, 224, 224))
    assert features.shape == (2, backbone.num_features)


def test_every_backbone_has_weights_to_download() -> None:
    assert len(IMAGE_BACKBONES) > 50
    for name in IMAGE_BACKBONES:
        assert torchvision.models.get_model_weights(name).DEFAULT.url.startswith("https://")


def test_an_unknown_name_is_answered_with_the_near_one() -> None:
    with pytest.raises(UserError, match=r"no image backbone 'resnet81' .* did you mean resnet18\?"):
        image_backbone("resnet81", weights="none", freeze="none", image_size=224)
    with pytest.raises(UserError, match=r"no image backbone 'zzz' .* take resnet18"):
        image_backbone("zzz", weights="none", freeze="none", image_size=224)
    with pytest.raises(
        UserError, match="no video backbone 'r3d': take r3d_18, mc3_18, r2plus1d_18"
    ):
        video_backbone("r3d", weights="none", freeze="none")  # type: ignore[arg-type]


def test_a_vit_refuses_other_picture_sizes_before_it_loads_anything() -> None:
    with pytest.raises(UserError, match="vit_b_16 takes pictures of 224 px alone, not 112"):
        image_backbone("vit_b_16", weights="/no/such/file", freeze="none", image_size=112)


def test_the_head_leaves_no_parameters_behind() -> None:
    backbone = image_backbone("resnet18", weights="none", freeze="none", image_size=32)
    assert isinstance(backbone.network.get_submodule("fc"), nn.Identity)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 11_176_512
