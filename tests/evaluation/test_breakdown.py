"""Breakdowns agree with scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from emorec.evaluation.breakdown import (
    abstention,
    accuracy_by_group,
    confusion_matrix,
    most_confused,
    reliability,
    scores_per_name,
    scores_per_video,
)
from emorec.evaluation.intervals import scores_with_intervals, table_scores
from emorec.evaluation.predictions import align
from emorec.evaluation.task import Regression
from tests.evaluation.simulated import EIGHT, THREE, clips_of, random_clips, shuffled

ACTORS = [str(actor) for actor in range(1, 13) for _ in range(16)]
CLIPS = random_clips(0, ACTORS, skill=1.5)
RIGHT = (CLIPS["predicted"] == CLIPS["emotion"]).to_numpy()
KNOWN = {
    path: {"sex": "male" if int(actor) % 2 else "female", "statement": 1 + number % 2}
    for number, (path, actor) in enumerate(zip(CLIPS["path"], CLIPS["actor"], strict=True))
}


def test_without_groups_accuracy_is_grouped_by_actor() -> None:
    result = accuracy_by_group(EIGHT, [CLIPS])
    assert list(result) == ["actor"]
    assert list(result["actor"].index) == [str(actor) for actor in range(1, 13)]
    for actor, row in result["actor"].iterrows():
        assert row["accuracy"] == pytest.approx(RIGHT[np.array(ACTORS) == actor].mean())
        assert np.isnan(row["low"])
        assert np.isnan(row["high"])
        assert (row["clips"], row["actors"]) == (16, 1)


def test_a_group_has_the_accuracy_and_interval_of_its_clips() -> None:
    result = accuracy_by_group(EIGHT, [CLIPS], KNOWN, resamples=300, seed=4)
    assert list(result) == ["actor", "sex", "statement"]
    for grouping in ("sex", "statement"):
        for group, row in result[grouping].iterrows():
            members = [str(KNOWN[path][grouping]) == group for path in CLIPS["path"]]
            part = CLIPS[members]
            expected = scores_with_intervals(EIGHT, [part], resamples=300, seed=4)["accuracy"]
            assert expected.interval is not None
            assert row["accuracy"] == expected.value == pytest.approx(RIGHT[members].mean())
            assert (row["low"], row["high"]) == (expected.interval.low, expected.interval.high)
            assert row["clips"] == len(part) == 96
            assert row["actors"] == part["actor"].nunique()
    assert result["sex"]["actors"].tolist() == [6, 6]
    assert result["statement"].index.tolist() == ["1", "2"]


def test_clips_of_unknown_group_are_excluded_from_that_grouping_only() -> None:
    known = {path: groups for path, groups in KNOWN.items() if groups["sex"] == "female"}
    known[CLIPS["path"].iloc[0]] = {"statement": 1}
    result = accuracy_by_group(EIGHT, [CLIPS], known, resamples=10)
    assert result["sex"]["clips"].to_dict() == {"female": 96}
    assert result["statement"]["clips"].sum() == 97
    assert result["actor"]["clips"].sum() == len(ACTORS)


def test_the_actor_column_of_the_predictions_takes_precedence() -> None:
    groups = {path: {"actor": "somebody"} for path in CLIPS["path"]}
    assert len(accuracy_by_group(EIGHT, [CLIPS], groups)["actor"]) == 12


def test_accuracies_are_averaged_over_seeds() -> None:
    tables = align(EIGHT, [CLIPS, shuffled(random_clips(1, ACTORS), 2, "/elsewhere")])
    result = accuracy_by_group(EIGHT, tables, KNOWN, resamples=10)["sex"]
    expected = [
        table_scores(EIGHT, table[table["actor"].astype(int) % 2 == 0])["accuracy"]
        for table in tables
    ]
    assert result["accuracy"]["female"] == pytest.approx(np.mean(expected))


def test_confusions_are_sorted_by_their_share_of_the_true_class() -> None:
    truth = [0] * 10 + [1] * 4 + [2] * 2
    predicted = [0] * 6 + [1] * 3 + [2] + [1, 1, 1, 0] + [2, 0]
    clips = clips_of(truth, predicted, ["1"] * 8 + ["2"] * 8)
    assert most_confused(THREE, [clips]).to_numpy().tolist() == [
        ["c", "a", 1, 0.5],
        ["a", "b", 3, 0.3],
        ["b", "a", 1, 0.25],
        ["a", "c", 1, 0.1],
    ]
    assert len(most_confused(THREE, [clips], limit=2)) == 2


def test_confusions_equal_scikit_learns_averaged_over_seeds() -> None:
    tables = [CLIPS, random_clips(1, ACTORS)]
    counts = [
        sk.confusion_matrix(table["emotion"], table["predicted"], labels=EIGHT.names)
        for table in tables
    ]
    np.testing.assert_array_equal(confusion_matrix(EIGHT, tables), np.sum(counts, axis=0))
    matrix = np.mean(counts, axis=0)
    shares = matrix / matrix.sum(axis=1, keepdims=True)
    np.fill_diagonal(shares, 0)
    result = most_confused(EIGHT, tables, limit=100)
    assert len(result) == np.count_nonzero(shares)
    for _, row in result.iterrows():
        i, j = EIGHT.names.index(row["truth"]), EIGHT.names.index(row["predicted"])
        assert row["clips"] == matrix[i, j]
        assert row["share"] == pytest.approx(shares[i, j])


def test_a_perfect_model_has_no_confusions() -> None:
    assert most_confused(THREE, [clips_of([0, 1, 2], [0, 1, 2], ["1", "1", "2"])]).empty


def test_the_reliability_diagram_equals_scikit_learns() -> None:
    accuracy, confidence = calibration_curve(RIGHT, CLIPS["confidence"], n_bins=15)
    result = reliability(EIGHT, [CLIPS])
    assert result["accuracy"].tolist() == pytest.approx(accuracy.tolist())
    assert result["confidence"].tolist() == pytest.approx(confidence.tolist())
    assert (result["low"] <= result["confidence"]).all()
    assert (result["confidence"] < result["high"]).all()
    assert result["clips"].sum() == len(ACTORS)


def test_the_bins_add_up_to_the_calibration_error() -> None:
    bins = reliability(EIGHT, [CLIPS])
    error = (bins["clips"] * (bins["accuracy"] - bins["confidence"]).abs()).sum()
    assert error / len(ACTORS) == pytest.approx(table_scores(EIGHT, CLIPS)["ece"])


def test_the_bins_pool_the_clips_of_all_seeds() -> None:
    confident = clips_of([0, 0], [0, 0], ["1", "2"], confidence=0.9)
    undecided = clips_of([0, 0], [1, 0], ["1", "2"], confidence=0.5)
    result = reliability(THREE, [confident, undecided])[["clips", "accuracy", "confidence"]]
    np.testing.assert_allclose(result, [[1, 0.5, 0.5], [1, 1, 0.9]])


def test_scores_per_class_pool_the_clips_of_all_seeds() -> None:
    tables = [CLIPS, random_clips(1, ACTORS)]
    truth, predicted = (np.concatenate([t[it] for t in tables]) for it in ("emotion", "predicted"))
    expected = sk.precision_recall_fscore_support(truth, predicted, labels=EIGHT.names)
    result = scores_per_name(EIGHT, tables)
    assert list(result.index) == list(EIGHT.names)
    np.testing.assert_allclose(result[["precision", "recall", "f1"]].T, expected[:3])
    assert result["support"].tolist() == (expected[3] // 2).tolist()


def test_numbers_have_scores_per_target_and_per_video() -> None:
    task, rng = Regression(("valence", "arousal")), np.random.default_rng(0)
    true = rng.uniform(-1, 1, (60, 2))
    paths = [f"data/{'cab'[row % 3]}/{row:05d}.jpg" for row in range(60)]
    tables = [
        task.table(true, true + rng.normal(0, 0.3, true.shape), paths=paths, actors=["x"] * 60)
        for _ in range(2)
    ]
    per_target = scores_per_name(task, tables)
    per_video = scores_per_video(task, tables)
    assert list(per_video.index) == ["a", "b", "c"]
    assert per_video["clips"].tolist() == [20, 20, 20]
    scores = [table_scores(task, table) for table in tables]
    for name in task.names:
        expected = np.mean([each[f"ccc_{name}"] for each in scores])
        assert per_target["ccc"][name] == pytest.approx(expected)
    rows = [row for row in range(60) if row % 3 == 0]
    within = [task.evaluate(true[rows], task.output(table)[rows])["ccc"] for table in tables]
    assert per_video["ccc"]["c"] == pytest.approx(np.mean(within), abs=1e-6)


def test_abstaining_leaves_the_clips_of_at_least_the_confidence() -> None:
    below = float(CLIPS["confidence"].median())
    sure = (CLIPS["confidence"] >= below).to_numpy()
    assert abstention([CLIPS, CLIPS], below) == pytest.approx(
        {
            "coverage": sure.mean(),
            "accuracy": RIGHT[sure].mean(),
            "accuracy_of_others": RIGHT[~sure].mean(),
        }
    )
