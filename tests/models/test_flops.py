"""Multiply-adds, against closed forms and the tables of weights in torchvision's documentation."""

import pytest
import torch

from emorec.models import CNN3D, CNNLSTM, EarlyFusionCNN, LateFusion
from emorec.models.flops import gflops_per_clip


@pytest.mark.parametrize(
    ("backbone", "published", "num_features"),
    [("resnet18", 1.814, 512), ("mobilenet_v2", 0.301, 1280)],
)
def test_the_flops_of_a_frame_are_those_of_torchvision_s_backbone(
    backbone: str, published: float, num_features: int
) -> None:
    network = LateFusion(backbone=backbone, weights="none", num_frames=1)
    heads = num_features * (1000 - 8) / 1e9
    assert gflops_per_clip(network) + heads == pytest.approx(published, abs=0.0006)


def test_the_flops_of_a_clip_are_those_of_torchvision_s_video_network() -> None:
    network = CNN3D(weights="none", num_frames=16, image_size=112)
    assert gflops_per_clip(network) == pytest.approx(40.697, abs=0.001)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_flops_of_the_lstm_are_counted(bidirectional: bool) -> None:
    network = CNNLSTM(weights="none", num_frames=4, bidirectional=bidirectional)
    directions = 2 if bidirectional else 1
    frames = 4 * gflops_per_clip(LateFusion(weights="none", num_frames=1, num_classes=1))
    lstm = directions * 4 * 4 * 256 * (512 + 256) - 4 * 512 + directions * 256 * 8
    assert gflops_per_clip(network) == pytest.approx(frames + lstm / 1e9, rel=1e-9)


def test_the_flops_of_the_plain_network_are_those_of_its_layers() -> None:
    layers = 9 * (30 * 64 * 112**2 + 56**2 * (64 * 128 + 128 * 256 + 256 * 512))
    linear = 512 * 1024 + 1024 * 8
    assert gflops_per_clip(EarlyFusionCNN()) == pytest.approx((layers + linear) / 1e9, rel=1e-9)


def test_counting_does_not_change_the_network() -> None:
    network = CNNLSTM(weights="none", num_frames=2, image_size=32, freeze="stages").train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    gflops_per_clip(network)
    assert modes == [module.training for module in network.modules()]
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}
