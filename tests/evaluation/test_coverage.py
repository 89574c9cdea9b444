"""Coverage of the intervals in simulated experiments, where the true score is known.

Each experiment has 24 actors of random ability, 60 clips each. The test measures how often the interval contains
the score of infinitely many actors. A few hundred resamples suffice: they give the standard error to 3 %.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from emorec.evaluation.intervals import actor_weights, estimates, scores_with_intervals
from emorec.evaluation.pairwise import Pair, compare_pair
from emorec.evaluation.scores import Estimate, accuracy, macro_f1, uar
from tests.evaluation.simulated import (
    CLIPS_OF_CLASS,
    EIGHT,
    confusion_probabilities,
    confusions,
    failing_actors,
    normal_actors,
    sums_by_actor,
    sums_by_clip,
    table_of,
)

RESAMPLES = 500
SCORES = {"accuracy": accuracy, "uar": uar, "macro_f1": macro_f1}


def truth_of(actors: Callable[..., NDArray[np.float64]]) -> dict[str, float]:
    """Scores over a very large population of actors and clips."""
    draw = np.random.default_rng(99)
    mean = confusion_probabilities(actors(draw, (40_000,))).mean(axis=0) * CLIPS_OF_CLASS[:, None]
    return {name: float(figure(mean)) for name, figure in SCORES.items()}


def experiments(
    actors: Callable[..., NDArray[np.float64]], number: int, num_actors: int
) -> NDArray[np.int64]:
    """(number, num_actors, 8, 8) confusion matrices."""
    draw = np.random.default_rng(1)
    return confusions(draw, actors(draw, (number, num_actors)))


def coverage(
    actors: Callable[..., NDArray[np.float64]],
    sums_of: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    *,
    number: int,
    num_actors: int,
    resamples: int = RESAMPLES,
) -> tuple[dict[str, float], float]:
    """Share of experiments whose interval contains the truth, and the mean half-width for UAR."""
    truth = truth_of(actors)
    results = [
        estimates(EIGHT, [sums_of(each)], resamples, seed)
        for seed, each in enumerate(experiments(actors, number, num_actors))
    ]
    covered = {
        name: np.mean([_contains(each[name], truth[name]) for each in results]) for name in SCORES
    }
    widths = [each["uar"].interval.half_width for each in results if each["uar"].interval]
    return {name: float(share) for name, share in covered.items()}, float(np.mean(widths))


def _contains(estimate: Estimate, truth: float) -> bool:
    return estimate.interval is not None and truth in estimate.interval


def test_95_percent_intervals_over_24_actors_cover_the_truth_in_93_to_97_percent_of_experiments() -> (
    None
):
    covered, half_width = coverage(normal_actors, sums_by_actor, number=1000, num_actors=24)
    assert all(0.93 <= share <= 0.97 for share in covered.values()), covered
    assert 0.05 < half_width < 0.09


def test_the_95_percent_clip_bootstrap_covers_far_less() -> None:
    covered, half_width = coverage(
        normal_actors, sums_by_clip, number=1000, num_actors=24, resamples=100
    )
    assert all(share < 0.6 for share in covered.values()), covered
    assert half_width < 0.03


@pytest.mark.parametrize(
    ("num_actors", "widest", "narrowest"), [(2, 0.5, 0.35), (4, 0.3, 0.2), (6, 0.2, 0.14)]
)
def test_intervals_of_few_actors_are_wider(
    num_actors: int, widest: float, narrowest: float
) -> None:
    covered, half_width = coverage(normal_actors, sums_by_actor, number=500, num_actors=num_actors)
    assert all(0.915 <= share <= 0.975 for share in covered.values()), covered
    assert narrowest < half_width < widest


def test_percentile_intervals_undercover_with_six_actors() -> None:
    """Why the percentile bootstrap is not used."""
    truth = truth_of(normal_actors)["uar"]
    [weights] = actor_weights(6, RESAMPLES, seed=0)
    covered = []
    for confusion in experiments(normal_actors, 500, 6):
        resampled = EIGHT.scores(weights @ sums_by_actor(confusion))["uar"]
        low, high = np.quantile(resampled, (0.025, 0.975))
        covered.append(low <= truth <= high)
    assert np.mean(covered) < 0.9


@pytest.mark.parametrize(("num_actors", "least", "most"), [(6, 0.6, 0.8), (24, 0.85, 0.93)])
def test_intervals_undercover_a_network_that_fails_on_every_tenth_actor(
    num_actors: int, least: float, most: float
) -> None:
    """The documented limitation: six actors seldom include a failing one."""
    covered, _ = coverage(failing_actors, sums_by_actor, number=400, num_actors=num_actors)
    assert least < covered["uar"] < most


def test_the_calibration_error_of_few_clips_is_too_high() -> None:
    """Confidence equals the probability of being correct, so the true error is 0; 1,440 clips estimate more."""
    draw = np.random.default_rng(3)
    confidence = draw.uniform(0.125, 1, 24 * 60)
    predicted = np.where(draw.random(24 * 60) < confidence, 0, 1)
    actors = [str(actor) for actor in range(24) for _ in range(60)]
    rest = (1 - confidence[:, None]) / 7
    table = np.where(np.arange(8) == predicted[:, None], confidence[:, None], rest)
    clips = table_of([0] * len(predicted), np.log(table), actors)
    estimate = scores_with_intervals(EIGHT, [clips], resamples=RESAMPLES)["ece"]
    assert estimate.value > 0.015
    assert estimate.interval is not None
    assert 0 not in estimate.interval


@pytest.mark.nightly
def test_equal_models_differ_in_5_percent_by_actors_and_far_more_by_mcnemar() -> None:
    """Clips of an actor are not independent, but McNemar's test assumes they are."""
    draw = np.random.default_rng(5)
    number, num_actors = 200, 12
    truth = np.repeat(np.arange(8), CLIPS_OF_CLASS)
    pairs = []
    for seed in range(number):
        recalls = normal_actors(draw, (2, num_actors))[..., truth]  # (2, A, 60)
        correct = draw.random(recalls.shape) < recalls
        predicted = np.where(correct, truth, (truth + 1) % 8).reshape(2, -1)
        pairs.append(_compared(predicted, np.tile(truth, num_actors), num_actors, seed))
    by_actors = np.mean([pair.actor_p <= 0.05 for pair in pairs])
    covered = np.mean([pair.interval is not None and 0 in pair.interval for pair in pairs])
    by_clips = np.mean([pair.mcnemar_p <= 0.05 for pair in pairs])
    assert by_actors < 0.09
    assert covered == pytest.approx(1 - by_actors)
    assert by_clips > 0.4


def _compared(
    predicted: NDArray[np.int64], truth: NDArray[np.int64], num_actors: int, seed: int
) -> Pair:
    names = [str(actor) for actor in range(num_actors) for _ in range(60)]
    a, b = (table_of(truth, 5.0 * np.eye(8)[each], names) for each in predicted)
    return compare_pair(EIGHT, [a], [b], resamples=RESAMPLES, seed=seed)
