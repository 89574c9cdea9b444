"""The temperature agrees with scipy's minimiser and never changes the predicted class."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.metrics import log_loss

from emorec.errors import UserError
from emorec.evaluation.calibration import HIGHEST, LOWEST, calibrate, fit_temperature
from tests.evaluation.simulated import EIGHT

Clips = tuple[NDArray[np.int64], NDArray[np.float64]]


def sample_clips(num_clips: int, *, temperature: float, scale: float = 2.0, seed: int = 0) -> Clips:
    """Sample labels from the softmax of logits at a temperature."""
    draw = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(num_clips, 8, generator=draw)
    truth = (logits / temperature).softmax(dim=1).multinomial(1, generator=draw)[:, 0]
    return truth.numpy(), logits.numpy()


def loss(clips: Clips, temperature: float) -> float:
    truth, logits = clips
    probabilities = softmax(logits.astype(np.float64) / temperature, axis=1)
    return float(log_loss(truth, probabilities, labels=range(8)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("planted", [0.4, 1.0, 3.0, 9.0])
def test_the_temperature_equals_scipys_minimum(planted: float, seed: int) -> None:
    few = sample_clips(120, temperature=planted, seed=seed)
    expected = minimize_scalar(
        lambda log: loss(few, math.exp(log)),
        bounds=(math.log(LOWEST), math.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    temperature = fit_temperature(*few)
    assert temperature == pytest.approx(math.exp(expected.x), rel=1e-4)
    assert loss(few, temperature) <= expected.fun + 1e-12


@pytest.mark.parametrize("planted", [0.4, 1.0, 3.0, 9.0])
def test_a_planted_temperature_is_recovered(planted: float) -> None:
    # 20,000 clips: the error of the estimate is about a hundredth of it
    many = sample_clips(20_000, temperature=planted, scale=2.0 * planted)
    assert fit_temperature(*many) == pytest.approx(planted, rel=0.03)


def test_underconfident_networks_become_more_confident_and_overconfident_ones_less() -> None:
    assert fit_temperature(*sample_clips(500, temperature=0.5)) < 1
    assert fit_temperature(*sample_clips(500, temperature=4.0)) > 1


@pytest.mark.parametrize("gap", [0.01, 1.0, 40.0, 1000.0])
def test_a_network_without_errors_keeps_finite_confidence(gap: float) -> None:
    temperature = fit_temperature([0, 1, 0], [[gap, 0.0], [0.0, gap], [gap, 0.0]])
    assert temperature == pytest.approx(LOWEST, rel=1e-9)


@pytest.mark.parametrize("gap", [0.01, 1.0, 40.0, 1000.0])
def test_a_network_that_is_always_wrong_becomes_uniform(gap: float) -> None:
    temperature = fit_temperature([0, 1], [[0.0, gap], [gap, 0.0]])
    assert temperature == pytest.approx(HIGHEST, rel=1e-9)


def test_predicted_classes_and_their_scores_are_unchanged() -> None:
    truth, logits = sample_clips(2000, temperature=3.0)
    before = EIGHT.evaluate(truth, logits)
    for temperature in (LOWEST, 0.7, 1.0, 1.7, HIGHEST):
        after = calibrate(logits, temperature)
        assert (after.argmax(axis=1) == logits.argmax(axis=1)).all()
        now = EIGHT.evaluate(truth, after)
        assert [now[name] for name in ("accuracy", "uar", "macro_f1")] == [
            before[name] for name in ("accuracy", "uar", "macro_f1")
        ]


@pytest.mark.parametrize("highest", [1.0, 3.3, -7.1, 1000.1])
def test_nearly_equal_logits_stay_distinct(highest: float) -> None:
    below = np.nextafter(np.float32(highest), np.float32(-np.inf))
    close = np.array([[below, highest, below]], np.float32)
    for temperature in np.linspace(LOWEST, 5, 200):
        assert calibrate(close, float(temperature)).argmax(axis=1).tolist() == [1]


def test_the_calibration_error_equals_a_manual_computation_and_decreases() -> None:
    truth, logits = sample_clips(400, temperature=4.0, scale=6.0)
    temperature = fit_temperature(truth, logits)
    probabilities = softmax(logits.astype(np.float64) / temperature, axis=1)
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.ceil(confidence * 15).astype(int)
    error = sum(
        abs(correct[bins == bin_number].mean() - confidence[bins == bin_number].mean())
        * (bins == bin_number).mean()
        for bin_number in set(bins.tolist())
    )
    calibrated = EIGHT.evaluate(truth, calibrate(logits, temperature))["ece"]
    assert calibrated == pytest.approx(error)
    assert calibrated < EIGHT.evaluate(truth, logits)["ece"] / 2


def test_a_temperature_improves_calibration_on_held_out_clips() -> None:
    validation, test = (sample_clips(240, temperature=4.0, scale=6.0, seed=seed) for seed in (1, 2))
    assert loss(test, fit_temperature(*validation)) < loss(test, 1.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_diverged_network_has_no_temperature(bad: float) -> None:
    with pytest.raises(UserError, match="not finite: no temperature"):
        fit_temperature([0, 1], [[1.0, bad], [0.0, 1.0]])


def test_a_temperature_needs_labelled_clips() -> None:
    for target in ([], [0, -1]):
        with pytest.raises(ValueError, match="known truth"):
            fit_temperature(target, np.zeros((len(target), 3)))
