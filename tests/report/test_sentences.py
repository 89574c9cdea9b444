"""Sentences that describe the intervals and p-values of a comparison."""

import math
from pathlib import Path

import pytest

from emorec.evaluation.pairwise import Pair
from emorec.evaluation.scores import Interval
from emorec.evaluation.task import Classification, Regression
from emorec.report.comparison import Comparison, compare_runs
from emorec.report.runs import find_runs
from emorec.report.sentences import describe_pair, summarize_comparison
from tests.report.conftest import RESAMPLES
from tests.report.made_runs import write_run

CLASSES = Classification(("calm", "sad"))


def pair_of(difference: float, low: float, high: float, actors_needed: int | None) -> Pair:
    return Pair(difference, Interval(low, high), 0.01, 0.01, 90, 50, 24, actors_needed)


@pytest.mark.parametrize(
    ("pair", "p_holm", "expected"),
    [
        (pair_of(0.041, 0.012, 0.07, 0), 0.01, "A is better than B: +4.1 points, 1.2 to 7.0"),
        (pair_of(-0.041, -0.07, -0.012, 0), 0.01, "B is better than A: +4.1 points, 1.2 to 7.0"),
        (
            pair_of(0.012, -0.03, 0.054, 271),
            0.01,
            "A and B do not differ significantly (difference +1.2 points, -3.0 to 5.4); "
            "about 271 more actors would be needed",
        ),
        (
            pair_of(-0.04, -0.081, 0.001, 1),
            0.01,
            "A and B do not differ significantly (difference -4.0 points, -8.1 to 0.1); "
            "about 1 more actor would be needed",
        ),
        (
            pair_of(-0.0001, -0.03, 0.0298, None),
            1.0,
            "A and B do not differ significantly (difference +0.0 points, -3.0 to 3.0); "
            "no realistic number of actors would show so small a difference",
        ),
        (
            pair_of(-0.041, -0.07, -0.012, 0),
            0.12,
            "B may be better than A (+4.1 points, 1.2 to 7.0), but not significantly: corrected p 0.120",
        ),
        (
            Pair(0.041, None, math.nan, 0.001, 30, 2, 1, None),
            math.nan,
            "A and B do not differ significantly (difference +4.1 points): "
            "one test actor allows no test of significance",
        ),
        (
            Pair(0.08, Interval(-0.12, 0.28), 0.1, 0.1, 30, 20, 2, None),
            0.1,
            "A and B do not differ significantly (difference +8.0 points, -12.0 to 28.0); "
            "2 actors are too few to estimate how many would be needed",
        ),
        (
            Pair(-0.5, None, 1e-6, 0.001, 30, 2, 24, None),
            0.001,
            "B is better than A: +50.0 points with each of 24 actors",
        ),
        (
            Pair(0.0, None, 1.0, 1.0, 0, 0, 24, None),
            1.0,
            "A and B do not differ significantly (difference +0.0 points with each of 24 actors)",
        ),
    ],
)
def test_a_pair_is_described(pair: Pair, p_holm: float, expected: str) -> None:
    assert describe_pair(CLASSES, "A", "B", pair, p_holm) == expected


def test_a_difference_of_regressors_has_three_decimals_and_the_score() -> None:
    pair = Pair(0.1, Interval(0.05, 0.15), 0.001, math.nan, 0, 0, 24, 0)
    sentence = describe_pair(Regression(("valence",)), "A", "B", pair, 0.001)
    assert sentence == "A is better than B: +0.100 CCC, 0.050 to 0.150"


def test_a_pair_is_significant_exactly_when_its_sentence_calls_one_better(
    singles: Comparison, crossed: Comparison
) -> None:
    pairs = [*singles.pairs, *crossed.pairs]
    assert {pair.significant for pair in pairs} == {True, False}
    for pair in pairs:
        sentence = describe_pair(CLASSES, pair.better, pair.other, pair.pair, pair.actor_p_holm)
        assert pair.significant == (" is better than " in sentence)


def test_the_summary_has_clips_actors_classes_and_significant_differences(
    singles: Comparison, crossed: Comparison
) -> None:
    few, many = (" ".join(summarize_comparison(each)) for each in (singles, crossed))
    assert "3 models on the same 120 clips of 2 actors (23-24), 8 classes" in few
    assert "None of the 3 differences is significant" in few
    assert "2 actors are few" in few
    assert "2 models on the same 1,440 clips of 24 actors (1-24)" in many
    assert "is better than EarlyFusionCNN, 10 frames" in many
    assert "actors are few" not in many


def test_one_model_with_one_actor_has_a_summary(tmp_path: Path) -> None:
    write_run(tmp_path / "run", split="loso", fold=3)
    comparison = compare_runs(find_runs([tmp_path])[0], resamples=RESAMPLES)
    summary = summarize_comparison(comparison)
    assert comparison.results[0].scores["uar"].interval is None
    assert summary[0].startswith("One model on the same 60 clips of actor 3")
    assert any("no intervals over actors" in line for line in summary)


def test_a_leaking_model_is_mentioned_first_and_never_the_best(leaking: Comparison) -> None:
    assert leaking.results[0].name == "CNN3D"
    first, *others = summarize_comparison(leaking)
    assert first.startswith(
        "LEAK in CNN3D: actor 23 is in the training and the validation set; "
        "actor 23 is in the training and the test set; actors 23-24 are in the validation and the test set"
    )
    assert any(line.startswith("CNNLSTM has the highest UAR") for line in others)
    assert not any("CNN3D" in line for line in others)
