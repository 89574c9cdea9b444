"""Attention over time is a weighted mean."""

import torch

from emorec.layers.attention_pool import AttentionPool


def test_it_is_the_mean_that_its_formula_says() -> None:
    torch.manual_seed(0)
    pool, moments = AttentionPool(4, hidden_size=3), torch.randn(2, 5, 4)
    first, _, second = pool.score
    scores = torch.einsum(
        "h,bth->bt",
        second.weight[0],
        torch.tanh(torch.einsum("hd,btd->bth", first.weight, moments) + first.bias),
    )
    weights = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
    expected = torch.stack(
        [sum(w * m for w, m in zip(weights[b], moments[b], strict=True)) for b in range(2)]
    )
    torch.testing.assert_close(pool(moments), expected)


def test_a_moment_that_stands_out_is_taken_alone() -> None:
    pool, moments = AttentionPool(1, hidden_size=1), torch.tensor([[[0.0], [5.0], [0.0]]])
    with torch.no_grad():
        for weights, value in ((pool.score[0].weight, 1), (pool.score[2].weight, 50)):
            weights.fill_(value)
        pool.score[0].bias.zero_()
    torch.testing.assert_close(pool(moments), torch.tensor([[5.0]]))
