"""The validation clips choose among classifiers that know the training clips alone."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from emorec.baseline import choice
from emorec.baseline.choice import Described, choose
from emorec.baseline.classifiers import CLASSIFIERS, Classifier, candidates, num_numbers
from emorec.errors import UserError

NAMES = ("calm", "happy", "sad")


def drawn(seed: int, num_clips: int = 60) -> Described:
    """Clips whose classes overlap, in ten features of very different size."""
    random = np.random.default_rng(seed)
    labels = np.arange(num_clips) % len(NAMES)
    centres = np.random.default_rng(0).normal(size=(len(NAMES), 10))
    features = (centres[labels] + 1.5 * random.normal(size=(num_clips, 10))) * 10.0 ** np.arange(10)
    return Described(features.astype(np.float32), labels)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emorec.baseline.classifiers.NUM_TREES", 20)


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_the_choice_is_that_of_scikit_learn_s_grid_search_on_these_sides(
    classifier: Classifier,
) -> None:
    train, val = drawn(1), drawn(2)
    chosen = choose(classifier, train, val, class_names=NAMES, seed=0)
    settings, pipelines = zip(
        *candidates(classifier, num_features=10, seed=0, balanced=False), strict=True
    )
    step = pipelines[0].steps[-1][0]
    grid = [{f"{step}__{name}": [value] for name, value in each.items()} for each in settings]
    search = GridSearchCV(
        pipelines[0],
        grid,
        scoring="balanced_accuracy",
        cv=PredefinedSplit([-1] * len(train.labels) + [0] * len(val.labels)),
        refit=False,
    )
    both = np.concatenate([train.features, val.features]).astype(np.float64)
    search.fit(both, np.concatenate([train.labels, val.labels]))
    assert [tried.uar for tried in chosen.tried] == pytest.approx(
        search.cv_results_["mean_test_score"].tolist(), abs=1e-6
    )
    expected = search.cv_results_["mean_test_score"]
    first = int((expected > expected.max() - 1e-6).argmax())  # of those that only rounding parts
    assert chosen.setting == settings[first]


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_what_is_predicted_is_what_scikit_learn_predicts_and_probabilities_are_its_own(
    classifier: Classifier,
) -> None:
    train, val, test = drawn(1), drawn(2), drawn(3, num_clips=200)
    chosen = choose(classifier, train, val, class_names=NAMES, seed=0)
    said = chosen.predictions(test)
    features = test.features.astype(np.float64)
    assert said.predicted.tolist() == chosen.pipeline.predict(features).tolist()
    if hasattr(chosen.pipeline, "predict_proba"):
        its_own = chosen.pipeline.predict_proba(features)
        np.testing.assert_allclose(said.probabilities, its_own, atol=1e-9)


def test_an_svm_is_as_sure_as_the_validation_clips_allow() -> None:
    train, val = drawn(1), drawn(2, num_clips=300)
    chosen = choose("rbf_svm", train, val, class_names=NAMES, seed=0)
    said = chosen.predictions(val)

    def loss(factor: float) -> float:
        logarithms = (said.logits * factor).log_softmax(dim=1)
        return -float(logarithms.gather(1, said.target[:, None]).mean())

    assert loss(1.0) < min(loss(0.9), loss(1.1))


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_no_number_of_a_classifier_is_from_validation_clips(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    fit = choice._fit

    def watched(pipeline: Any, train: Described, words: str) -> None:
        seen.append(len(train.labels))
        fit(pipeline, train, words)

    monkeypatch.setattr(choice, "_fit", watched)
    train, val = drawn(1, num_clips=90), drawn(2, num_clips=30)
    chosen = choose(classifier, train, val, class_names=NAMES, seed=0)
    assert set(seen) == {90}
    scaling = chosen.pipeline[1]
    np.testing.assert_allclose(scaling.mean_, train.features.astype(np.float64).mean(axis=0))


def test_of_equal_settings_the_most_restrained_is_kept() -> None:
    far_apart = Described(
        (100 * np.eye(3, dtype=np.float32))[np.arange(30) % 3], np.arange(30, dtype=np.int64) % 3
    )
    chosen = choose("logistic", far_apart, far_apart, class_names=NAMES, seed=0)
    assert {tried.uar for tried in chosen.tried} == {1.0}
    assert chosen.setting == {"C": 1e-5}


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_two_runs_are_the_same(classifier: Classifier) -> None:
    one, other = (
        choose(classifier, drawn(1), drawn(2), class_names=NAMES, seed=4) for _ in range(2)
    )
    assert one.tried == other.tried
    test = drawn(3)
    assert one.predictions(test).logits.equal(other.predictions(test).logits)


def test_balance_helps_the_rare_class() -> None:
    train, val = drawn(1, num_clips=240), drawn(2)
    rare = (train.labels > 0) | (np.arange(240) % 12 == 0)
    train = Described(train.features[rare], train.labels[rare])

    def recall(balanced: bool) -> float:
        chosen = choose("logistic", train, val, class_names=NAMES, seed=0, balanced=balanced)
        said = chosen.predictions(val).predicted.numpy()
        return float(balanced_accuracy_score(val.labels == 0, said == 0))

    assert recall(balanced=True) > recall(balanced=False)


def test_two_classes_are_told_apart_too() -> None:
    train, val = (
        Described(each.features[each.labels < 2], each.labels[each.labels < 2])
        for each in (drawn(1), drawn(2))
    )
    chosen = choose("linear_svm", train, val, class_names=NAMES[:2], seed=0)
    said = chosen.predictions(val)
    assert said.num_classes == 2
    assert (
        said.predicted.tolist() == chosen.pipeline.predict(val.features.astype(np.float64)).tolist()
    )


def test_what_is_not_known_is_the_mean_of_the_training_clips() -> None:
    train, val, test = drawn(1), drawn(2), drawn(3)
    chosen = choose("logistic", train, val, class_names=NAMES, seed=0)
    unknown = Described(np.full_like(test.features, np.nan), test.labels)
    mean = Described(np.tile(train.features.mean(axis=0), (60, 1)), test.labels)
    np.testing.assert_allclose(
        chosen.predictions(unknown).probabilities, chosen.predictions(mean).probabilities, atol=1e-5
    )


def test_sizes_are_those_of_the_formulas() -> None:
    sizes = {}
    for name in CLASSIFIERS:
        pipeline = choose(name, drawn(1), drawn(2), class_names=NAMES, seed=0).pipeline
        sizes[name] = (num_numbers(pipeline), pipeline[-1])
    assert sizes["logistic"][0] == 3 * (10 + 1)
    assert sizes["linear_svm"][0] == 3 * (10 + 1)  # one for each pair of classes
    size, svm = sizes["rbf_svm"]
    assert size == svm.n_support_.sum() * (10 + 2) + 3
    size, forest = sizes["random_forest"]
    assert size == sum(tree.tree_.node_count for tree in forest.estimators_) * (1 + 3)


@pytest.mark.parametrize(
    ("train", "val", "complaint"),
    [
        (Described(np.zeros((2, 1), np.float32), np.array([0, 2])), drawn(2), "clip is happy: a"),
        (drawn(1), drawn(2, num_clips=0), "no validation clip"),
        (Described(np.full((3, 1), np.nan, np.float32), np.arange(3)), drawn(2), "no face was"),
    ],
)
def test_what_can_t_be_learnt_is_refused(train: Described, val: Described, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        choose("logistic", train, val, class_names=NAMES, seed=0)


def test_a_classifier_that_did_not_settle_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("emorec.baseline.classifiers.MAX_STEPS", 2)
    choose("logistic", drawn(1), drawn(2), class_names=NAMES, seed=0)
    assert "logistic with C 0.1 did not settle" in caplog.text
