"""Figures of numbers and their intervals, against resamples that are really drawn."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emorec.errors import UserError
from emorec.evaluation.counts import weighted_sum
from emorec.evaluation.number_file import PredictedNumbers, read_predicted_numbers
from emorec.evaluation.number_intervals import (
    figures_of,
    number_figures_with_intervals,
    sums_of,
)
from emorec.evaluation.regression import FIGURES, NumberPredictions, summarize_numbers
from emorec.evaluation.regression_results import RegressionResults

NAMES = ("valence", "arousal")


def predicted(num_actors: int = 6, shift: float = 0.0) -> PredictedNumbers:
    """Seven clips of each of the actors, who differ."""
    draw = torch.Generator().manual_seed(1)
    rows = torch.arange(7 * num_actors)
    true = torch.rand(len(rows), 2, generator=draw) - 0.3
    said = 0.7 * true + torch.randn(len(rows), 2, generator=draw) / 4 + (rows % 3)[:, None] / 10
    actors = tuple(f"film{int(row) // 7}" for row in rows)
    numbers = NumberPredictions(rows, true + shift, said + shift)
    return PredictedNumbers(tuple(map(str, rows)), actors, NAMES, numbers)


def test_the_figures_are_those_of_the_report() -> None:
    figures = number_figures_with_intervals(predicted(), resamples=10)
    summary = summarize_numbers(predicted().predictions, NAMES)
    for name in NAMES:
        for figure in FIGURES:
            there = getattr(summary.per_target[name], figure)
            assert figures[name][figure].value == pytest.approx(there, abs=1e-6)
    assert figures["mean"]["ccc"].value == pytest.approx(summary.score, abs=1e-6)


def test_a_resample_is_what_its_clips_give_when_they_are_written_down_twice() -> None:
    clips = predicted()
    weights = np.array([[2, 0, 1, 0, 3, 0]])
    rows = torch.cat(
        [
            torch.arange(7) + 7 * actor
            for actor, times in enumerate(weights[0])
            for _ in range(times)
        ]
    )
    said = clips.predictions
    drawn = NumberPredictions(torch.arange(len(rows)), said.target[rows], said.predicted[rows])
    there = summarize_numbers(drawn, NAMES)
    here = figures_of(weighted_sum(weights, sums_of(clips)))
    for figure in FIGURES:
        each = [getattr(there.per_target[name], figure) for name in NAMES]
        np.testing.assert_allclose(here[figure][0], [*each, np.mean(each)], atol=1e-6)


def test_the_interval_is_the_t_interval_of_resamples_that_are_drawn_one_by_one() -> None:
    clips = predicted()
    draw = np.random.default_rng(5)
    drawn = []
    for _ in range(2000):
        chosen = draw.integers(6, size=6)
        rows = torch.cat([torch.arange(7) + 7 * int(actor) for actor in chosen])
        said = clips.predictions
        part = NumberPredictions(torch.arange(len(rows)), said.target[rows], said.predicted[rows])
        drawn.append(summarize_numbers(part, NAMES).score)
    half = 2.5706 * np.std(drawn) * np.sqrt(6 / 5)  # t of 5 degrees of freedom
    interval = number_figures_with_intervals(clips)["mean"]["ccc"].interval
    assert interval is not None
    assert interval.half_width == pytest.approx(half, rel=0.1)


def test_numbers_far_from_zero_lose_nothing() -> None:
    near, far = (
        number_figures_with_intervals(predicted(shift=shift), resamples=100)["mean"]["ccc"]
        for shift in (0.0, 100.0)
    )
    assert near.value == pytest.approx(far.value, abs=1e-4)


def test_one_actor_has_no_interval_and_constants_agree_in_nothing() -> None:
    assert number_figures_with_intervals(predicted(1))["valence"]["ccc"].interval is None
    flat = NumberPredictions(torch.arange(2), torch.ones(2, 1), torch.ones(2, 1))
    figures = number_figures_with_intervals(
        PredictedNumbers(("a", "b"), ("a", "b"), ("valence",), flat), resamples=10
    )
    assert figures["valence"]["ccc"].value == 0


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    clips = predicted()
    path = tmp_path / "predictions.csv"
    RegressionResults(clips.predictions, NAMES).write_predictions(
        path, paths=clips.paths, actors=clips.actors
    )
    read = read_predicted_numbers(path)
    assert (read.paths, read.actors, read.target_names) == (clips.paths, clips.actors, NAMES)
    torch.testing.assert_close(read.predictions.target, clips.predictions.target)
    torch.testing.assert_close(read.predictions.predicted, clips.predictions.predicted)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", "holds no predicted numbers"),
        ("", "holds no predicted numbers"),
        ("path,actor,v,predicted v\nx,1,0.5\n", "clip 1 has 3 fields, not 4"),
        ("path,actor,v,predicted v\nx,1,0.5,much\n", "clip 1 can't be read"),
    ],
)
def test_a_file_of_something_else_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_predicted_numbers(path)
