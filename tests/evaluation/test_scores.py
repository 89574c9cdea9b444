"""Scores of sufficient statistics, by hand and by torchmetrics."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.regression import concordance_corrcoef, pearson_corrcoef

from emorec.evaluation.scores import accuracy, ece, macro_f1, moments, number_scores, uar


def test_classes_that_never_occur_are_in_no_mean() -> None:
    counts = np.array([[3, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert float(accuracy(counts)) == 3 / 6
    assert float(uar(counts)) == (3 / 4 + 0) / 2
    assert float(macro_f1(counts)) == pytest.approx((6 / 7 + 0 + 0) / 3)  # the third is predicted


def test_scores_of_many_tables_are_those_of_each() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (2, 3, 4, 4))
    for score in (accuracy, uar, macro_f1):
        assert score(counts).tolist() == [[float(score(each)) for each in row] for row in counts]
    bins = np.random.default_rng(0).uniform(1, 9, (2, 3, 15, 3))
    assert ece(bins).tolist() == [[float(ece(each)) for each in row] for row in bins]


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_number_scores_are_torchmetrics_but_for_its_division_by_n_minus_1(offset: float) -> None:
    rng = np.random.default_rng(0)
    true = rng.uniform(-1, 1, (20_000, 2)) + offset
    predicted = 0.5 * (true - offset) + offset + rng.normal(0.1, 0.3, true.shape)
    found = number_scores(moments(true, predicted).sum(axis=0))
    arguments = torch.from_numpy(predicted), torch.from_numpy(true)
    np.testing.assert_allclose(found["ccc"], concordance_corrcoef(*arguments), atol=1e-4)
    np.testing.assert_allclose(found["pcc"], pearson_corrcoef(*arguments), atol=1e-9)


def test_what_does_not_vary_agrees_with_nothing() -> None:
    true = np.array([[0.1, 0.2], [0.5, -0.3]])
    each = moments(true, np.full_like(true, 0.3))
    for sums in (each.sum(axis=0), 2 * each[0]):
        found = number_scores(sums)
        assert found["ccc"].tolist() == found["pcc"].tolist() == [0, 0]
