"""Figures of predicted numbers from sums by actor: those of numpy, and intervals that hold a truth that is known."""

import numpy as np
import pytest
import torch

from emorec.errors import UserError
from emorec.evaluation.intervals import figures_with_intervals
from emorec.evaluation.moments import ActorMoments
from emorec.evaluation.numbers_file import PredictedNumbers, read_numbers, write_numbers
from emorec.evaluation.pairwise import compare_pair
from emorec.app.answer import sentence
from emorec.evaluation.regression import NumberPredictions, summarize_numbers

NAMES = ("valence", "arousal")


def predicted_numbers(true: np.ndarray, said: np.ndarray, actors: list[str]) -> PredictedNumbers:
    number = len(true)
    return PredictedNumbers(
        tuple(f"data/{actor}/{row:05d}.jpg" for row, actor in enumerate(actors)),
        tuple(actors),
        NAMES,
        NumberPredictions(
            torch.arange(number), torch.tensor(true).float(), torch.tensor(said).float()
        ),
    )


def drawn(
    seed: int, *, actors: int = 30, clips: int = 40, noise: float = 0.4, shift: float = 0.3
) -> PredictedNumbers:
    """The truth has variance 1; what is said of an actor is off by his own shift, and of each clip by noise."""
    draw = np.random.default_rng(seed)
    true = draw.normal(0, 1, (actors * clips, 2))
    off = np.repeat(draw.normal(0, shift, (actors, 2)), clips, axis=0)
    said = true + off + draw.normal(0, noise, true.shape)
    return predicted_numbers(
        true, said, [f"a{actor:02d}" for actor in range(actors) for _ in range(clips)]
    )


def numpy_ccc(true: np.ndarray, said: np.ndarray) -> float:
    apart = (true.mean() - said.mean()) ** 2
    return float(2 * np.cov(true, said, bias=True)[0, 1] / (true.var() + said.var() + apart))


def test_sums_give_the_figures_over_all_clips() -> None:
    clips = drawn(0, actors=5)
    summary = summarize_numbers(clips.predictions, NAMES)
    found = {name: float(value[0]) for name, value in ActorMoments.of(clips).figures().items()}
    assert found == pytest.approx(
        {name: value for name, value in summary.logged.items() if name != "loss"}, abs=1e-9
    )


def test_weights_count_an_actor_s_clips_as_often_as_numpy_repeats_them() -> None:
    clips = drawn(1, actors=4, clips=10)
    weights = np.array([[2, 0, 1, 1], [0, 0, 4, 0]])
    found = ActorMoments.of(clips).figures(weights)
    true, said = clips.predictions.target.numpy(), clips.predictions.predicted.numpy()
    for row, weight in enumerate(weights):
        repeats = np.repeat(weight, 10)
        t, p = np.repeat(true, repeats, axis=0), np.repeat(said, repeats, axis=0)
        cccs = [numpy_ccc(t[:, n].astype(float), p[:, n].astype(float)) for n in (0, 1)]
        assert found["ccc"][row] == pytest.approx(np.mean(cccs))
        assert found["ccc_arousal"][row] == pytest.approx(cccs[1])
        assert found["rmse"][row] == pytest.approx(np.sqrt(((t - p) ** 2).mean(axis=0)).mean())
        pearson = [np.corrcoef(t[:, n], p[:, n])[0, 1] for n in (0, 1)]
        assert found["pcc"][row] == pytest.approx(np.mean(pearson), abs=1e-6)


def test_what_does_not_vary_agrees_with_nothing() -> None:
    true = np.array([[0.1, 0.2], [0.5, -0.3]])
    constant = predicted_numbers(true, np.full_like(true, 0.3), ["a", "b"])
    figures = ActorMoments.of(constant).figures(np.array([[1, 1], [2, 0]]))
    assert figures["ccc"].tolist() == [0, 0]
    assert figures["pcc"].tolist() == [0, 0]


def test_intervals_hold_the_true_ccc_in_about_95_of_100_experiments() -> None:
    """True CCC: 2 / (1 + 1 + 0.3² + 0.4²); the mean shift of actors at large is 0."""
    truth = 2 / (2 + 0.3**2 + 0.4**2)
    held = []
    for seed in range(200):
        interval = figures_with_intervals([drawn(seed)], resamples=300, seed=seed)["ccc"].interval
        assert interval
        held.append(truth in interval)
    assert 0.88 <= np.mean(held) <= 0.99


def test_a_pair_differs_by_the_ccc_and_has_no_mcnemar() -> None:
    better, worse = drawn(3, noise=0.2), drawn(3, noise=1.0)
    pair = compare_pair([better], [worse], resamples=500)
    cccs = [summarize_numbers(each.predictions, NAMES).score for each in (better, worse)]
    assert pair.difference == pytest.approx(cccs[0] - cccs[1])
    assert np.isnan(pair.mcnemar_p)
    said = sentence("A", "B", pair, pair.actor_p)
    assert said.startswith(f"A is better than B: +{cccs[0] - cccs[1]:.3f} CCC, ")
    same = compare_pair([better], [better], resamples=100)
    assert same.difference == 0
    assert same.interval is None


def test_a_file_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("file") / "predictions.csv"
    clips = drawn(4, actors=2, clips=3)
    write_numbers(
        path, clips.predictions, paths=clips.paths, actors=clips.actors, target_names=NAMES
    )
    found = read_numbers(path)
    assert (found.paths, found.actors, found.names) == (clips.paths, clips.actors, NAMES)
    assert torch.equal(found.predictions.target, clips.predictions.target)
    assert torch.equal(found.predictions.predicted, clips.predictions.predicted)
    path.write_text(path.read_text().replace("predicted valence", "said"))
    with pytest.raises(UserError, match="is no file of predicted numbers"):
        read_numbers(path)


def test_unknown_truth_has_no_figures() -> None:
    with pytest.raises(UserError, match=r"valence of data/b/00001\.jpg is not known"):
        ActorMoments.of(
            predicted_numbers(np.array([[0, 0], [np.nan, 0]]), np.zeros((2, 2)), ["a", "b"])
        )
