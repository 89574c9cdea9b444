"""Scores, tables and captions of both tasks, against scikit-learn and numpy."""

import math
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sk

from emorec.evaluation.intervals import estimates
from emorec.evaluation.task import Classification, Regression, Task
from tests.evaluation.simulated import EIGHT, THREE, TWO

NUMBERS = Regression(("valence", "arousal"))


def random_outputs(
    seed: int, *, num_clips: int, classes: range, num_classes: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels of a subset of the classes; logits of all classes that slightly favour the true one."""
    rng = np.random.default_rng(seed)
    target = rng.choice(np.array(classes), num_clips)
    logits = rng.normal(0, 2, (num_clips, num_classes))
    logits[np.arange(num_clips), target] += 1
    logits[:, num_classes - 1] -= 20 * (
        seed % 2
    )  # in every second case the last class is never predicted
    return target, logits


def random_numbers(seed: int, num_clips: int = 400) -> tuple[NDArray[np.float64], ...]:
    rng = np.random.default_rng(seed)
    target = rng.uniform(-1, 1, (num_clips, 2))
    return target, 0.5 * target + rng.normal(0.1, 0.3, target.shape)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def calibration_error(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """Guo et al. 2017, equation 3: sum over 15 bins of share times |accuracy - confidence|."""
    edges = np.linspace(0, 1, 16)
    error = 0.0
    for number in range(15):
        upper = confidence < edges[number + 1] if number < 14 else True
        members = (confidence >= edges[number]) & upper
        if members.any():
            error += members.mean() * abs(correct[members].mean() - confidence[members].mean())
    return error


def lin(true: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """The concordance correlation coefficient as defined by the challenge."""
    rho = np.corrcoef(true, predicted)[0, 1]
    shift = (true.mean() - predicted.mean()) ** 2
    return float(2 * rho * true.std() * predicted.std() / (true.var() + predicted.var() + shift))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("num_clips", "classes", "num_classes"),
    [
        pytest.param(240, range(8), 8, id="all eight classes"),
        pytest.param(60, range(6), 8, id="two classes never occur"),
        pytest.param(40, range(2, 3), 8, id="one class alone occurs"),
        pytest.param(30, range(2), 2, id="two classes"),
        pytest.param(1, range(3), 3, id="one clip"),
    ],
)
def test_the_scores_of_classes_equal_scikit_learns(
    seed: int, num_clips: int, classes: range, num_classes: int
) -> None:
    task = Classification(tuple("abcdefgh"[:num_classes]))
    truth, logits = random_outputs(
        seed, num_clips=num_clips, classes=classes, num_classes=num_classes
    )
    predicted, labels = logits.argmax(axis=1), np.arange(num_classes)
    scores = task.evaluate(truth, logits)
    assert scores["accuracy"] == pytest.approx(sk.accuracy_score(truth, predicted))
    recalls = sk.recall_score(truth, predicted, labels=labels, average=None, zero_division=0)
    assert scores["uar"] == pytest.approx(recalls[np.unique(truth)].mean())
    assert scores["macro_f1"] == pytest.approx(
        sk.f1_score(truth, predicted, average="macro", zero_division=0)
    )
    assert scores["loss"] == pytest.approx(sk.log_loss(truth, softmax(logits), labels=labels))
    confidence = softmax(logits).max(axis=1)
    assert scores["ece"] == pytest.approx(calibration_error(confidence, truth == predicted))
    [sums] = task.sums(truth, logits)
    matrix = sk.confusion_matrix(truth, predicted, labels=labels)
    np.testing.assert_array_equal(task.confusion(sums), matrix)
    expected = sk.precision_recall_fscore_support(
        truth, predicted, labels=labels, zero_division=np.nan
    )
    per_class = task.per_name(sums)
    for name, column in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        np.testing.assert_allclose(per_class[name], column, err_msg=name)
    assert per_class["accuracy"].tolist() == pytest.approx(
        [sk.accuracy_score(truth == label, predicted == label) for label in labels]
    )


def test_uar_is_scikit_learns_balanced_accuracy_when_every_predicted_class_occurs() -> None:
    truth, logits = random_outputs(2, num_clips=200, classes=range(8), num_classes=8)
    expected = sk.balanced_accuracy_score(truth, logits.argmax(axis=1))
    assert EIGHT.evaluate(truth, logits)["uar"] == pytest.approx(expected)


def test_predicting_an_absent_class_lowers_f1_but_not_recall() -> None:
    scores = THREE.evaluate([0, 0, 0, 0], np.eye(3)[[0, 0, 0, 1]])
    assert scores["uar"] == pytest.approx(3 / 4)
    assert scores["macro_f1"] == pytest.approx((6 / 7 + 0) / 2)


def test_logits_between_0_and_1_are_still_logits() -> None:
    confidence = np.array([1 / (1 + math.exp(-0.8)), 1 / (1 + math.exp(-0.6))])
    expected = calibration_error(confidence, np.array([True, True]))
    assert TWO.evaluate([0, 1], [[0.9, 0.1], [0.2, 0.8]])["ece"] == pytest.approx(expected)


def test_confidence_1_is_in_the_last_bin() -> None:
    logits = np.array([[1000.0, 0.0], [1000.0, 0.0], [3.0, 0.0]])
    bins = TWO.calibration_bins(TWO.sums([0, 1, 0], logits)[0])
    assert bins[-1].tolist() == pytest.approx([3, 2, 2 + 1 / (1 + math.exp(-3))])
    assert bins[:-1].sum() == 0
    correct = np.array([True, False, True])
    expected = calibration_error(softmax(logits).max(axis=1), correct)
    assert TWO.evaluate([0, 1, 0], logits)["ece"] == pytest.approx(expected)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_diverged_network_has_scores_and_a_loss_that_is_nan(value: float) -> None:
    scores = THREE.evaluate([0, 1, 2, 0], np.full((4, 3), value))
    assert math.isnan(scores["loss"])
    assert math.isnan(scores["ece"])
    assert scores["uar"] == pytest.approx(1 / 3)
    numbers = NUMBERS.evaluate(random_numbers(0, 4)[0], np.full((4, 2), math.nan))
    assert math.isnan(numbers["ccc"])


def test_the_scores_of_numbers_are_numpys_over_the_whole_set() -> None:
    target, output = random_numbers(0)
    scores = NUMBERS.evaluate(target, output)
    per_target = NUMBERS.per_name(NUMBERS.sums(target, output)[0])
    for column, name in enumerate(NUMBERS.names):
        true, predicted = target[:, column], output[:, column]
        row = per_target.loc[name]
        assert row["ccc"] == scores[f"ccc_{name}"] == pytest.approx(lin(true, predicted), abs=1e-12)
        assert row["pcc"] == pytest.approx(np.corrcoef(true, predicted)[0, 1], abs=1e-12)
        assert row["rmse"] == pytest.approx(np.sqrt(np.mean((true - predicted) ** 2)), abs=1e-12)
        assert row["sign_agreement"] == np.mean(np.sign(true) == np.sign(predicted))
    for metric in ("ccc", "pcc", "rmse", "sign_agreement"):
        assert scores[metric] == pytest.approx(per_target[metric].mean())
    assert scores["loss"] == 1 - scores["ccc"]


def test_the_score_of_the_whole_set_is_not_the_mean_of_its_videos() -> None:
    # each video is constant, so its CCC is 0; over both videos the prediction is perfect
    numbers, task = np.array([[0.5], [0.5], [-0.5], [-0.5]]), Regression(("valence",))
    assert task.evaluate(numbers, numbers)["ccc"] == pytest.approx(1.0)
    videos = task.sums(numbers, numbers, np.array([0, 0, 1, 1]))
    assert task.scores(videos)["ccc"].tolist() == [0, 0]


@pytest.mark.parametrize("task", [EIGHT, NUMBERS], ids=lambda task: str(task.kind))
def test_weighted_statistics_equal_repeated_clips(task: Task) -> None:
    group = np.random.default_rng(0).choice(5, 200, p=[0.5, 0.2, 0.2, 0.06, 0.04])
    if task is EIGHT:
        target, output = random_outputs(2, num_clips=200, classes=range(8), num_classes=8)
    else:
        target, output = random_numbers(1, 200)  # type: ignore[assignment]
    weights = np.random.default_rng(2).multinomial(5, [0.2] * 5, size=20)
    weights[0] = 0, 0, 0, 5, 0  # a single actor
    scores = task.scores(weights @ task.sums(target, output, group))
    for resample, weight in enumerate(weights):
        rows = np.repeat(np.arange(200), weight[group])
        expected = task.evaluate(target[rows], output[rows])
        for name, values in scores.items():
            assert values[resample] == pytest.approx(expected[name], abs=1e-9), name


@pytest.mark.parametrize(
    ("task", "target"),
    [
        (THREE, []),
        (THREE, [0, -1]),
        (NUMBERS, np.zeros((0, 2))),
        (NUMBERS, np.full((2, 2), np.nan)),
    ],
)
def test_unlabelled_clips_have_no_scores(task: Task, target: list[int]) -> None:
    output = np.zeros((len(target), len(task.names)))
    with pytest.raises(ValueError, match=r"0 clips|unknown truth"):
        task.evaluate(target, output)


def test_the_majority_class_has_chance_uar_for_any_imbalance() -> None:
    scores = Classification(tuple("abcd")).trivial_scores([0] * 97 + [1, 2, 3])
    assert scores["accuracy"] == pytest.approx(0.97)
    assert scores["uar"] == pytest.approx(1 / 4)
    assert "ece" not in scores


def test_predicting_the_mean_has_zero_ccc_and_the_standard_deviation_as_rmse() -> None:
    target, _ = random_numbers(0)
    scores = NUMBERS.trivial_scores(target)
    assert scores["ccc"] == 0
    assert scores["rmse"] == pytest.approx(target.std(axis=0).mean())
    assert "pcc" not in scores


def test_the_most_confident_errors_come_first_and_correct_predictions_never() -> None:
    logits = [[9.0, 0.0], [1.0, 0.0], [3.0, 0.0], [2.0, 0.0], [8.0, 0.0]]
    target = [0, 1, 1, 1, -1]
    assert [row for row, _ in TWO.worst(target, logits, limit=9)] == [2, 3, 1]
    assert [row for row, _ in TWO.worst(target, logits, limit=2)] == [2, 3]
    assert TWO.worst(target, logits, limit=0) == []
    assert TWO.worst([0], [[9.0, 0.0]], limit=2) == []


def test_the_largest_errors_of_numbers_come_first() -> None:
    output = [[0.1, 0.0], [-0.9, 0.2], [0.3, 0.3]]
    assert NUMBERS.worst(np.zeros((3, 2)), output, limit=2) == [
        (1, "(0.00, 0.00), predicted (-0.90, 0.20)"),
        (2, "(0.00, 0.00), predicted (0.30, 0.30)"),
    ]


def test_values_and_outputs_round_trip() -> None:
    _, logits = random_outputs(0, num_clips=20, classes=range(8), num_classes=8)
    values = EIGHT.values(logits)
    np.testing.assert_allclose(values, softmax(logits))
    np.testing.assert_allclose(EIGHT.values(EIGHT.to_output(values)), values)
    certain = EIGHT.to_output(np.eye(8))
    assert np.isfinite(certain).all()
    assert EIGHT.evaluate(np.arange(8), certain)["uar"] == 1


def test_the_task_is_recognised_by_the_columns_of_its_table() -> None:
    for temperature in (None, 2.0):
        table = THREE.table([0], [[1, 0, 0]], paths=["a"], actors=["b"], temperature=temperature)
        assert Classification.from_columns(table.columns) == THREE
        assert Regression.from_columns(table.columns) is None
    numbers = NUMBERS.table([[0, 0]], [[0, 0]], paths=["a"], actors=["b"])
    assert Regression.from_columns(numbers.columns) == NUMBERS
    assert Classification.from_columns(numbers.columns) is None


def test_intervals_contain_the_true_ccc_in_about_95_of_100_experiments() -> None:
    """Targets have variance 1; predictions add a shift per actor and noise per clip."""
    shift, noise = 0.3, 0.4
    truth = 2 / (2 + shift**2 + noise**2)  # the mean shift of very many actors is 0
    contained = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        true = rng.normal(0, 1, (1200, 2))
        actor = np.arange(1200) // 40
        shifts = rng.normal(0, shift, (30, 2))[actor]
        predicted = true + shifts + rng.normal(0, noise, true.shape)
        sums = NUMBERS.sums(true, predicted, actor)
        interval = estimates(NUMBERS, [sums], resamples=300, seed=seed)["ccc"].interval
        assert interval
        contained.append(truth in interval)
    assert 0.88 <= np.mean(contained) <= 0.99


def test_scores_are_computed_without_torch_lightning_and_matplotlib() -> None:
    modules = "breakdown, calibration, intervals, pairwise, predictions, report, scores, task"
    heavy = "{'torch', 'lightning', 'torchmetrics', 'torchvision', 'matplotlib'}"
    code = f"import sys; from emorec.evaluation import {modules}; print({heavy} & set(sys.modules))"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "set()"
