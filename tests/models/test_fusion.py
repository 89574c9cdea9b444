"""Fusion of modalities equals its formulas and ignores missing modalities."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from emorec.errors import UserError
from emorec.models import AudioCNN, Fusion, LateFusion
from emorec.models.fusion import FeatureFusion, ModalityFusion

FUSIONS = get_args(FeatureFusion)


def test_concat_concatenates_features() -> None:
    features = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    layer = ModalityFusion(2, 2, "concat")
    assert layer.num_features == 4
    assert layer(features, torch.tensor([[True, True]])).tolist() == [[1, 2, 3, 4]]
    assert layer(features, torch.tensor([[True, False]])).tolist() == [[1, 2, 0, 0]]


def test_attention_is_a_mean_weighted_by_scores() -> None:
    torch.manual_seed(0)
    layer, features = ModalityFusion(2, 3, "attention"), torch.randn(5, 2, 3)
    first, second = layer.score(features)[..., 0].unbind(dim=1)
    weight = torch.sigmoid(first - second)[:, None]  # the softmax of two
    expected = weight * features[:, 0] + (1 - weight) * features[:, 1]
    torch.testing.assert_close(layer(features, torch.ones(5, 2, dtype=torch.bool)), expected)
    single = layer(features, torch.tensor([[False, True]]).expand(5, 2))
    torch.testing.assert_close(single, features[:, 1])


def test_gates_are_sigmoids_of_all_modalities() -> None:
    torch.manual_seed(0)
    layer, features = ModalityFusion(2, 3, "gated"), torch.randn(5, 2, 3)
    gates = torch.sigmoid(features.flatten(1) @ layer.gate.weight.T + layer.gate.bias)
    expected = gates[:, :3] * features[:, 0] + gates[:, 3:] * features[:, 1]
    torch.testing.assert_close(layer(features, torch.ones(5, 2, dtype=torch.bool)), expected)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_features_of_a_missing_modality_are_ignored(fusion: FeatureFusion) -> None:
    torch.manual_seed(0)
    layer, features = ModalityFusion(2, 4, fusion), torch.randn(3, 2, 4)
    present = torch.tensor([[True, False]]).expand(3, 2)
    changed = features.clone()
    changed[:, 1] = 100.0
    assert torch.equal(layer(features, present), layer(changed, present))
    empty = layer(features, torch.zeros(3, 2, dtype=torch.bool))
    assert not empty.any()


NETWORKS = {
    "face": {
        "class_path": "emorec.models.LateFusion",
        "init_args": {"weights": "none", "backbone": "mobilenet_v2"},
    },
    "voice": {"class_path": "emorec.models.AudioCNN", "init_args": {"label_smoothing": 0.1}},
}
FRAMES = {"num_frames": 2, "image_size": 32}


@pytest.fixture
def batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "frames": torch.randint(0, 256, (3, 2, 3, 32, 32), dtype=torch.uint8, generator=generator),
        "sound": torch.randn(3, 48_000, generator=generator) * 0.1,
        "heard": torch.tensor([True, False, True]),
        "label": torch.tensor([0, 1, 2]),
    }


def fusion(**arguments: object) -> Fusion:
    torch.manual_seed(0)
    return Fusion(networks=NETWORKS, **FRAMES, **arguments)  # type: ignore[arg-type]


def test_log_mean_is_the_mean_of_the_log_probabilities_of_the_networks_that_have_input(
    batch: dict[str, Tensor],
) -> None:
    model = fusion().eval()
    assert model.inputs == ("frames", "sound", "heard")
    face, voice = model.networks
    assert isinstance(face, LateFusion)
    assert isinstance(voice, AudioCNN)
    expected = face(batch["frames"]).softmax(dim=1)
    both = (expected * voice(batch["sound"]).softmax(dim=1)).sqrt()
    expected[[0, 2]] = (both / both.sum(dim=1, keepdim=True))[[0, 2]]  # the second is silent
    probabilities = model.output(batch).softmax(dim=1)
    torch.testing.assert_close(probabilities, expected)
    model.ablate("sound")
    torch.testing.assert_close(model.output(batch), face(batch["frames"]).log_softmax(dim=1))


def test_log_mean_trains_each_network_by_its_own_loss(batch: dict[str, Tensor]) -> None:
    model = fusion().eval()
    _, loss = model.training_loss(batch)
    face, voice = model.networks
    heard = {name: values[[0, 2]] for name, values in batch.items()}
    alone = [face.training_loss(batch)[1], voice.training_loss(heard)[1]]
    torch.testing.assert_close(loss, sum(alone))
    assert voice.label_smoothing == 0.1
    of_voice = [each for each in voice.parameters() if each.requires_grad]
    together, separate = (torch.autograd.grad(each, of_voice) for each in (loss, alone[1]))
    for one, other in zip(together, separate, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("name", "words"), [("smell", "face or voice or frames or sound"), ("", "face or voice")]
)
def test_what_can_be_left_out_is_told(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        fusion().ablate(name)


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        ({"face": NETWORKS["face"]}, "1 networks"),
        ({"log": NETWORKS["face"], "b": NETWORKS["voice"]}, "'log'"),
        ({"a": {"class_path": "torch.nn.Linear"}, "b": NETWORKS["voice"]}, "torch.nn.Linear"),
        ({"a": {}, "b": NETWORKS["voice"]}, "network a is {}"),
        ({"dropout": NETWORKS["face"], "b": NETWORKS["voice"]}, "'dropout', which is taken"),
        ({"a": {**NETWORKS["voice"], "init_args": {"lr": 1}}, "b": {}}, "set --model.lr instead"),
    ],
)
def test_networks_that_can_not_be_joined_are_told(networks: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Fusion(networks=networks, **FRAMES)  # type: ignore[arg-type]
