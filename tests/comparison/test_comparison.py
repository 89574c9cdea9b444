"""The figures of a comparison are scikit-learn's, and a leak is never the best model."""

import json
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from emorec.comparison.comparison import Comparison
from emorec.comparison.find import find_runs
from emorec.comparison.words import verdict
from emorec.evaluation.predictions import read_predictions
from tests.comparison.conftest import FOLDS, RESAMPLES, SEEDS
from tests.comparison.made_runs import write_run


def read(folders: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Truth and predictions of all clips in folders."""
    parts = [
        read_predictions(folder / "test" / "predictions.csv").predictions for folder in folders
    ]
    target = torch.cat([part.target for part in parts]).numpy()
    return target, torch.cat([part.predicted for part in parts]).numpy()


def test_pooled_figures_are_the_mean_over_seeds_of_scikit_learns(
    crossed: Comparison, cross_validation: Path
) -> None:
    for result in crossed.results:
        network = result.name.partition(",")[0]
        seeds = [
            read([cross_validation / network / f"fold_{fold}_seed_{seed}" for fold in FOLDS])
            for seed in SEEDS
        ]
        for name, oracle in (
            ("accuracy", accuracy_score),
            ("uar", balanced_accuracy_score),
            ("macro_f1", lambda truth, said: f1_score(truth, said, average="macro")),
        ):
            expected = [oracle(truth, said) for truth, said in seeds]
            assert result.by_actor[name].value == pytest.approx(fmean(expected))
            assert result.by_clip[name].value == pytest.approx(fmean(expected))
            assert result.seeds[name].mean == pytest.approx(fmean(expected))
            assert result.seeds[name].deviation == pytest.approx(stdev(expected))


def test_folds_give_mean_and_deviation_of_their_own_figures(
    crossed: Comparison, cross_validation: Path
) -> None:
    folds = [
        fmean(
            balanced_accuracy_score(
                *read([cross_validation / "CNNLSTM" / f"fold_{fold}_seed_{seed}"])
            )
            for seed in SEEDS
        )
        for fold in FOLDS
    ]
    said = crossed.results[0].folds["uar"]
    assert said.mean == pytest.approx(fmean(folds))
    assert said.deviation == pytest.approx(stdev(folds))


def test_without_folds_and_seeds_there_is_nothing_to_take_a_deviation_of(
    singles: Comparison,
) -> None:
    assert all(not result.folds and not result.seeds for result in singles.results)


def test_models_are_sorted_by_uar_and_each_two_are_a_pair(singles: Comparison) -> None:
    names = [result.name for result in singles.results]
    assert names == ["CNNLSTM", "LateFusion", "EarlyFusionCNN"]
    assert [(pair.better, pair.other) for pair in singles.pairs] == [
        ("CNNLSTM", "LateFusion"),
        ("CNNLSTM", "EarlyFusionCNN"),
        ("LateFusion", "EarlyFusionCNN"),
    ]


def test_a_pair_is_told_apart_when_its_sentence_says_better(
    singles: Comparison, crossed: Comparison
) -> None:
    pairs = [*singles.pairs, *crossed.pairs]
    assert {pair.told_apart for pair in pairs} == {True, False}
    for pair in pairs:
        assert pair.told_apart == (" is better than " in pair.sentence)


def test_the_majority_class_is_scikit_learns_dummy(singles: Comparison, single_runs: Path) -> None:
    truth, _ = read([single_runs / "CNNLSTM" / "version_0"])
    dummy = DummyClassifier(strategy="most_frequent").fit(truth, truth).predict(truth)
    assert singles.majority == pytest.approx(
        {
            "accuracy": accuracy_score(truth, dummy),
            "uar": balanced_accuracy_score(truth, dummy),
            "macro_f1": f1_score(truth, dummy, average="macro"),
        }
    )


def test_cost_is_the_mean_of_the_runs_and_the_most_memory(tmp_path: Path) -> None:
    for seed, memory in ((0, 5e9), (10, 7e9)):
        extra = {"peak_memory_bytes": memory, "train_clips_per_second": 100.0 + seed}
        write_run(tmp_path / str(seed), seed=seed, extra=extra)
    cost = Comparison.of(find_runs([tmp_path]), resamples=RESAMPLES).results[0].cost
    assert (cost.train_seconds, cost.peak_memory_bytes) == (615.0, 7e9)
    assert (cost.train_clips_per_second, cost.num_parameters) == (105.0, 11_967_048)


def test_views_of_a_clip_cost_as_often_as_there_are(tmp_path: Path) -> None:
    write_run(tmp_path / "run", extra={"views": 10})
    cost = Comparison.of(find_runs([tmp_path]), resamples=RESAMPLES).results[0].cost
    assert cost.gflops_per_clip == 181.0


def test_calibrated_predictions_have_an_ece_of_their_own(tmp_path: Path) -> None:
    plain = write_run(tmp_path / "plain", network="LateFusion")
    tested = write_run(tmp_path / "calibrated", temperature=3.0)
    by_name = {
        result.name: result.by_actor
        for result in Comparison.of(find_runs([tmp_path]), resamples=RESAMPLES).results
    }
    metrics = json.loads((tested / "test" / "metrics.json").read_text())
    told = by_name["CNNLSTM"]
    assert told["ece_calibrated"].value == pytest.approx(metrics["ece_calibrated"], abs=1e-6)
    assert told["ece"].value == pytest.approx(metrics["ece"], abs=1e-6)
    assert abs(told["ece"].value - told["ece_calibrated"].value) > 0.05
    assert told["ece_calibrated"].interval is not None
    assert "ece_calibrated" not in by_name["LateFusion"], plain


def test_the_calibrated_predictions_of_all_folds_are_put_together(tmp_path: Path) -> None:
    for fold in FOLDS:
        folder = tmp_path / str(fold)
        write_run(folder, split="msaf6", fold=fold, temperature=1.0)  # which changes nothing
    told = Comparison.of(find_runs([tmp_path]), resamples=RESAMPLES).results[0].by_actor
    assert told["ece_calibrated"].value == pytest.approx(told["ece"].value, abs=1e-6)


def test_a_leak_does_not_make_it_harder_for_the_others(
    leaking: Comparison, singles: Comparison
) -> None:
    alone = {(pair.better, pair.other): pair for pair in singles.pairs}
    beside = {(pair.better, pair.other): pair for pair in leaking.pairs}
    assert len(beside) == 6
    for names, pair in alone.items():
        assert beside[names].actor_p_holm == pair.actor_p_holm
        assert beside[names].mcnemar_p_holm == pair.mcnemar_p_holm


def test_what_the_test_tells_apart_is_said_in_words(
    singles: Comparison, crossed: Comparison
) -> None:
    few, many = " ".join(verdict(singles)), " ".join(verdict(crossed))
    assert "3 models on the same 120 clips of 2 actors (23-24), 8 classes" in few
    assert "2 actors are few" in few
    assert "2 models on the same 1,440 clips of 24 actors (1-24)" in many
    assert "is better than EarlyFusionCNN, 10 frames" in many
    assert "actors are few" not in many


def test_one_model_and_one_actor_are_enough_for_words(tmp_path: Path) -> None:
    write_run(tmp_path / "run", split="loso", fold=3)
    comparison = Comparison.of(find_runs([tmp_path]), resamples=RESAMPLES)
    said = verdict(comparison)
    assert comparison.results[0].by_actor["uar"].interval is None
    assert said[0].startswith("One model on the same 60 clips of actor 3")
    assert any("no intervals over actors" in line for line in said)


def test_a_leaking_model_is_named_first_and_never_the_best(leaking: Comparison) -> None:
    assert leaking.results[0].name == "CNN3D"
    first, *rest = verdict(leaking)
    assert first.startswith(
        "LEAK in CNN3D: actor 23 trained and validated; actor 23 trained and was tested; "
        "each of 23-24 validated and was tested"
    )
    assert any(line.startswith("CNNLSTM has the highest UAR") for line in rest)
    assert not any("CNN3D" in line for line in rest)
