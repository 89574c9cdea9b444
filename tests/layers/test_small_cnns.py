"""Small CNNs have the layers of the authors' code."""

import pytest
import torch
from torch import nn

from emorec.errors import UserError
from emorec.image_size import Size
from emorec.layers.backbone import image_backbone, video_backbone
from emorec.layers.normalize import IMAGENET, Normalize
from emorec.layers.small_cnns import ClipCNN, FaceCNN, Grey
from emorec.models import CNN3D
from emorec.models.face import FrameSequence, RecurrentStack

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
