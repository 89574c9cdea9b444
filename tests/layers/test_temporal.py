"""Attention pooling and the frame transformer, against their formulas."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear

from emorec.errors import UserError
from emorec.layers.temporal import AttentionPool, FrameTransformer, positional_encoding


def test_attention_pooling_equals_its_formula() -> None:
    torch.manual_seed(0)
    pool, features = AttentionPool(4, hidden_size=3), torch.randn(2, 5, 4)
    first, _, second = pool.score
    scores = torch.einsum(
        "h,bth->bt",
        second.weight[0],
        torch.tanh(torch.einsum("hd,btd->bth", first.weight, features) + first.bias),
    )
    weights = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
    expected = torch.stack(
        [sum(w * m for w, m in zip(weights[b], features[b], strict=True)) for b in range(2)]
    )
    torch.testing.assert_close(pool(features), expected)


def test_a_dominant_frame_gets_all_the_weight() -> None:
    pool, features = AttentionPool(1, hidden_size=1), torch.tensor([[[0.0], [5.0], [0.0]]])
    with torch.no_grad():
        for weights, value in ((pool.score[0].weight, 1), (pool.score[2].weight, 50)):
            weights.fill_(value)
        pool.score[0].bias.zero_()
    torch.testing.assert_close(pool(features), torch.tensor([[5.0]]))


def test_the_transformer_equals_a_manual_encoder_layer() -> None:
    torch.manual_seed(0)
    network = FrameTransformer(6, hidden_size=8, num_heads=2).eval()
    features = torch.randn(3, 5, 6)
    (layer,) = network.encoder.layers
    weights = layer.self_attn

    def normalize(x: Tensor, norm: torch.nn.LayerNorm) -> Tensor:
        return layer_norm(x, (8,), norm.weight, norm.bias)

    x = network.project(features) + positional_encoding(5, 8)
    query, key, value = linear(
        normalize(x, layer.norm1), weights.in_proj_weight, weights.in_proj_bias
    ).chunk(3, dim=2)
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        scores = query[..., head] @ key[..., head].mT / 4**0.5
        heads.append(scores.softmax(dim=2) @ value[..., head])
    x = x + weights.out_proj(torch.cat(heads, dim=2))
    x = x + layer.linear2(gelu(layer.linear1(normalize(x, layer.norm2))))
    torch.testing.assert_close(network(features), normalize(x, network.encoder.norm))


def test_positional_encodings_are_those_of_the_paper() -> None:
    table = positional_encoding(7, 12)
    for position in range(7):
        for pair in range(6):
            angle = torch.tensor(position / 10_000 ** (2 * pair / 12))
            torch.testing.assert_close(table[position, 2 * pair], angle.sin())
            torch.testing.assert_close(table[position, 2 * pair + 1], angle.cos())


@pytest.mark.parametrize("size", [7, 10, 256])
def test_a_size_not_divisible_by_the_heads_is_refused_with_a_valid_one(size: int) -> None:
    with pytest.raises(UserError, match=f"hidden_size {size} can't be divided among 3 heads.*of 6"):
        FrameTransformer(4, hidden_size=size, num_heads=3)
