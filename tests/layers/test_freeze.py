"""What is frozen stays as it is."""

import pytest
import torch
from torch import Tensor, nn

from emorec.layers.backbone import Backbone, image_backbone, video_backbone
from emorec.layers.freeze import Freeze


def resnet(freeze: Freeze) -> Backbone:
    return image_backbone("resnet18", weights="none", freeze=freeze, image_size=(32, 32))


def trained(backbone: Backbone) -> set[str]:
    return {
        name for name, parameter in backbone.network.named_parameters() if parameter.requires_grad
    }


def train_once(backbone: Backbone) -> None:
    """A step that moves every weight that may move."""
    weights = [parameter for parameter in backbone.parameters() if parameter.requires_grad]
    backbone.train()
    loss = backbone(torch.randn(4, 3, 32, 32)).square().mean()
    if weights:
        loss.backward()
        torch.optim.SGD(weights, lr=1.0).step()


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def test_none_trains_everything() -> None:
    backbone = resnet("none")
    before = state(backbone)
    train_once(backbone)
    assert not any(torch.equal(before[name], now) for name, now in state(backbone).items())


def test_all_changes_nothing_and_keeps_no_graph() -> None:
    backbone = resnet("all")
    before = state(backbone)
    train_once(backbone)
    assert all(torch.equal(before[name], now) for name, now in state(backbone).items())
    assert not backbone(torch.randn(1, 3, 32, 32)).requires_grad
    assert not any(module.training for module in backbone.network.modules())


def test_stages_trains_the_last_stage_alone_with_its_batch_statistics() -> None:
    backbone = resnet("stages")
    before = state(backbone)
    train_once(backbone)
    changed = {name for name, now in state(backbone).items() if not torch.equal(before[name], now)}
    assert changed == {name for name in before if name.startswith("network.layer4.")}


def test_frozen_parts_stay_in_evaluation_mode_whoever_asks() -> None:
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
def test_the_last_quarter_of_the_stages_begins_where_it_should(name: str, first: str) -> None:
    backbone = image_backbone(name, weights="none", freeze="stages", image_size=(224, 224))
    learns = [parameter.requires_grad for parameter in backbone.network.parameters()]
    names = [name for name, _ in backbone.network.named_parameters()]
    begin = names.index(first)
    assert learns == [False] * begin + [True] * (len(names) - begin)


def test_a_video_backbone_is_frozen_alike() -> None:
    backbone = video_backbone(
        "r3d_18", weights="none", freeze="stages", num_frames=9, image_size=(64, 64)
    )
    assert {name.split(".")[0] for name in trained(backbone)} == {"layer4"}
