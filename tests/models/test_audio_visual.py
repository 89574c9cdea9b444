"""Fusion of modalities equals its formulas and ignores missing modalities."""

from typing import get_args

import pytest
import torch

from emorec.models.audio_visual import Fusion, ModalityFusion

FUSIONS = get_args(Fusion)


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
def test_features_of_a_missing_modality_are_ignored(fusion: Fusion) -> None:
    torch.manual_seed(0)
    layer, features = ModalityFusion(2, 4, fusion), torch.randn(3, 2, 4)
    present = torch.tensor([[True, False]]).expand(3, 2)
    changed = features.clone()
    changed[:, 1] = 100.0
    assert torch.equal(layer(features, present), layer(changed, present))
    empty = layer(features, torch.zeros(3, 2, dtype=torch.bool))
    assert not empty.any()
