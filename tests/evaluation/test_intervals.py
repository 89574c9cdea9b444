"""Intervals are those of t where the figure is a mean of actors, and scipy's bootstrap agrees with ours."""

import numpy as np
import pytest
import torch
from scipy import stats

from emorec.errors import UserError
from emorec.evaluation.counts import FIGURE_NAMES, ActorCounts
from emorec.evaluation.intervals import (
    Estimate,
    Interval,
    actor_weights,
    estimates,
    figures_with_intervals,
    standard_error,
)
from emorec.evaluation.predictions_file import PredictedClips
from tests.evaluation.simulated import clips_of, predicted_clips, random_clips, shuffled

EIGHT = [str(actor) for actor in range(1, 9) for _ in range(20)]


def clips_by_ability(right_of_twenty: list[int]) -> PredictedClips:
    """Actors of 20 clips each, ten of either class, some of which are right."""
    truth = [0, 1] * 10 * len(right_of_twenty)
    said = []
    for actor, right in enumerate(right_of_twenty):
        own = truth[20 * actor : 20 * actor + 20]
        said += [label if number < right else 1 - label for number, label in enumerate(own)]
    actors = [str(actor) for actor in range(len(right_of_twenty)) for _ in range(20)]
    return clips_of(truth, said, actors, num_classes=2)


def width(estimate: Estimate) -> float:
    assert estimate.interval is not None
    return 2 * estimate.interval.half_width


def test_the_interval_of_a_mean_over_actors_is_the_t_interval() -> None:
    right = [4, 9, 11, 12, 12, 14, 15, 18]
    found = figures_with_intervals([clips_by_ability(right)])["accuracy"]
    expected = stats.ttest_1samp(np.array(right) / 20, 0).confidence_interval(0.95)
    assert found.value == pytest.approx(np.mean(right) / 20)
    assert found.interval is not None
    assert found.interval.low == pytest.approx(expected.low, abs=0.005)
    assert found.interval.high == pytest.approx(expected.high, abs=0.005)


def test_the_interval_by_clip_is_that_of_a_coin() -> None:
    found = figures_with_intervals([clips_by_ability([4, 9, 11, 12, 12, 14, 15, 18])], by="clip")
    share, num_clips = found["accuracy"].value, 160
    expected = (
        2 * stats.t.ppf(0.975, num_clips - 1) * np.sqrt(share * (1 - share) / (num_clips - 1))
    )
    assert width(found["accuracy"]) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("name", FIGURE_NAMES)
def test_the_standard_error_is_that_of_scipys_bootstrap(name: str) -> None:
    uneven = [EIGHT[row] for row in np.random.default_rng(0).integers(0, 160, 120)]
    counts = ActorCounts.of(random_clips(1, uneven))
    [weights] = actor_weights(8, 10_000, seed=0)
    ours = standard_error(counts.figures(weights)[name], 8)

    def figure(drawn: np.ndarray) -> float:
        return float(counts.figures(np.bincount(drawn, minlength=8)[None])[name][0])

    actors = (np.arange(8),)
    draw = np.random.default_rng(1)
    scipys = stats.bootstrap(
        actors, figure, vectorized=False, method="percentile", n_resamples=4000, rng=draw
    )
    assert ours == pytest.approx(scipys.standard_error * np.sqrt(8 / 7), rel=0.05)


def test_the_same_seed_gives_the_same_intervals_and_another_nearly_the_same() -> None:
    clips = random_clips(0, EIGHT)
    once, again = figures_with_intervals([clips]), figures_with_intervals([clips])
    other = figures_with_intervals([clips], seed=1)
    assert once == again
    assert once != other
    for name in FIGURE_NAMES:
        assert width(other[name]) == pytest.approx(width(once[name]), rel=0.05)


def test_a_second_seed_that_says_the_same_changes_nothing() -> None:
    clips = random_clips(0, EIGHT)
    one = figures_with_intervals([clips])
    two = figures_with_intervals([clips, shuffled(clips, 3, "/elsewhere")])
    for name in FIGURE_NAMES:
        assert two[name].value == pytest.approx(one[name].value)
        assert width(two[name]) == pytest.approx(width(one[name]))


def test_a_resample_draws_the_same_actors_for_every_seed() -> None:
    """Two seeds whose actors make up for each other are equally good with everyone on average."""
    right = [4, 6, 8, 12, 14, 16]
    one, other = clips_by_ability(right), clips_by_ability([20 - each for each in right])
    assert width(figures_with_intervals([one])["accuracy"]) > 0.3
    together = figures_with_intervals([one, other])["accuracy"]
    assert together == Estimate(0.5, None)


def test_the_estimate_is_the_mean_over_seeds() -> None:
    seeds = [random_clips(seed, EIGHT) for seed in range(3)]
    together = figures_with_intervals(seeds)
    apart = [figures_with_intervals([each]) for each in seeds]
    for name in FIGURE_NAMES:
        assert together[name].value == pytest.approx(
            np.mean([each[name].value for each in apart]), abs=1e-12
        )


def test_actors_who_differ_make_the_interval_wider_than_clips_do() -> None:
    clips = clips_by_ability([2, 4, 6, 10, 14, 16, 18, 20])
    by_actor, by_clip = figures_with_intervals([clips]), figures_with_intervals([clips], by="clip")
    assert width(by_actor["uar"]) > 2.5 * width(by_clip["uar"])


def test_one_actor_has_figures_and_no_intervals() -> None:
    clips = clips_by_ability([12])
    found = figures_with_intervals([clips])
    assert found["accuracy"] == Estimate(0.6, None)
    assert [found[name].interval for name in FIGURE_NAMES] == [None] * 4
    assert figures_with_intervals([clips], by="clip")["accuracy"].interval is not None


def test_a_figure_that_is_the_same_with_every_actor_has_no_interval() -> None:
    """A width of 0 would claim what two actors alike by chance can't show."""
    found = figures_with_intervals([clips_by_ability([12, 12])])
    assert found["accuracy"] == Estimate(0.6, None)


def test_an_interval_stays_within_what_the_figure_can_be() -> None:
    found = figures_with_intervals([clips_by_ability([19, 20])])["accuracy"]
    assert found.interval is not None
    assert found.interval.high == 1
    assert 0 <= found.interval.low < 0.975


def test_a_figure_that_is_no_number_has_no_interval() -> None:
    clips = predicted_clips([0, 1, 0, 1], torch.full((4, 2), torch.nan), ["1", "1", "2", "3"])
    found = figures_with_intervals([clips], resamples=50)
    assert np.isnan(found["ece"].value)
    assert found["ece"].interval is None
    assert found["accuracy"].interval is not None


@pytest.mark.parametrize("num_actors", [1, 5, 3000])
def test_every_resample_draws_as_many_actors_as_there_are(num_actors: int) -> None:
    parts = list(actor_weights(num_actors, 3000, seed=0))
    assert len(parts) == (1 if num_actors < 3000 else 3)  # no more at once than memory bears
    weights = np.concatenate(parts)
    assert weights.shape == (3000, num_actors)
    assert (weights.sum(axis=1) == num_actors).all()
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.1)
    if num_actors > 1:
        assert weights.var() == pytest.approx(1 - 1 / num_actors, rel=0.05)  # multinomial


def test_intervals_of_sums_are_those_of_the_clips() -> None:
    clips = random_clips(0, EIGHT)
    assert estimates([ActorCounts.of(clips)], 500, 7) == figures_with_intervals(
        [clips], resamples=500, seed=7
    )


def test_seeds_of_other_clips_are_refused() -> None:
    with pytest.raises(UserError, match="other clips"):
        figures_with_intervals([random_clips(0, EIGHT), random_clips(0, EIGHT[1:])])


def test_the_ends_belong_to_an_interval() -> None:
    interval = Interval(0.25, 0.75)
    assert 0.25 in interval
    assert 0.75 in interval
    assert 0.76 not in interval
