"""The transformer over frames is the encoder of its paper, with places."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear

from emorec.errors import UserError
from emorec.layers.frame_transformer import FrameTransformer, places


def test_it_is_the_encoder_layer_worked_out_by_hand() -> None:
    torch.manual_seed(0)
    network = FrameTransformer(6, hidden_size=8, num_heads=2).eval()
    features = torch.randn(3, 5, 6)
    (layer,) = network.encoder.layers
    weights = layer.self_attn

    def normed(x: Tensor, norm: torch.nn.LayerNorm) -> Tensor:
        return layer_norm(x, (8,), norm.weight, norm.bias)

    x = network.project(features) + places(5, 8)
    query, key, value = linear(
        normed(x, layer.norm1), weights.in_proj_weight, weights.in_proj_bias
    ).chunk(3, dim=2)
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        scores = query[..., head] @ key[..., head].mT / 4**0.5
        heads.append(scores.softmax(dim=2) @ value[..., head])
    x = x + weights.out_proj(torch.cat(heads, dim=2))
    x = x + layer.linear2(gelu(layer.linear1(normed(x, layer.norm2))))
    torch.testing.assert_close(network(features), normed(x, network.encoder.norm))


def test_places_are_those_of_the_paper() -> None:
    table = places(7, 12)
    for place in range(7):
        for pair in range(6):
            angle = torch.tensor(place / 10_000 ** (2 * pair / 12))
            torch.testing.assert_close(table[place, 2 * pair], angle.sin())
            torch.testing.assert_close(table[place, 2 * pair + 1], angle.cos())


@pytest.mark.parametrize("size", [7, 10, 256])
def test_heads_that_cannot_share_the_size_are_refused_with_what_can(size: int) -> None:
    with pytest.raises(UserError, match=f"hidden_size {size} can't be shared by 3 heads.*of 6"):
        FrameTransformer(4, hidden_size=size, num_heads=3)
