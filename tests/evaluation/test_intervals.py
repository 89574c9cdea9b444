"""Intervals are t intervals where the score is a mean of actors, and agree with scipy's bootstrap."""

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


def clips_by_ability(right_of_twenty: list[int]) -> pd.DataFrame:
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
    found = scores_with_intervals(TWO, [clips_by_ability(right)])["accuracy"]
    expected = stats.ttest_1samp(np.array(right) / 20, 0).confidence_interval(0.95)
    assert found.value == pytest.approx(np.mean(right) / 20)
    assert found.interval is not None
    assert found.interval.low == pytest.approx(expected.low, abs=0.005)
    assert found.interval.high == pytest.approx(expected.high, abs=0.005)


def test_the_interval_by_clip_is_that_of_a_coin() -> None:
    found = scores_with_intervals(
        TWO, [clips_by_ability([4, 9, 11, 12, 12, 14, 15, 18])], by="clip"
    )
    share, num_clips = found["accuracy"].value, 160
    expected = (
        2 * stats.t.ppf(0.975, num_clips - 1) * np.sqrt(share * (1 - share) / (num_clips - 1))
    )
    assert width(found["accuracy"]) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("name", METRICS)
def test_the_standard_error_is_that_of_scipys_bootstrap(name: str) -> None:
    uneven = [EIGHT_ACTORS[row] for row in np.random.default_rng(0).integers(0, 160, 120)]
    _, sums = actor_sums(EIGHT, random_clips(1, uneven))
    [weights] = actor_weights(8, 10_000, seed=0)
    ours = standard_error(EIGHT.scores(weights @ sums)[name], 8)

    def figure(drawn: np.ndarray) -> float:
        return float(EIGHT.scores(np.bincount(drawn, minlength=8) @ sums)[name])

    actors = (np.arange(8),)
    draw = np.random.default_rng(1)
    scipys = stats.bootstrap(
        actors, figure, vectorized=False, method="percentile", n_resamples=4000, rng=draw
    )
    assert ours == pytest.approx(scipys.standard_error * np.sqrt(8 / 7), rel=0.05)


def test_the_same_seed_gives_the_same_intervals_and_another_nearly_the_same() -> None:
    clips = random_clips(0, EIGHT_ACTORS)
    once, again = scores_with_intervals(EIGHT, [clips]), scores_with_intervals(EIGHT, [clips])
    other = scores_with_intervals(EIGHT, [clips], seed=1)
    assert once == again
    assert once != other
    for name in METRICS:
        assert width(other[name]) == pytest.approx(width(once[name]), rel=0.05)


def test_a_second_seed_that_says_the_same_changes_nothing() -> None:
    clips = random_clips(0, EIGHT_ACTORS)
    one = scores_with_intervals(EIGHT, [clips])
    two = scores_with_intervals(EIGHT, align(EIGHT, [clips, shuffled(clips, 3, "/elsewhere")]))
    for name in METRICS:
        assert two[name].value == pytest.approx(one[name].value)
        assert width(two[name]) == pytest.approx(width(one[name]))


def test_a_resample_draws_the_same_actors_for_every_seed() -> None:
    """Two seeds whose actors make up for each other are equally good with everyone on average."""
    right = [4, 6, 8, 12, 14, 16]
    one, other = clips_by_ability(right), clips_by_ability([20 - each for each in right])
    assert width(scores_with_intervals(TWO, [one])["accuracy"]) > 0.3
    together = scores_with_intervals(TWO, [one, other])["accuracy"]
    assert together == Estimate(0.5, None)


def test_the_estimate_is_the_mean_over_seeds() -> None:
    seeds = [random_clips(seed, EIGHT_ACTORS) for seed in range(3)]
    together = scores_with_intervals(EIGHT, seeds)
    apart = [scores_with_intervals(EIGHT, [each]) for each in seeds]
    for name in METRICS:
        assert together[name].value == pytest.approx(
            np.mean([each[name].value for each in apart]), abs=1e-12
        )


def test_actors_who_differ_make_the_interval_wider_than_clips_do() -> None:
    clips = clips_by_ability([2, 4, 6, 10, 14, 16, 18, 20])
    by_actor = scores_with_intervals(TWO, [clips])
    by_clip = scores_with_intervals(TWO, [clips], by="clip")
    assert width(by_actor["uar"]) > 2.5 * width(by_clip["uar"])


def test_one_actor_has_figures_and_no_intervals() -> None:
    clips = clips_by_ability([12])
    found = scores_with_intervals(TWO, [clips])
    assert found["accuracy"] == Estimate(0.6, None)
    assert [found[name].interval for name in METRICS] == [None] * 4
    assert scores_with_intervals(TWO, [clips], by="clip")["accuracy"].interval is not None


def test_a_figure_that_is_the_same_with_every_actor_has_no_interval() -> None:
    """A width of 0 would claim what two actors alike by chance can't show."""
    found = scores_with_intervals(TWO, [clips_by_ability([12, 12])])
    assert found["accuracy"] == Estimate(0.6, None)


def test_an_interval_stays_within_what_the_figure_can_be() -> None:
    found = scores_with_intervals(TWO, [clips_by_ability([19, 20])])["accuracy"]
    assert found.interval is not None
    assert found.interval.high == 1
    assert 0 <= found.interval.low < 0.975


def test_a_figure_that_is_no_number_has_no_interval() -> None:
    clips = table_of([0, 1, 0, 1], np.full((4, 2), np.nan), ["1", "1", "2", "3"])
    found = scores_with_intervals(TWO, [clips], resamples=50)
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
    clips = random_clips(0, EIGHT_ACTORS)
    _, sums = actor_sums(EIGHT, clips)
    assert estimates(EIGHT, [sums], 500, 7) == scores_with_intervals(
        EIGHT, [clips], resamples=500, seed=7
    )


def test_seeds_that_are_not_aligned_are_refused() -> None:
    clips = random_clips(0, EIGHT_ACTORS)
    for other in (random_clips(0, EIGHT_ACTORS[1:]), shuffled(clips, 1, "/elsewhere")):
        with pytest.raises(ValueError, match="align them first"):
            scores_with_intervals(EIGHT, [clips, other])
    with pytest.raises(ValueError, match="no predictions"):
        scores_with_intervals(EIGHT, [])


def test_the_sums_of_an_actor_are_the_confusion_matrix_of_the_actors_clips() -> None:
    uneven = [EIGHT_ACTORS[row] for row in np.random.default_rng(0).integers(0, 160, 120)]
    clips = random_clips(3, uneven)
    actors, sums = actor_sums(EIGHT, clips)
    assert actors == sorted(set(uneven))
    for actor, own in zip(actors, sums, strict=True):
        members = clips[clips["actor"] == actor]
        expected = confusion_matrix(members["emotion"], members["predicted"], labels=EIGHT.names)
        assert EIGHT.confusion(own).tolist() == expected.tolist()
        assert EIGHT.calibration_bins(own)[:, 0].sum() == len(members)


def test_by_clip_every_clip_is_an_actor_of_its_own() -> None:
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


def test_clips_without_truth_and_no_clips_have_no_scores() -> None:
    clips = clips_of([0, -1, 1], [0, 1, 1], ["1", "1", "2"])
    with pytest.raises(UserError, match=r"1/001\.mp4 has no true emotion"):
        actor_sums(THREE, clips)
    with pytest.raises(UserError, match="0 clips"):
        actor_sums(THREE, clips.iloc[:0])


def test_the_ends_belong_to_an_interval() -> None:
    interval = Interval(0.25, 0.75)
    assert 0.25 in interval
    assert 0.75 in interval
    assert 0.76 not in interval
