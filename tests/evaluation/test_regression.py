"""Figures of predicted numbers, against numpy and torchmetrics."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchmetrics.functional.regression import concordance_corrcoef, pearson_corrcoef

from emorec.evaluation.regression import (
    NumberCollector,
    NumberPredictions,
    by_group,
    correlation,
    summarize_numbers,
)
from emorec.models.regressor import concordance
from emorec.evaluation.regression_results import RegressionResults
from emorec.evaluation.run_facts import RunFacts

NAMES = ("valence", "arousal")
FACTS = RunFacts(
    split={"name": "mine", "fold": None, "train": [], "val": [], "test": [], "hash": "ab"},
    model="emorec.models.Mine",
    num_parameters=1,
    gflops_per_clip=1.0,
    checkpoint="best.ckpt",
    train_seconds=1.0,
    epochs=1,
)


def predictions(clips: int = 400, seed: int = 0) -> NumberPredictions:
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(clips, 2, generator=generator) * 2 - 1
    noise = torch.randn(clips, 2, generator=generator)
    return NumberPredictions(torch.arange(clips), target, 0.5 * target + 0.3 * noise + 0.1)


def lin(true: NDArray[np.float64], said: NDArray[np.float64]) -> float:
    """The challenge's own formula, by numpy."""
    rho = np.corrcoef(true, said)[0, 1]
    apart = (true.mean() - said.mean()) ** 2
    return float(2 * rho * true.std() * said.std() / (true.var() + said.var() + apart))


def test_the_figures_are_those_of_numpy_over_the_whole_set() -> None:
    said = predictions()
    summary = summarize_numbers(said, NAMES)
    for place, name in enumerate(NAMES):
        true, predicted = (
            each[:, place].double().numpy() for each in (said.target, said.predicted)
        )
        scores = summary.per_target[name]
        assert scores.ccc == pytest.approx(lin(true, predicted), abs=1e-12)
        assert scores.pcc == pytest.approx(np.corrcoef(true, predicted)[0, 1], abs=1e-12)
        assert scores.rmse == pytest.approx(np.sqrt(np.mean((true - predicted) ** 2)), abs=1e-12)
        assert scores.sign_agreement == np.mean(np.sign(true) == np.sign(predicted))
    assert summary.score == pytest.approx(
        np.mean([scores.ccc for scores in summary.per_target.values()])
    )
    assert summary.logged["loss"] == 1 - summary.score


def test_torchmetrics_agrees_but_for_its_division_by_n_minus_1() -> None:
    said = predictions(20_000)
    torch.testing.assert_close(
        concordance(said.target, said.predicted),
        concordance_corrcoef(said.predicted, said.target),
        atol=1e-4,
        rtol=0,
    )
    torch.testing.assert_close(
        correlation(said.target, said.predicted), pearson_corrcoef(said.predicted, said.target)
    )


def test_the_whole_set_s_figure_is_not_the_mean_of_its_videos() -> None:
    # each video is flat, so that nothing within it agrees; over both the prediction is perfect
    numbers = torch.tensor([[0.5], [0.5], [-0.5], [-0.5]])
    said = NumberPredictions(torch.arange(4), numbers, numbers)
    assert summarize_numbers(said, ["valence"]).score == pytest.approx(1.0)
    videos = by_group(said, ["a", "a", "b", "b"], ["valence"])
    assert {video: own.score for video, own in videos.items()} == {"a": 0.0, "b": 0.0}


def test_a_constant_prediction_has_no_concordance_and_a_gradient() -> None:
    target = torch.rand(8, 2)
    predicted = torch.zeros(8, 2, requires_grad=True)
    concordance(target, predicted).mean().backward()
    assert concordance(target, predicted).tolist() == [0, 0]
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()
    assert predicted.grad.abs().sum() > 0


def test_each_clip_is_collected_once_in_order_whatever_the_batches() -> None:
    said = predictions(7)
    collector = NumberCollector(2)
    for rows in (torch.tensor([4, 5, 6]), torch.tensor([0, 1, 2, 3]), torch.tensor([4, 0])):
        collector.update(rows, said.target[rows], said.predicted[rows].double())
    for one, other in zip(collector.compute().parts, said.parts, strict=True):
        assert torch.equal(one, other)
    collector.reset()
    index, target, predicted = collector.compute().parts
    assert (index.shape, target.shape, predicted.shape) == ((0,), (0, 2), (0, 2))


def test_a_batch_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected target and predicted \(3, 2\)"):
        NumberCollector(2).update(torch.arange(3), torch.zeros(3, 1), torch.zeros(3, 2))


@pytest.mark.parametrize("target", [torch.zeros(0, 2), torch.full((2, 2), torch.nan)])
def test_what_can_t_be_measured_is_refused(target: torch.Tensor) -> None:
    said = NumberPredictions(torch.arange(len(target)), target, torch.zeros_like(target))
    with pytest.raises(ValueError, match=r"0 clips|not known"):
        summarize_numbers(said, NAMES)


def test_a_report_s_files_hold_the_figures_and_every_clip(tmp_path: Path) -> None:
    said = predictions(6)
    paths = [f"cropped_aligned/{'ab'[clip // 3]}/0000{clip}.jpg" for clip in range(6)]
    results = RegressionResults(said, NAMES)
    results.write(tmp_path, FACTS, paths=paths, actors=["a"] * 3 + ["b"] * 3)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["ccc"] == pytest.approx(results.summary.score)
    assert metrics["ccc_arousal"] == metrics["per_target"]["arousal"]["ccc"]
    assert {video: own["num_clips"] for video, own in metrics["per_video"].items()} == {
        "a": 3,
        "b": 3,
    }
    header, *rows = csv.reader((tmp_path / "predictions.csv").read_text().splitlines())
    assert header == ["path", "actor", *NAMES, "predicted valence", "predicted arousal"]
    assert [row[:2] for row in rows] == list(map(list, zip(paths, "aaabbb", strict=True)))
    table = np.array([row[2:] for row in rows], dtype=np.float32)
    np.testing.assert_array_equal(table, torch.cat([said.target, said.predicted], dim=1).numpy())
    assert (tmp_path / "plane.png").stat().st_size > 1000


def test_unknown_truth_is_an_empty_field(tmp_path: Path) -> None:
    said = NumberPredictions(torch.arange(1), torch.full((1, 2), torch.nan), torch.zeros(1, 2))
    RegressionResults(said, NAMES).write_predictions(tmp_path / "a.csv", paths=["x"], actors=["y"])
    assert (tmp_path / "a.csv").read_text().splitlines()[1] == "x,y,,,0,0"


def test_the_worst_clips_are_the_furthest_from_the_truth() -> None:
    target, predicted = torch.zeros(3, 2), torch.tensor([[0.1, 0.0], [-0.9, 0.2], [0.3, 0.3]])
    results = RegressionResults(
        NumberPredictions(torch.tensor([4, 5, 9]), target, predicted), NAMES
    )
    assert results.worst(2) == [
        (5, "(0.00, 0.00), predicted (-0.90, 0.20)"),
        (9, "(0.00, 0.00), predicted (0.30, 0.30)"),
    ]
