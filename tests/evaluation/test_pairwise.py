"""Differences, tests and their correction are those of scipy and statsmodels; sentences say no more than they show."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from emorec.errors import UserError
from emorec.evaluation.intervals import Interval, figures_with_intervals
from emorec.evaluation.metrics import summarize
from emorec.evaluation.pairwise import Pair, compare_pair, holm
from emorec.app.answer import sentence
from emorec.evaluation.predictions_file import PredictedClips
from emorec.evaluation.pairwise import exact_mcnemar, more_actors
from tests.evaluation.simulated import clips_of, random_clips, shuffled

TEN = [str(actor) for actor in range(1, 11) for _ in range(24)]


def pair_of(difference: float, low: float, high: float, needed: int | None = 7) -> Pair:
    return Pair(difference, Interval(low, high), 0.5, 0.5, 20, 20, 24, needed)


def answered(right: list[int], num_clips: int = 20) -> PredictedClips:
    """Each actor has as many clips, all of one class but for one of another; so many of the first are right."""
    truth = ([0] * (num_clips - 1) + [1]) * len(right)
    said = [
        label if label or number < good else 1
        for good in right
        for number, label in enumerate(truth[:num_clips])
    ]
    return clips_of(
        truth, said, [str(each) for each in range(len(right)) for _ in range(num_clips)]
    )


def test_the_difference_is_that_of_the_uars() -> None:
    a, b = random_clips(0, TEN, skill=2), random_clips(1, TEN)
    expected = summarize(a.predictions).uar - summarize(b.predictions).uar
    assert compare_pair([a], [b]).difference == pytest.approx(expected, abs=1e-6)


def test_of_several_seeds_it_is_the_difference_of_their_means() -> None:
    a = [random_clips(seed, TEN, skill=2) for seed in range(3)]
    b = [random_clips(seed, TEN) for seed in (7, 8)]
    expected = np.mean([summarize(each.predictions).uar for each in a]) - np.mean(
        [summarize(each.predictions).uar for each in b]
    )
    pair = compare_pair(a, b)
    assert pair.difference == pytest.approx(expected, abs=1e-6)
    assert pair.num_actors == 10


def test_the_interval_and_p_of_balanced_actors_are_those_of_the_paired_t_test() -> None:
    a, b = answered([9, 12, 14, 15, 10, 17, 13, 12]), answered([8, 12, 10, 13, 11, 13, 9, 10])
    recalls = np.array([[9, 12, 14, 15, 10, 17, 13, 12], [8, 12, 10, 13, 11, 13, 9, 10]]) / 19
    expected = stats.ttest_rel(recalls[0] / 2, recalls[1] / 2)  # the other class is always right
    pair = compare_pair([a], [b])
    assert pair.interval is not None
    low, high = expected.confidence_interval(0.95)
    assert pair.interval.low == pytest.approx(low, abs=0.003)
    assert pair.interval.high == pytest.approx(high, abs=0.003)
    assert pair.actor_p == pytest.approx(expected.pvalue, rel=0.15)


def test_pairs_of_actors_make_the_interval_narrower_than_two_separate_ones() -> None:
    """Actors that are hard for one model are hard for the other: what they share is in neither's favour."""
    a, b = answered([3, 6, 9, 12, 15, 18]), answered([2, 5, 7, 11, 13, 17])
    pair = compare_pair([a], [b])
    apart = [figures_with_intervals([each])["uar"].interval for each in (a, b)]
    assert pair.interval is not None
    assert all(
        each is not None and each.half_width > 5 * pair.interval.half_width for each in apart
    )
    assert 0 not in pair.interval


def test_the_other_way_round_everything_is_mirrored() -> None:
    a, b = random_clips(0, TEN, skill=1.3), random_clips(1, TEN)
    there, back = compare_pair([a], [b]), compare_pair([b], [a])
    assert there.interval is not None
    assert back.interval is not None
    assert back.difference == -there.difference
    assert back.interval.low == pytest.approx(-there.interval.high)
    assert back.mcnemar_p == there.mcnemar_p
    assert back.actor_p == pytest.approx(there.actor_p)
    assert (back.only_a_right, back.only_b_right) == (there.only_b_right, there.only_a_right)


def test_clips_in_another_order_and_folder_are_the_same_clips() -> None:
    a, b = random_clips(0, TEN), random_clips(1, TEN)
    assert compare_pair([a], [shuffled(b, 5, "/elsewhere")]) == compare_pair([a], [b])


@pytest.mark.parametrize("seed", range(4))
def test_mcnemars_test_is_statsmodels(seed: int) -> None:
    a, b = random_clips(seed, TEN, skill=1.5), random_clips(seed + 10, TEN)
    pair = compare_pair([a], [b], resamples=10)
    right = [(each.predictions.predicted == each.predictions.target).numpy() for each in (a, b)]
    table = [[(right[0] == i)[right[1] == j].sum() for j in (True, False)] for i in (True, False)]
    assert [pair.only_a_right, pair.only_b_right] == [table[0][1], table[1][0]]
    assert pair.mcnemar_p == pytest.approx(mcnemar(table, exact=True).pvalue)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (0, 5), (7, 3), (40, 12), (500, 450)])
def test_mcnemars_test_is_statsmodels_with_few_clips_and_many(a: int, b: int) -> None:
    expected = mcnemar([[10, a], [b, 10]], exact=True).pvalue if a + b else 1
    assert exact_mcnemar(a, b) == pytest.approx(expected)


def test_of_several_seeds_their_mean_probability_decides_what_mcnemars_test_sees() -> None:
    truth, actors = [0, 0, 0, 0], ["1", "1", "2", "2"]
    sure = clips_of(truth, [0, 1, 0, 1], actors, confidence=0.9)
    unsure = clips_of(truth, [1, 1, 1, 0], actors, confidence=0.5)
    wrong = clips_of(truth, [2, 2, 2, 2], actors)
    pair = compare_pair([sure, unsure], [wrong], resamples=10)
    assert (pair.only_a_right, pair.only_b_right) == (2, 0)  # clips 0 and 2, where the sure one is


@pytest.mark.parametrize("seed", range(5))
def test_holms_correction_is_statsmodels(seed: int) -> None:
    p_values = np.random.default_rng(seed).beta(0.3, 2, 10).round(2).tolist()  # some are equal
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_a_p_that_is_no_number_counts_for_none() -> None:
    first, missing, last = holm([0.03, math.nan, 0.01])
    assert [last, first] == [0.02, 0.03]
    assert math.isnan(missing)
    assert holm([]) == []


def test_so_many_more_actors_would_do_if_nothing_else_changed() -> None:
    """The actors at hand, all of them there so many times, are as many more as were asked for."""
    right_a, right_b = [9, 12, 14, 15, 10, 17], [12, 8, 12, 11, 12, 13]
    few = compare_pair([answered(right_a)], [answered(right_b)])
    assert few.interval is not None
    assert 0 in few.interval
    assert few.actors_needed is not None
    times = -(-(6 + few.actors_needed) // 6)
    enough = compare_pair([answered(right_a * times)], [answered(right_b * times)])
    short = compare_pair([answered(right_a * (times - 2))], [answered(right_b * (times - 2))])
    assert enough.interval is not None
    assert short.interval is not None
    assert 0 not in enough.interval
    assert enough.actors_needed == 0
    assert 0 in short.interval


@pytest.mark.parametrize("num_actors", [6, 24, 48])
def test_half_the_difference_needs_four_times_the_actors_whoever_was_tested_so_far(
    num_actors: int,
) -> None:
    error = 0.05 / math.sqrt(num_actors)  # actors scatter by 5 points
    more = [more_actors(each, error, num_actors) for each in (0.01, 0.005)]
    totals = [num_actors + each for each in more if each is not None]
    assert totals == [99, 387]  # (1.98 x 5)^2 and (1.97 x 10)^2
    assert more_actors(0.001, error, num_actors) is None


def test_five_actors_do_not_show_how_many_would_be_needed() -> None:
    assert more_actors(0.01, 0.02, 5) is None
    assert more_actors(0.01, 0.02, 6) is not None


def test_identical_models_are_no_different_however_many_actors_come() -> None:
    clips = random_clips(0, TEN)
    pair = compare_pair([clips], [shuffled(clips, 1, "/elsewhere")])
    assert pair == Pair(0.0, None, 1.0, 1.0, 0, 0, 10, None)


def test_one_actor_gives_a_difference_and_no_more() -> None:
    pair = compare_pair([answered([12])], [answered([7])])
    assert pair.difference == pytest.approx(5 / 19 / 2)
    assert pair.interval is None
    assert math.isnan(pair.actor_p)
    assert pair.actors_needed is None
    assert pair.mcnemar_p == 0.0625


@pytest.mark.parametrize(("num_actors", "p"), [(2, 0.5), (6, 0.03125)])
def test_a_difference_that_is_the_same_with_every_actor_is_tested_by_its_sign(
    num_actors: int, p: float
) -> None:
    pair = compare_pair([answered([15] * num_actors)], [answered([9] * num_actors)])
    assert pair.interval is None
    assert pair.actor_p == p


def test_models_tested_on_other_clips_are_not_compared() -> None:
    with pytest.raises(UserError, match="other clips"):
        compare_pair([random_clips(0, TEN)], [random_clips(0, TEN[:-1])])
    with pytest.raises(ValueError, match="without predictions"):
        compare_pair([], [random_clips(0, TEN)])


@pytest.mark.parametrize(
    ("pair", "p_holm", "expected"),
    [
        pytest.param(
            pair_of(0.041, 0.012, 0.07, 0),
            0.01,
            "A is better than B: +4.1 points, 1.2 to 7.0",
            id="a",
        ),
        pytest.param(
            pair_of(-0.041, -0.07, -0.012, 0),
            0.01,
            "B is better than A: +4.1 points, 1.2 to 7.0",
            id="b",
        ),
        pytest.param(
            pair_of(0.012, -0.03, 0.054, 271),
            0.01,
            "the test cannot tell A and B apart (difference +1.2 points, -3.0 to 5.4); "
            "about 271 more actors would be needed",
            id="too few actors",
        ),
        pytest.param(
            pair_of(-0.04, -0.081, 0.001, 1),
            0.01,
            "the test cannot tell A and B apart (difference -4.0 points, -8.1 to 0.1); "
            "about 1 more actor would be needed",
            id="one more",
        ),
        pytest.param(
            pair_of(-0.0001, -0.03, 0.0298, None),
            1.0,
            "the test cannot tell A and B apart (difference +0.0 points, -3.0 to 3.0); "
            "no realistic number of actors would show so small a difference",
            id="no difference",
        ),
        pytest.param(
            pair_of(-0.041, -0.07, -0.012, 0),
            0.12,
            "B may be better than A (+4.1 points, 1.2 to 7.0), but the test does not show it: corrected p 0.120",
            id="not after correction",
        ),
        pytest.param(
            Pair(0.041, None, math.nan, 0.001, 30, 2, 1, None),
            math.nan,
            "the test cannot tell A and B apart (difference +4.1 points): it has one actor only",
            id="one actor",
        ),
        pytest.param(
            Pair(0.08, Interval(-0.12, 0.28), 0.1, 0.1, 30, 20, 2, None),
            0.1,
            "the test cannot tell A and B apart (difference +8.0 points, -12.0 to 28.0); "
            "2 actors are too few to say how many would be needed",
            id="two actors",
        ),
        pytest.param(
            Pair(-0.5, None, 1e-6, 0.001, 30, 2, 24, None),
            0.001,
            "B is better than A: +50.0 points with each of 24 actors",
            id="always so",
        ),
        pytest.param(
            Pair(0.0, None, 1.0, 1.0, 0, 0, 24, None),
            1.0,
            "the test cannot tell A and B apart (difference +0.0 points with each of 24 actors)",
            id="identical",
        ),
    ],
)
def test_the_sentence_says_what_the_test_shows(pair: Pair, p_holm: float, expected: str) -> None:
    assert sentence("A", "B", pair, p_holm) == expected
