"""Classifiers are fitted to the training clips and selected on the validation clips."""

from typing import Any, get_args

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import Pipeline

from emorec.baseline import Classifier
from emorec.baseline.model_selection import (
    LabelledFeatures,
    count_parameters,
    make_pipelines,
    select_model,
)
from emorec.errors import UserError

CLASSIFIERS = get_args(Classifier)
NAMES = ("calm", "happy", "sad")


def random_features(seed: int, num_clips: int = 60) -> LabelledFeatures:
    """Random features of overlapping classes, on ten very different scales."""
    random = np.random.default_rng(seed)
    labels = np.arange(num_clips) % len(NAMES)
    centres = np.random.default_rng(0).normal(size=(len(NAMES), 10))
    features = (centres[labels] + 1.5 * random.normal(size=(num_clips, 10))) * 10.0 ** np.arange(10)
    return LabelledFeatures(features.astype(np.float32), labels)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emorec.baseline.model_selection.NUM_TREES", 20)


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_the_selection_equals_scikit_learn_s_grid_search(
    classifier: Classifier,
) -> None:
    train, val = random_features(1), random_features(2)
    selected = select_model(classifier, train, val, class_names=NAMES, seed=0)
    params, pipelines = zip(
        *make_pipelines(classifier, num_features=10, seed=0, balanced=False), strict=True
    )
    step = pipelines[0].steps[-1][0]
    grid = [{f"{step}__{name}": [value] for name, value in each.items()} for each in params]
    search = GridSearchCV(
        pipelines[0],
        grid,
        scoring="balanced_accuracy",
        cv=PredefinedSplit([-1] * len(train.labels) + [0] * len(val.labels)),
        refit=False,
    )
    all_features = np.concatenate([train.features, val.features]).astype(np.float64)
    search.fit(all_features, np.concatenate([train.labels, val.labels]))
    assert [each.uar for each in selected.candidates] == pytest.approx(
        search.cv_results_["mean_test_score"].tolist(), abs=1e-6
    )
    expected = search.cv_results_["mean_test_score"]
    first = int((expected > expected.max() - 1e-6).argmax())  # ties up to rounding
    assert selected.params == params[first]


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_predictions_and_probabilities_equal_scikit_learn_s(
    classifier: Classifier,
) -> None:
    train, val, test = random_features(1), random_features(2), random_features(3, num_clips=200)
    selected = select_model(classifier, train, val, class_names=NAMES, seed=0)
    logits = selected.predict(test.features)
    features = test.features.astype(np.float64)
    assert logits.argmax(axis=1).tolist() == selected.pipeline.predict(features).tolist()
    if hasattr(selected.pipeline, "predict_proba"):
        expected = selected.pipeline.predict_proba(features)
        np.testing.assert_allclose(softmax(logits, axis=1), expected, atol=1e-9)


def test_the_confidence_of_an_svm_is_calibrated_on_the_validation_clips() -> None:
    train, val = random_features(1), random_features(2, num_clips=300)
    selected = select_model("rbf_svm", train, val, class_names=NAMES, seed=0)
    logits = selected.predict(val.features)

    def loss(factor: float) -> float:
        return float(log_loss(val.labels, softmax(logits * factor, axis=1)))

    assert loss(1.0) < min(loss(0.9), loss(1.1))


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_classifiers_are_fitted_to_training_clips_only(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []
    fit = Pipeline.fit

    def record_fit(pipeline: Pipeline, features: Any, labels: Any) -> Pipeline:
        fitted.append(len(labels))
        return fit(pipeline, features, labels)

    monkeypatch.setattr(Pipeline, "fit", record_fit)
    train, val = random_features(1, num_clips=90), random_features(2, num_clips=30)
    selected = select_model(classifier, train, val, class_names=NAMES, seed=0)
    assert set(fitted) == {90}
    scaling = selected.pipeline[1]
    np.testing.assert_allclose(scaling.mean_, train.features.astype(np.float64).mean(axis=0))


def test_ties_select_the_most_regularised_candidate() -> None:
    far_apart = LabelledFeatures(
        (100 * np.eye(3, dtype=np.float32))[np.arange(30) % 3], np.arange(30, dtype=np.int64) % 3
    )
    selected = select_model("logistic", far_apart, far_apart, class_names=NAMES, seed=0)
    assert {each.uar for each in selected.candidates} == {1.0}
    assert selected.params == {"C": 1e-5}


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_selection_is_deterministic(classifier: Classifier) -> None:
    first_model, second = (
        select_model(classifier, random_features(1), random_features(2), class_names=NAMES, seed=4)
        for _ in range(2)
    )
    assert first_model.candidates == second.candidates
    test = random_features(3).features
    assert np.array_equal(first_model.predict(test), second.predict(test))


def test_class_weights_raise_the_recall_of_the_rare_class() -> None:
    train, val = random_features(1, num_clips=240), random_features(2)
    rare = (train.labels > 0) | (np.arange(240) % 12 == 0)
    train = LabelledFeatures(train.features[rare], train.labels[rare])

    def recall(balanced: bool) -> float:
        selected = select_model(
            "logistic", train, val, class_names=NAMES, seed=0, balanced=balanced
        )
        predicted = selected.predict(val.features).argmax(axis=1)
        return float(balanced_accuracy_score(val.labels == 0, predicted == 0))

    assert recall(balanced=True) > recall(balanced=False)


def test_two_classes_have_two_logits() -> None:
    train, val = (
        LabelledFeatures(each.features[each.labels < 2], each.labels[each.labels < 2])
        for each in (random_features(1), random_features(2))
    )
    selected = select_model("linear_svm", train, val, class_names=NAMES[:2], seed=0)
    logits = selected.predict(val.features)
    assert logits.shape == (len(val.labels), 2)
    expected = selected.pipeline.predict(val.features.astype(np.float64))
    assert logits.argmax(axis=1).tolist() == expected.tolist()


def test_missing_features_are_imputed_with_the_training_mean() -> None:
    train, val, test = random_features(1), random_features(2), random_features(3)
    selected = select_model("logistic", train, val, class_names=NAMES, seed=0)
    unknown = selected.predict(np.full_like(test.features, np.nan))
    mean = selected.predict(np.tile(train.features.mean(axis=0), (60, 1)))
    np.testing.assert_allclose(softmax(unknown, axis=1), softmax(mean, axis=1), atol=1e-5)


def test_the_number_of_parameters_follows_from_the_model() -> None:
    sizes = {}
    for name in CLASSIFIERS:
        pipeline = select_model(
            name, random_features(1), random_features(2), class_names=NAMES, seed=0
        ).pipeline
        sizes[name] = (count_parameters(pipeline), pipeline[-1])
    assert sizes["logistic"][0] == 3 * (10 + 1)
    assert sizes["linear_svm"][0] == 3 * (10 + 1)  # one for each pair of classes
    size, svm = sizes["rbf_svm"]
    assert size == svm.n_support_.sum() * (10 + 2) + 3
    size, forest = sizes["random_forest"]
    assert size == sum(tree.tree_.node_count for tree in forest.estimators_) * (1 + 3)


@pytest.mark.parametrize(
    ("train", "val", "message"),
    [
        (
            LabelledFeatures(np.zeros((2, 1), np.float32), np.array([0, 2])),
            random_features(2),
            "clip is happy: a classifier",
        ),
        (random_features(1), random_features(2, num_clips=0), "no validation clip"),
        (
            LabelledFeatures(np.full((3, 1), np.nan, np.float32), np.arange(3)),
            random_features(2),
            "no training clip has a face or sound",
        ),
    ],
)
def test_unusable_training_data_is_refused(
    train: LabelledFeatures, val: LabelledFeatures, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        select_model("logistic", train, val, class_names=NAMES, seed=0)


def test_a_classifier_that_does_not_converge_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("emorec.baseline.model_selection.MAX_ITERATIONS", 2)
    select_model("logistic", random_features(1), random_features(2), class_names=NAMES, seed=0)
    assert "logistic with C 0.1 did not converge" in caplog.text
