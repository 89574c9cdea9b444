"""The temperature is the one that other minimisers find, and it never changes what is predicted."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from emorec.errors import UserError
from emorec.evaluation.calibration import (
    HIGHEST,
    LOWEST,
    Calibration,
    calibrated,
    fit_temperature,
)
from emorec.evaluation.scores import CALIBRATION_BINS
from emorec.evaluation.metrics import summarize
from emorec.evaluation.predictions import Predictions

NUM_CLASSES = 8


def drawn(num_clips: int, *, temperature: float, scale: float = 2.0, seed: int = 0) -> Predictions:
    """Logits whose truth was drawn from their own probabilities at a temperature."""
    draw = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(num_clips, NUM_CLASSES, generator=draw)
    truth = (logits / temperature).softmax(dim=1).multinomial(1, generator=draw)[:, 0]
    return Predictions(torch.arange(num_clips), truth, logits)


def made(truth: list[int], logits: list[list[float]]) -> Predictions:
    return Predictions(torch.arange(len(truth)), torch.tensor(truth), torch.tensor(logits))


def loss(predictions: Predictions, temperature: float) -> float:
    """By scikit-learn."""
    probabilities = (predictions.logits.double() / temperature).softmax(dim=1)
    truth = predictions.target.numpy()
    return float(log_loss(truth, probabilities.numpy(), labels=range(predictions.num_classes)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("planted", [0.4, 1.0, 3.0, 9.0])
def test_the_temperature_is_the_one_that_scipy_finds(planted: float, seed: int) -> None:
    few = drawn(120, temperature=planted, seed=seed)
    found = minimize_scalar(
        lambda log: loss(few, math.exp(log)),
        bounds=(math.log(LOWEST), math.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert fit_temperature(few) == pytest.approx(math.exp(found.x), rel=1e-4)
    assert loss(few, fit_temperature(few)) <= found.fun + 1e-12


@pytest.mark.parametrize("planted", [0.4, 1.0, 3.0, 9.0])
def test_a_planted_temperature_is_found_again(planted: float) -> None:
    # 20,000 clips: the error of the estimate is about a hundredth of it
    many = drawn(20_000, temperature=planted, scale=2.0 * planted)
    assert fit_temperature(many) == pytest.approx(planted, rel=0.03)


def test_unsure_networks_become_surer_and_sure_ones_less_sure() -> None:
    assert fit_temperature(drawn(500, temperature=0.5)) < 1
    assert fit_temperature(drawn(500, temperature=4.0)) > 1


@pytest.mark.parametrize("gap", [0.01, 1.0, 40.0, 1000.0])
def test_a_network_that_never_errs_does_not_become_certain_of_everything(gap: float) -> None:
    never_errs = made([0, 1, 0], [[gap, 0.0], [0.0, gap], [gap, 0.0]])
    assert fit_temperature(never_errs) == pytest.approx(LOWEST, rel=1e-9)


@pytest.mark.parametrize("gap", [0.01, 1.0, 40.0, 1000.0])
def test_a_network_that_is_always_wrong_ends_as_undecided_as_may_be(gap: float) -> None:
    always_wrong = made([0, 1], [[0.0, gap], [gap, 0.0]])
    assert fit_temperature(always_wrong) == pytest.approx(HIGHEST, rel=1e-9)


def test_what_is_predicted_and_how_much_is_right_never_changes() -> None:
    predictions = drawn(2000, temperature=3.0)
    for temperature in (LOWEST, 0.7, 1.0, 1.7, HIGHEST):
        after = calibrated(predictions, temperature)
        assert torch.equal(after.predicted, predictions.predicted)
        before, now = summarize(predictions), summarize(after)
        assert (before.accuracy, before.uar, before.macro_f1) == (
            now.accuracy,
            now.uar,
            now.macro_f1,
        )


@pytest.mark.parametrize("highest", [1.0, 3.3, -7.1, 1000.1])
def test_logits_a_hair_apart_stay_apart(highest: float) -> None:
    below = float(np.nextafter(np.float32(highest), np.float32(-np.inf)))
    close = made([0], [[below, highest, below]])
    for temperature in np.linspace(LOWEST, 5, 200):
        assert calibrated(close, float(temperature)).predicted.tolist() == [1]


def test_its_calibration_error_is_that_of_a_hand_computation() -> None:
    predictions = drawn(400, temperature=4.0, scale=6.0)
    temperature = fit_temperature(predictions)
    calibration = Calibration.of(predictions, temperature)
    probabilities = (predictions.logits.double() / temperature).softmax(dim=1).numpy()
    confidence, said = probabilities.max(axis=1), probabilities.argmax(axis=1)
    right = said == predictions.target.numpy()
    bins = np.ceil(confidence * CALIBRATION_BINS).astype(int)
    error = sum(
        abs(right[bins == each].mean() - confidence[bins == each].mean()) * (bins == each).mean()
        for each in set(bins.tolist())
    )
    assert calibration.ece == pytest.approx(error, abs=1e-6)
    assert calibration.ece < summarize(predictions).ece / 2
    assert calibration.temperature == temperature


def test_a_temperature_helps_clips_that_it_was_not_fitted_to() -> None:
    validation, test = (drawn(240, temperature=4.0, scale=6.0, seed=seed) for seed in (1, 2))
    assert loss(test, fit_temperature(validation)) < loss(test, 1.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_diverged_network_has_no_temperature(bad: float) -> None:
    with pytest.raises(UserError, match="not finite: no temperature"):
        fit_temperature(made([0, 1], [[1.0, bad], [0.0, 1.0]]))


def test_a_temperature_needs_clips_whose_truth_is_known() -> None:
    none = Predictions(*(torch.zeros(0, dtype=torch.int64),) * 2, torch.zeros(0, 3))
    for useless in (none, made([0, -1], [[1.0, 0.0], [0.0, 1.0]])):
        with pytest.raises(ValueError, match="whose truth is known"):
            fit_temperature(useless)
