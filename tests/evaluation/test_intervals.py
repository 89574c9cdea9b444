"""Intervals equal t intervals for means over actors, and agree with scipy's bootstrap."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix

from emorec.errors import UserError
from emorec.evaluation.intervals import (
    actor_sums,
    actor_weights,
    estimates,
    scores_with_intervals,
    standard_error,
    table_scores,
)
from emorec.evaluation.predictions import align
from emorec.evaluation.scores import Estimate, Interval
from tests.evaluation.simulated import (
    EIGHT,
    THREE,
    TWO,
    clips_of,
    random_clips,
    shuffled,
    table_of,
)

EIGHT_ACTORS = [str(actor) for actor in range(1, 9) for _ in range(20)]
METRICS = ("accuracy", "uar", "macro_f1", "ece")


def clips_by_ability(correct_of_twenty: list[int]) -> pd.DataFrame:
    """Actors of 20 clips each, ten per class, with the chosen numbers of correct predictions."""
    truth = [0, 1] * 10 * len(correct_of_twenty)
    predicted = []
    for actor, correct in enumerate(correct_of_twenty):
        labels = truth[20 * actor : 20 * actor + 20]
        predicted += [
            label if number < correct else 1 - label for number, label in enumerate(labels)
        ]
    actors = [str(actor) for actor in range(len(correct_of_twenty)) for _ in range(20)]
    return clips_of(truth, predicted, actors, num_classes=2)


def width(estimate: Estimate) -> float:
    assert estimate.interval is not None
    return 2 * estimate.interval.half_width


def test_the_interval_of_a_mean_over_actors_equals_the_t_interval() -> None:
    correct = [4, 9, 11, 12, 12, 14, 15, 18]
    estimate = scores_with_intervals(TWO, [clips_by_ability(correct)])["accuracy"]
    expected = stats.ttest_1samp(np.array(correct) / 20, 0).confidence_interval(0.95)
    assert estimate.value == pytest.approx(np.mean(correct) / 20)
    assert estimate.interval is not None
    assert estimate.interval.low == pytest.approx(expected.low, abs=0.005)
    assert estimate.interval.high == pytest.approx(expected.high, abs=0.005)


def test_the_interval_by_clip_is_binomial() -> None:
    scores = scores_with_intervals(
        TWO, [clips_by_ability([4, 9, 11, 12, 12, 14, 15, 18])], by="clip"
    )
    share, num_clips = scores["accuracy"].value, 160
    expected = (
        2 * stats.t.ppf(0.975, num_clips - 1) * np.sqrt(share * (1 - share) / (num_clips - 1))
    )
    assert width(scores["accuracy"]) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("name", METRICS)
def test_the_standard_error_equals_scipys_bootstrap(name: str) -> None:
    uneven = [EIGHT_ACTORS[row] for row in np.random.default_rng(0).integers(0, 160, 120)]
    _, sums = actor_sums(EIGHT, random_clips(1, uneven))
    [weights] = actor_weights(8, 10_000, seed=0)
    ours = standard_error(EIGHT.scores(weights @ sums)[name], 8)

    def figure(resample: np.ndarray) -> float:
        return float(EIGHT.scores(np.bincount(resample, minlength=8) @ sums)[name])

    actors = (np.arange(8),)
    draw = np.random.default_rng(1)
    scipys = stats.bootstrap(
        actors, figure, vectorized=False, method="percentile", n_resamples=4000, rng=draw
    )
    assert ours == pytest.approx(scipys.standard_error * np.sqrt(8 / 7), rel=0.05)


def test_intervals_are_deterministic_and_nearly_independent_of_the_seed() -> None:
    clips = random_clips(0, EIGHT_ACTORS)
    once, again = scores_with_intervals(EIGHT, [clips]), scores_with_intervals(EIGHT, [clips])
    second = scores_with_intervals(EIGHT, [clips], seed=1)
    assert once == again
    assert once != second
    for name in METRICS:
        assert width(second[name]) == pytest.approx(width(once[name]), rel=0.05)


def test_a_second_seed_with_the_same_predictions_changes_nothing() -> None:
    clips = random_clips(0, EIGHT_ACTORS)
    first = scores_with_intervals(EIGHT, [clips])
    two_seeds = scores_with_intervals(
        EIGHT, align(EIGHT, [clips, shuffled(clips, 3, "/elsewhere")])
    )
    for name in METRICS:
        assert two_seeds[name].value == pytest.approx(first[name].value)
        assert width(two_seeds[name]) == pytest.approx(width(first[name]))


def test_a_resample_draws_the_same_actors_for_every_seed() -> None:
    """Two seeds with complementary actors have the same mean for every actor."""
    correct = [4, 6, 8, 12, 14, 16]
    first, second = clips_by_ability(correct), clips_by_ability([20 - each for each in correct])
    assert width(scores_with_intervals(TWO, [first])["accuracy"]) > 0.3
    estimates_of_seeds = scores_with_intervals(TWO, [first, second])["accuracy"]
    assert estimates_of_seeds == Estimate(0.5, None)


def test_the_estimate_is_the_mean_over_seeds() -> None:
    seeds = [random_clips(seed, EIGHT_ACTORS) for seed in range(3)]
    estimates_of_seeds = scores_with_intervals(EIGHT, seeds)
    apart = [scores_with_intervals(EIGHT, [each]) for each in seeds]
    for name in METRICS:
        assert estimates_of_seeds[name].value == pytest.approx(
            np.mean([each[name].value for each in apart]), abs=1e-12
        )


def test_intervals_by_actor_are_wider_than_by_clip_when_actors_differ() -> None:
    clips = clips_by_ability([2, 4, 6, 10, 14, 16, 18, 20])
    by_actor = scores_with_intervals(TWO, [clips])
    by_clip = scores_with_intervals(TWO, [clips], by="clip")
    assert width(by_actor["uar"]) > 2.5 * width(by_clip["uar"])


def test_one_actor_has_scores_without_intervals() -> None:
    clips = clips_by_ability([12])
    scores = scores_with_intervals(TWO, [clips])
    assert scores["accuracy"] == Estimate(0.6, None)
    assert [scores[name].interval for name in METRICS] == [None] * 4
    assert scores_with_intervals(TWO, [clips], by="clip")["accuracy"].interval is not None


def test_a_score_equal_for_all_actors_has_no_interval() -> None:
    """A width of 0 would be wrong: two actors can be equal by chance."""
    scores = scores_with_intervals(TWO, [clips_by_ability([12, 12])])
    assert scores["accuracy"] == Estimate(0.6, None)


def test_an_interval_is_clipped_to_the_range_of_the_score() -> None:
    estimate = scores_with_intervals(TWO, [clips_by_ability([19, 20])])["accuracy"]
    assert estimate.interval is not None
    assert estimate.interval.high == 1
    assert 0 <= estimate.interval.low < 0.975


def test_a_nan_score_has_no_interval() -> None:
    clips = table_of([0, 1, 0, 1], np.full((4, 2), np.nan), ["1", "1", "2", "3"])
    scores = scores_with_intervals(TWO, [clips], resamples=50)
    assert np.isnan(scores["ece"].value)
    assert scores["ece"].interval is None
    assert scores["accuracy"].interval is not None


@pytest.mark.parametrize("num_actors", [1, 5, 3000])
def test_resamples_draw_actors_with_replacement(num_actors: int) -> None:
    parts = list(actor_weights(num_actors, 3000, seed=0))
    assert len(parts) == (1 if num_actors < 3000 else 3)  # limited by memory
    weights = np.concatenate(parts)
    assert weights.shape == (3000, num_actors)
    assert (weights.sum(axis=1) == num_actors).all()
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.1)
    if num_actors > 1:
        assert weights.var() == pytest.approx(1 - 1 / num_actors, rel=0.05)  # multinomial


def test_intervals_of_sufficient_statistics_equal_those_of_the_clips() -> None:
    clips = random_clips(0, EIGHT_ACTORS)
    _, sums = actor_sums(EIGHT, clips)
    assert estimates(EIGHT, [sums], 500, 7) == scores_with_intervals(
        EIGHT, [clips], resamples=500, seed=7
    )


def test_seeds_that_are_not_aligned_are_refused() -> None:
    clips = random_clips(0, EIGHT_ACTORS)
    for second in (random_clips(0, EIGHT_ACTORS[1:]), shuffled(clips, 1, "/elsewhere")):
        with pytest.raises(ValueError, match="align them first"):
            scores_with_intervals(EIGHT, [clips, second])
    with pytest.raises(ValueError, match="no predictions"):
        scores_with_intervals(EIGHT, [])


def test_the_statistics_of_an_actor_are_its_confusion_matrix() -> None:
    uneven = [EIGHT_ACTORS[row] for row in np.random.default_rng(0).integers(0, 160, 120)]
    clips = random_clips(3, uneven)
    actors, sums = actor_sums(EIGHT, clips)
    assert actors == sorted(set(uneven))
    for actor, statistics in zip(actors, sums, strict=True):
        members = clips[clips["actor"] == actor]
        expected = confusion_matrix(members["emotion"], members["predicted"], labels=EIGHT.names)
        assert EIGHT.confusion(statistics).tolist() == expected.tolist()
        assert EIGHT.calibration_bins(statistics)[:, 0].sum() == len(members)


def test_by_clip_each_clip_is_a_group() -> None:
    clips = random_clips(3, EIGHT_ACTORS)
    actors, sums = actor_sums(EIGHT, clips, by="clip")
    assert actors == list(clips["path"])
    assert EIGHT.confusion(sums).sum(axis=(1, 2)).tolist() == [1] * len(clips)
    np.testing.assert_allclose(sums.sum(axis=0), actor_sums(EIGHT, clips)[1].sum(axis=0))


def test_the_scores_of_a_table_are_those_of_its_clips() -> None:
    clips = random_clips(3, EIGHT_ACTORS)
    expected = EIGHT.evaluate(EIGHT.target(clips), EIGHT.output(clips))
    assert table_scores(EIGHT, clips) == pytest.approx(
        {name: value for name, value in expected.items() if name != "loss"}, rel=1e-12
    )


def test_unlabelled_and_empty_tables_have_no_scores() -> None:
    clips = clips_of([0, -1, 1], [0, 1, 1], ["1", "1", "2"])
    with pytest.raises(UserError, match=r"1/001\.mp4 has no true emotion"):
        actor_sums(THREE, clips)
    with pytest.raises(UserError, match="0 clips"):
        actor_sums(THREE, clips.iloc[:0])


def test_an_interval_contains_its_ends() -> None:
    interval = Interval(0.25, 0.75)
    assert 0.25 in interval
    assert 0.75 in interval
    assert 0.76 not in interval
