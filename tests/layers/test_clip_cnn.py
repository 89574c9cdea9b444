"""The small 3D network of the seed study of sound and sight."""

import pytest
import torch
from torch import nn

from emorec.errors import UserError
from emorec.image_size import Size
from emorec.layers.backbone import video_backbone
from emorec.layers.clip_cnn import ClipCNN
from emorec.models import CNN3D


def test_its_linear_layer_takes_as_many_numbers_as_that_of_the_study() -> None:
    network = ClipCNN(20, (60, 100))
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(21504, 256)]
    assert sum(weights.numel() for weights in network.parameters()) == 5_797_120


@pytest.mark.parametrize("num_frames", [9, 10, 16])
@pytest.mark.parametrize("size", [(45, 45), (46, 51), (60, 100), (112, 112)])
def test_it_takes_clips_of_every_size_that_is_large_enough(num_frames: int, size: Size) -> None:
    network = CNN3D(
        backbone="clip_cnn", weights="none", num_classes=3, num_frames=num_frames, image_size=size
    )
    frames = torch.zeros(2, num_frames, 3, *size, dtype=torch.uint8)
    assert network(frames).shape == (2, 3)


@pytest.mark.parametrize(("num_frames", "size"), [(8, (60, 100)), (9, (44, 100)), (9, (100, 44))])
def test_smaller_clips_are_refused_and_so_is_what_nobody_published(
    num_frames: int, size: Size
) -> None:
    clip_cnn = {"backbone": "clip_cnn", "weights": "none"}
    with pytest.raises(UserError, match="clip_cnn takes at least 9 frames of 45 x 45 pixels, not"):
        CNN3D(**clip_cnn, num_frames=num_frames, image_size=size)
    with pytest.raises(UserError, match="nobody has published weights of clip_cnn"):
        CNN3D(backbone="clip_cnn", num_frames=9, image_size=45)


def test_of_its_stages_the_last_goes_on_learning() -> None:
    network = video_backbone(
        "clip_cnn", weights="none", freeze="stages", num_frames=9, image_size=(45, 45)
    )
    learns = {name for name, weights in network.named_parameters() if weights.requires_grad}
    assert {name.rpartition(".")[0] for name in learns} == {
        "network.features.9",
        "network.linear.0",
    }
