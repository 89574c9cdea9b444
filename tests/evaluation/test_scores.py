"""Scores of sufficient statistics, against manual values and torchmetrics."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.regression import concordance_corrcoef, pearson_corrcoef

from emorec.evaluation.scores import accuracy, ece, macro_f1, moments, number_scores, uar


def test_absent_classes_are_excluded_from_means() -> None:
    counts = np.array([[3, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert float(accuracy(counts)) == 3 / 6
    assert float(uar(counts)) == (3 / 4 + 0) / 2
    assert float(macro_f1(counts)) == pytest.approx((6 / 7 + 0 + 0) / 3)  # the third is predicted


def test_scores_are_vectorised_over_tables() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (2, 3, 4, 4))
    for score in (accuracy, uar, macro_f1):
        assert score(counts).tolist() == [
            [float(score(statistics)) for statistics in row] for row in counts
        ]
    bins = np.random.default_rng(0).uniform(1, 9, (2, 3, 15, 3))
    assert ece(bins).tolist() == [[float(ece(statistics)) for statistics in row] for row in bins]


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_number_scores_equal_torchmetrics_up_to_its_division_by_n_minus_1(offset: float) -> None:
    rng = np.random.default_rng(0)
    true = rng.uniform(-1, 1, (20_000, 2)) + offset
    predicted = 0.5 * (true - offset) + offset + rng.normal(0.1, 0.3, true.shape)
    scores = number_scores(moments(true, predicted).sum(axis=0))
    arguments = torch.from_numpy(predicted), torch.from_numpy(true)
    np.testing.assert_allclose(scores["ccc"], concordance_corrcoef(*arguments), atol=1e-4)
    np.testing.assert_allclose(scores["pcc"], pearson_corrcoef(*arguments), atol=1e-9)


def test_constant_predictions_have_no_concordance() -> None:
    true = np.array([[0.1, 0.2], [0.5, -0.3]])
    statistics = moments(true, np.full_like(true, 0.3))
    for sums in (statistics.sum(axis=0), 2 * statistics[0]):
        scores = number_scores(sums)
        assert scores["ccc"].tolist() == scores["pcc"].tolist() == [0, 0]
