"""The figures are those of scikit-learn, and of hand-made tables where it has none."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from emorec.evaluation.metrics import summarize
from emorec.evaluation.predictions import Predictions


def predictions_of(target: list[int], predicted: list[int], num_classes: int) -> Predictions:
    logits = 3.0 * torch.eye(num_classes)[predicted]
    return Predictions(torch.arange(len(target)), torch.tensor(target), logits)


def random_predictions(
    seed: int, *, num_clips: int, classes: range, num_classes: int
) -> Predictions:
    """Truth drawn from some of the classes only; logits that favour it a little, of any class."""
    draw = np.random.default_rng(seed)
    target = draw.choice(np.array(classes), num_clips)
    logits = draw.normal(0, 2, (num_clips, num_classes))
    logits[np.arange(num_clips), target] += 1
    logits[:, num_classes - 1] -= 20 * (seed % 2)  # every other time nobody says the last class
    return Predictions(torch.arange(num_clips), torch.tensor(target), torch.tensor(logits).float())


def calibration_error_by_hand(confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    """Guo et al. 2017, equation 3: sum over bins of share times |accuracy - confidence|."""
    edges = np.linspace(0, 1, bins + 1)
    error = 0.0
    for number in range(bins):
        last = number == bins - 1
        here = (confidence >= edges[number]) & ((confidence < edges[number + 1]) | last)
        if here.any():
            error += here.mean() * abs(right[here].mean() - confidence[here].mean())
    return error


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("num_clips", "classes", "num_classes"),
    [
        pytest.param(240, range(8), 8, id="all eight classes"),
        pytest.param(60, range(6), 8, id="two classes never occur"),
        pytest.param(40, range(2, 3), 8, id="one class alone occurs"),
        pytest.param(30, range(2), 2, id="two classes"),
        pytest.param(1, range(3), 3, id="one clip"),
    ],
)
def test_the_figures_are_scikit_learns(
    seed: int, num_clips: int, classes: range, num_classes: int
) -> None:
    predictions = random_predictions(
        seed, num_clips=num_clips, classes=classes, num_classes=num_classes
    )
    truth, said = predictions.target.numpy(), predictions.predicted.numpy()
    labels = np.arange(num_classes)
    summary = summarize(predictions)
    table = sk.precision_recall_fscore_support(truth, said, labels=labels, zero_division=0)
    precision, recall, f1, support = table
    matrix = sk.confusion_matrix(truth, said, labels=labels)
    assert summary.num_clips == num_clips
    assert summary.accuracy == pytest.approx(sk.accuracy_score(truth, said))
    assert summary.uar == pytest.approx(recall[np.unique(truth)].mean())
    assert summary.macro_f1 == pytest.approx(
        sk.f1_score(truth, said, average="macro", zero_division=0)
    )
    assert summary.confusion_matrix.tolist() == matrix.tolist()
    assert [scores.precision for scores in summary.per_class] == pytest.approx(precision.tolist())
    assert [scores.recall for scores in summary.per_class] == pytest.approx(recall.tolist())
    assert [scores.f1 for scores in summary.per_class] == pytest.approx(f1.tolist())
    assert [scores.support for scores in summary.per_class] == support.tolist()
    assert [scores.accuracy for scores in summary.per_class] == pytest.approx(
        [sk.accuracy_score(truth == label, said == label) for label in labels]
    )
    assert summary.loss == pytest.approx(
        sk.log_loss(truth, predictions.logits.double().softmax(dim=1).numpy(), labels=labels),
        rel=1e-5,
    )
    assert summary.ece == pytest.approx(
        calibration_error_by_hand(predictions.confidence.numpy(), truth == said, 15), abs=1e-6
    )


def test_uar_is_scikit_learns_balanced_accuracy_when_every_said_class_occurs() -> None:
    predictions = random_predictions(2, num_clips=200, classes=range(8), num_classes=8)
    expected = sk.balanced_accuracy_score(predictions.target, predictions.predicted)
    assert summarize(predictions).uar == pytest.approx(expected)


def test_a_hand_made_table_has_its_figures() -> None:
    summary = summarize(predictions_of([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0], num_classes=3))
    assert summary.accuracy == pytest.approx(4 / 6)
    assert summary.uar == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert summary.macro_f1 == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert summary.confusion_matrix.tolist() == [[3, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert summary.per_class[0].accuracy == pytest.approx(4 / 6)
    absent = summary.per_class[2]
    assert absent.accuracy == 1
    assert absent.precision == absent.recall == absent.support == 0


def test_a_class_that_is_said_but_never_occurs_costs_f1_and_no_recall() -> None:
    summary = summarize(predictions_of([0, 0, 0, 0], [0, 0, 0, 1], num_classes=3))
    assert summary.uar == pytest.approx(3 / 4)
    assert summary.macro_f1 == pytest.approx((6 / 7 + 0) / 2)


def test_saying_one_class_always_has_chance_uar_whatever_the_imbalance() -> None:
    summary = summarize(predictions_of([0] * 97 + [1, 2, 3], [0] * 100, num_classes=4))
    assert summary.accuracy == pytest.approx(0.97)
    assert summary.uar == pytest.approx(1 / 4)


def test_logits_between_0_and_1_are_still_logits() -> None:
    target = torch.tensor([0, 1])
    summary = summarize(
        Predictions(torch.arange(2), target, torch.tensor([[0.9, 0.1], [0.2, 0.8]]))
    )
    confidence = np.array([1 / (1 + math.exp(-0.8)), 1 / (1 + math.exp(-0.6))])
    expected = calibration_error_by_hand(confidence, np.array([True, True]), 15)
    assert summary.ece == pytest.approx(expected, abs=1e-6)


def test_certainty_shares_the_last_bin() -> None:
    logits = torch.tensor([[1000.0, 0.0], [1000.0, 0.0], [3.0, 0.0]])
    predictions = Predictions(torch.arange(3), torch.tensor([0, 1, 0]), logits)
    right = np.array([True, False, True])
    expected = calibration_error_by_hand(predictions.confidence.numpy(), right, 15)
    assert summarize(predictions).ece == pytest.approx(expected, abs=1e-6)


def test_a_network_that_has_diverged_is_summarized_and_its_loss_is_no_number() -> None:
    logits = torch.full((4, 3), math.nan)
    summary = summarize(Predictions(torch.arange(4), torch.tensor([0, 1, 2, 0]), logits))
    assert math.isnan(summary.loss)


@pytest.mark.parametrize(
    ("target", "complaint"), [([], "no predictions"), ([0, -1], "truth is not known")]
)
def test_what_has_no_truth_has_no_figures(target: list[int], complaint: str) -> None:
    truth = torch.tensor(target, dtype=torch.int64)
    with pytest.raises(ValueError, match=complaint):
        summarize(Predictions(torch.arange(len(target)), truth, torch.zeros(len(target), 3)))
