"""Senses are put together as the formulas say, and one that is missing changes nothing."""

from typing import get_args

import pytest
import torch

from emorec.layers.fusion import Fusion, ModalityFusion

FUSIONS = get_args(Fusion)


def test_side_by_side_is_side_by_side() -> None:
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
    one = layer(features, torch.tensor([[False, True]]).expand(5, 2))
    torch.testing.assert_close(one, features[:, 1])


def test_gates_are_sigmoids_of_all_senses() -> None:
    torch.manual_seed(0)
    layer, features = ModalityFusion(2, 3, "gated"), torch.randn(5, 2, 3)
    gates = torch.sigmoid(features.flatten(1) @ layer.gate.weight.T + layer.gate.bias)
    expected = gates[:, :3] * features[:, 0] + gates[:, 3:] * features[:, 1]
    torch.testing.assert_close(layer(features, torch.ones(5, 2, dtype=torch.bool)), expected)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_what_a_missing_sense_says_does_not_matter(fusion: Fusion) -> None:
    torch.manual_seed(0)
    layer, features = ModalityFusion(2, 4, fusion), torch.randn(3, 2, 4)
    there = torch.tensor([[True, False]]).expand(3, 2)
    other = features.clone()
    other[:, 1] = 100.0
    assert torch.equal(layer(features, there), layer(other, there))
    nothing = layer(features, torch.zeros(3, 2, dtype=torch.bool))
    assert not nothing.any()
