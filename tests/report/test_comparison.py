"""Scores of a comparison equal scikit-learn's, and a leaking model is never the best."""

import json
from pathlib import Path
from statistics import fmean, stdev

import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from emorec.report.comparison import Comparison, compare_runs
from emorec.report.runs import find_runs
from tests.report.conftest import FOLDS, RESAMPLES, SEEDS
from tests.report.made_runs import write_run


def read_predictions(folders: list[Path]) -> tuple[pd.Series, pd.Series]:
    """Read labels and predictions of all clips in folders."""
    tables = [pd.read_csv(folder / "test" / "predictions.csv") for folder in folders]
    table = pd.concat(tables)
    return table["emotion"], table["predicted"]


def compared(*folders: Path) -> Comparison:
    return compare_runs(find_runs(folders)[0], resamples=RESAMPLES)


def test_pooled_scores_are_scikit_learns_averaged_over_seeds(
    crossed: Comparison, cross_validation: Path
) -> None:
    for result in crossed.results:
        network = result.name.partition(",")[0]
        seeds = [
            read_predictions(
                [cross_validation / network / f"fold_{fold}_seed_{seed}" for fold in FOLDS]
            )
            for seed in SEEDS
        ]
        for name, oracle in (
            ("accuracy", accuracy_score),
            ("uar", balanced_accuracy_score),
            ("macro_f1", lambda truth, predicted: f1_score(truth, predicted, average="macro")),
        ):
            expected = [oracle(truth, predicted) for truth, predicted in seeds]
            assert result.scores[name].value == pytest.approx(fmean(expected))
            assert result.clip_scores[name].value == pytest.approx(fmean(expected))
            assert result.seeds[name].mean == pytest.approx(fmean(expected))
            assert result.seeds[name].sd == pytest.approx(stdev(expected))


def test_folds_have_mean_and_standard_deviation_of_their_scores(
    crossed: Comparison, cross_validation: Path
) -> None:
    folds = [
        fmean(
            balanced_accuracy_score(
                *read_predictions([cross_validation / "CNNLSTM" / f"fold_{fold}_seed_{seed}"])
            )
            for seed in SEEDS
        )
        for fold in FOLDS
    ]
    spread = crossed.results[0].folds["uar"]
    assert spread.mean == pytest.approx(fmean(folds))
    assert spread.sd == pytest.approx(stdev(folds))


def test_a_single_run_has_no_standard_deviation(
    singles: Comparison,
) -> None:
    assert all(not result.folds and not result.seeds for result in singles.results)


def test_models_are_sorted_by_uar_and_compared_pairwise(singles: Comparison) -> None:
    names = [result.name for result in singles.results]
    assert names == ["CNNLSTM", "LateFusion", "EarlyFusionCNN"]
    assert [(pair.better, pair.other) for pair in singles.pairs] == [
        ("CNNLSTM", "LateFusion"),
        ("CNNLSTM", "EarlyFusionCNN"),
        ("LateFusion", "EarlyFusionCNN"),
    ]


def test_the_majority_class_equals_scikit_learns_dummy(
    singles: Comparison, single_runs: Path
) -> None:
    truth, _ = read_predictions([single_runs / "CNNLSTM" / "version_0"])
    dummy = DummyClassifier(strategy="most_frequent").fit(truth, truth).predict(truth)
    assert singles.trivial == pytest.approx(
        {
            "accuracy": accuracy_score(truth, dummy),
            "uar": balanced_accuracy_score(truth, dummy),
            "macro_f1": f1_score(truth, dummy, average="macro"),
        }
    )


def test_cost_is_the_mean_over_runs_and_the_peak_memory(tmp_path: Path) -> None:
    for seed, memory in ((0, 5e9), (10, 7e9)):
        extra = {"peak_memory_bytes": memory, "train_clips_per_second": 100.0 + seed}
        write_run(tmp_path / str(seed), seed=seed, extra=extra)
    cost = compared(tmp_path).results[0].cost
    assert (cost["train_seconds"], cost["peak_memory_bytes"]) == (615.0, 7e9)
    assert (cost["train_clips_per_second"], cost["num_parameters"]) == (105.0, 11_967_048)


def test_flops_are_multiplied_by_the_number_of_views(tmp_path: Path) -> None:
    write_run(tmp_path / "run", extra={"views": 10})
    cost = compared(tmp_path).results[0].cost
    assert cost["gflops_per_clip"] == 181.0


def test_calibrated_predictions_have_a_separate_ece(tmp_path: Path) -> None:
    plain = write_run(tmp_path / "plain", network="LateFusion")
    tested = write_run(tmp_path / "calibrated", temperature=3.0)
    by_name = {result.name: result.scores for result in compared(tmp_path).results}
    metrics = json.loads((tested / "test" / "metrics.json").read_text())
    scores = by_name["CNNLSTM"]
    assert scores["ece_calibrated"].value == pytest.approx(metrics["ece_calibrated"], abs=1e-6)
    assert scores["ece"].value == pytest.approx(metrics["ece"], abs=1e-6)
    assert abs(scores["ece"].value - scores["ece_calibrated"].value) > 0.05
    assert scores["ece_calibrated"].interval is not None
    assert "ece_calibrated" not in by_name["LateFusion"], plain


def test_calibrated_predictions_of_all_folds_are_pooled(tmp_path: Path) -> None:
    for fold in FOLDS:
        folder = tmp_path / str(fold)
        write_run(
            folder, split="msaf6", fold=fold, temperature=1.0
        )  # temperature 1 changes nothing
    scores = compared(tmp_path).results[0].scores
    assert scores["ece_calibrated"].value == pytest.approx(scores["ece"].value, abs=1e-6)


def test_a_leaking_model_does_not_change_the_p_values_of_the_others(
    leaking: Comparison, singles: Comparison
) -> None:
    without_leak = {(pair.better, pair.other): pair for pair in singles.pairs}
    with_leak = {(pair.better, pair.other): pair for pair in leaking.pairs}
    assert len(with_leak) == 6
    for names, pair in without_leak.items():
        assert with_leak[names].actor_p_holm == pair.actor_p_holm
        assert with_leak[names].mcnemar_p_holm == pair.mcnemar_p_holm
