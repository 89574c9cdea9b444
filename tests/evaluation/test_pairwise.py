"""Differences, tests and Holm's correction agree with scipy and statsmodels."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from emorec.evaluation.intervals import scores_with_intervals, table_scores
from emorec.evaluation.pairwise import Pair, compare_pair, exact_mcnemar, holm, more_actors
from emorec.evaluation.predictions import align
from emorec.evaluation.task import Regression
from tests.evaluation.simulated import EIGHT, THREE, clips_of, random_clips, shuffled

TEN = [str(actor) for actor in range(1, 11) for _ in range(24)]


def clips_with_correct(correct: list[int], num_clips: int = 20) -> pd.DataFrame:
    """Actors of `num_clips` clips, all but one of class 0, with the chosen numbers of correct predictions."""
    truth = ([0] * (num_clips - 1) + [1]) * len(correct)
    predicted = [
        label if label or number < number_correct else 1
        for number_correct in correct
        for number, label in enumerate(truth[:num_clips])
    ]
    return clips_of(
        truth, predicted, [str(each) for each in range(len(correct)) for _ in range(num_clips)]
    )


def test_the_difference_is_that_of_uar() -> None:
    a, b = random_clips(0, TEN, skill=2), random_clips(1, TEN)
    expected = table_scores(EIGHT, a)["uar"] - table_scores(EIGHT, b)["uar"]
    assert compare_pair(EIGHT, [a], [b]).difference == pytest.approx(expected, abs=1e-6)


def test_with_several_seeds_the_difference_is_that_of_the_means() -> None:
    a = [random_clips(seed, TEN, skill=2) for seed in range(3)]
    b = [random_clips(seed, TEN) for seed in (7, 8)]
    expected = np.mean([table_scores(EIGHT, each)["uar"] for each in a]) - np.mean(
        [table_scores(EIGHT, each)["uar"] for each in b]
    )
    pair = compare_pair(EIGHT, a, b)
    assert pair.difference == pytest.approx(expected, abs=1e-6)
    assert pair.num_actors == 10


def test_interval_and_p_value_of_balanced_actors_equal_the_paired_t_test() -> None:
    a, b = (
        clips_with_correct([9, 12, 14, 15, 10, 17, 13, 12]),
        clips_with_correct([8, 12, 10, 13, 11, 13, 9, 10]),
    )
    recalls = np.array([[9, 12, 14, 15, 10, 17, 13, 12], [8, 12, 10, 13, 11, 13, 9, 10]]) / 19
    expected = stats.ttest_rel(recalls[0] / 2, recalls[1] / 2)  # the other class is always correct
    pair = compare_pair(THREE, [a], [b])
    assert pair.interval is not None
    low, high = expected.confidence_interval(0.95)
    assert pair.interval.low == pytest.approx(low, abs=0.003)
    assert pair.interval.high == pytest.approx(high, abs=0.003)
    assert pair.actor_p == pytest.approx(expected.pvalue, rel=0.15)


def test_paired_intervals_are_narrower_than_separate_ones() -> None:
    """Actors that are hard for one model are hard for the other; pairing removes the shared variance."""
    a, b = clips_with_correct([3, 6, 9, 12, 15, 18]), clips_with_correct([2, 5, 7, 11, 13, 17])
    pair = compare_pair(THREE, [a], [b])
    apart = [scores_with_intervals(THREE, [each])["uar"].interval for each in (a, b)]
    assert pair.interval is not None
    assert all(
        each is not None and each.half_width > 5 * pair.interval.half_width for each in apart
    )
    assert 0 not in pair.interval


def test_swapping_the_models_mirrors_the_result() -> None:
    a, b = random_clips(0, TEN, skill=1.3), random_clips(1, TEN)
    forward, backward = compare_pair(EIGHT, [a], [b]), compare_pair(EIGHT, [b], [a])
    assert forward.interval is not None
    assert backward.interval is not None
    assert backward.difference == -forward.difference
    assert backward.interval.low == pytest.approx(-forward.interval.high)
    assert backward.mcnemar_p == forward.mcnemar_p
    assert backward.actor_p == pytest.approx(forward.actor_p)
    assert (backward.only_a_right, backward.only_b_right) == (
        forward.only_b_right,
        forward.only_a_right,
    )


def test_clips_are_matched_in_any_order_and_folder() -> None:
    a, b = random_clips(0, TEN), random_clips(1, TEN)
    first, second = align(EIGHT, [a, shuffled(b, 5, "/elsewhere")])
    assert compare_pair(EIGHT, [first], [second]) == compare_pair(EIGHT, [a], [b])


@pytest.mark.parametrize("seed", range(4))
def test_mcnemars_test_equals_statsmodels(seed: int) -> None:
    a, b = random_clips(seed, TEN, skill=1.5), random_clips(seed + 10, TEN)
    pair = compare_pair(EIGHT, [a], [b], resamples=10)
    correct = [(each["predicted"] == each["emotion"]).to_numpy() for each in (a, b)]
    table = [
        [(correct[0] == i)[correct[1] == j].sum() for j in (True, False)] for i in (True, False)
    ]
    assert [pair.only_a_right, pair.only_b_right] == [table[0][1], table[1][0]]
    assert pair.mcnemar_p == pytest.approx(mcnemar(table, exact=True).pvalue)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (0, 5), (7, 3), (40, 12), (500, 450)])
def test_mcnemars_test_equals_statsmodels_for_few_and_many_clips(a: int, b: int) -> None:
    expected = mcnemar([[10, a], [b, 10]], exact=True).pvalue if a + b else 1
    assert exact_mcnemar(a, b) == pytest.approx(expected)


def test_mcnemars_test_uses_the_mean_probabilities_of_seeds() -> None:
    truth, actors = [0, 0, 0, 0], ["1", "1", "2", "2"]
    sure = clips_of(truth, [0, 1, 0, 1], actors, confidence=0.9)
    unsure = clips_of(truth, [1, 1, 1, 0], actors, confidence=0.5)
    incorrect = clips_of(truth, [2, 2, 2, 2], actors)
    pair = compare_pair(THREE, [sure, unsure], [incorrect], resamples=10)
    assert (pair.only_a_right, pair.only_b_right) == (
        2,
        0,
    )  # clips 0 and 2, from the confident seed


@pytest.mark.parametrize("seed", range(5))
def test_holms_correction_equals_statsmodels(seed: int) -> None:
    p_values = np.random.default_rng(seed).beta(0.3, 2, 10).round(2).tolist()  # with ties
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_nan_p_values_are_ignored_by_holms_correction() -> None:
    first, missing, last = holm([0.03, math.nan, 0.01])
    assert [last, first] == [0.02, 0.03]
    assert math.isnan(missing)
    assert holm([]) == []


def test_the_needed_actors_make_the_difference_significant() -> None:
    """Repeating the actors as often as recommended reaches significance."""
    right_a, right_b = [9, 12, 14, 15, 10, 17], [12, 8, 12, 11, 12, 13]
    few = compare_pair(THREE, [clips_with_correct(right_a)], [clips_with_correct(right_b)])
    assert few.interval is not None
    assert 0 in few.interval
    assert few.actors_needed is not None
    times = -(-(6 + few.actors_needed) // 6)
    enough = compare_pair(
        THREE, [clips_with_correct(right_a * times)], [clips_with_correct(right_b * times)]
    )
    short = compare_pair(
        THREE,
        [clips_with_correct(right_a * (times - 2))],
        [clips_with_correct(right_b * (times - 2))],
    )
    assert enough.interval is not None
    assert short.interval is not None
    assert 0 not in enough.interval
    assert enough.actors_needed == 0
    assert 0 in short.interval


@pytest.mark.parametrize("num_actors", [6, 24, 48])
def test_half_the_difference_needs_four_times_the_actors(
    num_actors: int,
) -> None:
    error = 0.05 / math.sqrt(num_actors)  # a standard deviation of 5 points
    more = [more_actors(each, error, num_actors) for each in (0.01, 0.005)]
    totals = [num_actors + each for each in more if each is not None]
    assert totals == [99, 387]  # (1.98 x 5)^2 and (1.97 x 10)^2
    assert more_actors(0.001, error, num_actors) is None


def test_five_actors_are_too_few_to_estimate_the_needed_number() -> None:
    assert more_actors(0.01, 0.02, 5) is None
    assert more_actors(0.01, 0.02, 6) is not None


def test_identical_models_never_differ() -> None:
    clips = random_clips(0, TEN)
    first, second = align(EIGHT, [clips, shuffled(clips, 1, "/elsewhere")])
    pair = compare_pair(EIGHT, [first], [second])
    assert pair == Pair(0.0, None, 1.0, 1.0, 0, 0, 10, None)


def test_one_actor_gives_a_difference_without_a_test() -> None:
    pair = compare_pair(THREE, [clips_with_correct([12])], [clips_with_correct([7])])
    assert pair.difference == pytest.approx(5 / 19 / 2)
    assert pair.interval is None
    assert math.isnan(pair.actor_p)
    assert pair.actors_needed is None
    assert pair.mcnemar_p == 0.0625


@pytest.mark.parametrize(("num_actors", "p"), [(2, 0.5), (6, 0.03125)])
def test_a_constant_difference_is_tested_by_its_sign(num_actors: int, p: float) -> None:
    pair = compare_pair(
        THREE, [clips_with_correct([15] * num_actors)], [clips_with_correct([9] * num_actors)]
    )
    assert pair.interval is None
    assert pair.actor_p == p


def test_unaligned_predictions_are_refused() -> None:
    clips = random_clips(0, TEN)
    for second in (random_clips(0, TEN[:-1]), shuffled(clips, 1, "/elsewhere")):
        with pytest.raises(ValueError, match="align them first"):
            compare_pair(EIGHT, [clips], [second])
    with pytest.raises(ValueError, match="without predictions"):
        compare_pair(EIGHT, [], [clips])


def test_numbers_differ_by_their_mean_ccc_and_have_no_mcnemar_test() -> None:
    task, rng = Regression(("valence", "arousal")), np.random.default_rng(3)
    true = rng.normal(0, 1, (120, 2))
    paths, actors = [f"{row // 12}/{row:05d}.jpg" for row in range(120)], np.arange(120) // 12
    better, worse = (
        task.table(true, true + rng.normal(0, noise, true.shape), paths=paths, actors=list(actors))
        for noise in (0.2, 1.0)
    )
    pair = compare_pair(task, [better], [worse], resamples=500)
    cccs = [table_scores(task, each)["ccc"] for each in (better, worse)]
    assert pair.difference == pytest.approx(cccs[0] - cccs[1])
    assert pair.interval is not None
    assert 0 not in pair.interval
    assert math.isnan(pair.mcnemar_p)
    same = compare_pair(task, [better], [better], resamples=100)
    assert (same.difference, same.interval) == (0, None)
