"""scikit-learn classifiers, fitted to the training clips; the validation clips select the hyper-parameters."""

import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from emorec.baseline import Classifier
from emorec.baseline.features import Floats
from emorec.errors import UserError
from emorec.evaluation.calibration import calibrate, fit_temperature
from emorec.evaluation.intervals import ROUNDING
from emorec.evaluation.task import Classification

log = logging.getLogger(__name__)

Logits = npt.NDArray[np.float64]
Params = dict[str, Any]
"""Hyper-parameters that are selected: C, and gamma or max_depth."""

LOGISTIC_C = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
LINEAR_C = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
RBF_C = (1.0, 10.0, 100.0)
RBF_GAMMA = (0.1, 0.3, 1.0)
"""Times 1/D, at which the kernel of two clips of standardised features is about e^-2."""
MAX_DEPTHS = (4, 8, None)
NUM_TREES = 300
MAX_ITERATIONS = 2000

SMALLEST_PROBABILITY = 1e-12
"""A forest may return 0, which has no logarithm."""


@dataclass(frozen=True, eq=False)
class LabelledFeatures:
    """Features and classes of N clips.

    Attributes:
        features: (N, D); NaN where a clip has none.
        labels: (N,) int64 classes.
    """

    features: Floats
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Hyper-parameters, and the validation UAR with them."""

    params: Params
    uar: float


@dataclass(frozen=True, eq=False, kw_only=True)
class SelectedModel:
    """A classifier with the best hyper-parameters on the validation clips.

    Attributes:
        pipeline: Fitted to the training clips.
        params: Its hyper-parameters.
        candidates: All hyper-parameters that were tried.
        temperature: The scores are divided by it; 1 where the classifier has probabilities of its own.
        fit_seconds: Time spent on fitting and selecting.
    """

    pipeline: Pipeline
    params: Params
    candidates: Sequence[Candidate]
    temperature: float
    fit_seconds: float

    def predict(self, features: Floats) -> Logits:
        """Return logits (N, K) of the features (N, D) of clips."""
        logits = calibrate(decision_scores(self.pipeline, features), self.temperature)
        return np.asarray(logits, np.float64)


def select_model(
    classifier: Classifier,
    train: LabelledFeatures,
    val: LabelledFeatures,
    *,
    class_names: Sequence[str],
    seed: int,
    balanced: bool = False,
) -> SelectedModel:
    """Fit a classifier with each candidate's hyper-parameters; return the one of the highest validation UAR.

    Of equal candidates the most regularised is returned. It is not fitted again to training and validation clips
    together, so that it learns from as many clips as a network trained on the same split. An SVM's scores are no
    probabilities: a temperature, fitted on the validation clips, turns them into some.

    Args:
        classifier: Which one.
        train: Clips of the training actors.
        val: Clips of the validation actors.
        class_names: K names in label order.
        seed: Of the random forest.
        balanced: Weigh clips so that all classes weigh the same.

    Raises:
        UserError: When a class has no training clip, no clip has features, or there is no validation clip.
    """
    check_trainable(train, val, class_names)
    task = Classification(tuple(class_names))
    began = time.monotonic()
    best: tuple[Pipeline, Candidate] | None = None
    candidates = []
    for params, pipeline in make_pipelines(
        classifier, num_features=train.features.shape[1], seed=seed, balanced=balanced
    ):
        _fit(pipeline, train, f"{classifier} with {format_params(params)}")
        logits = decision_scores(pipeline, val.features)
        candidate = Candidate(params, task.evaluate(val.labels, logits)["uar"])
        candidates.append(candidate)
        if best is None or candidate.uar - best[1].uar > ROUNDING:
            best = pipeline, candidate
    assert best is not None
    pipeline, selected = best
    temperature = 1.0
    if not hasattr(pipeline, "predict_proba"):
        temperature = fit_temperature(val.labels, decision_scores(pipeline, val.features))
    return SelectedModel(
        pipeline=pipeline,
        params=selected.params,
        candidates=candidates,
        temperature=temperature,
        fit_seconds=time.monotonic() - began,
    )


def make_pipelines(
    classifier: Classifier, *, num_features: int, seed: int, balanced: bool
) -> Iterator[tuple[Params, Pipeline]]:
    """Each candidate's hyper-parameters and an unfitted pipeline with them, the most regularised first.

    A pipeline imputes the mean of the training clips for missing features, standardises, and classifies.

    Args:
        classifier: Which one.
        num_features: D.
        seed: Of the random forest; the other classifiers are deterministic.
        balanced: Weigh clips so that all classes weigh the same.

    >>> [params["C"] for params, _ in make_pipelines("logistic", num_features=3, seed=0, balanced=False)]
    [1e-05, 0.0001, 0.001, 0.01, 0.1]
    """
    grids: dict[Classifier, dict[str, Any]] = {
        "logistic": {"C": LOGISTIC_C},
        "linear_svm": {"C": LINEAR_C},
        "rbf_svm": {"C": RBF_C, "gamma": [scale / num_features for scale in RBF_GAMMA]},
        "random_forest": {"max_depth": MAX_DEPTHS},
    }
    class_weight = "balanced" if balanced else None
    for params in ParameterGrid(grids[classifier]):
        estimator: Any
        if classifier == "logistic":
            estimator = LogisticRegression(
                max_iter=MAX_ITERATIONS, class_weight=class_weight, **params
            )
        elif classifier == "random_forest":
            estimator = RandomForestClassifier(
                NUM_TREES, random_state=seed, class_weight=class_weight, n_jobs=-1, **params
            )
        else:
            kernel = "linear" if classifier == "linear_svm" else "rbf"
            # with ties broken, the prediction is the class of the highest score
            estimator = SVC(kernel=kernel, break_ties=True, class_weight=class_weight, **params)
        impute = SimpleImputer(keep_empty_features=True)
        yield params, make_pipeline(impute, StandardScaler(), estimator)


def decision_scores(pipeline: Pipeline, features: Floats) -> Logits:
    """Return log probabilities (N, K), or decision scores of a classifier without probabilities."""
    inputs = features.astype(np.float64)
    if hasattr(pipeline, "predict_proba"):
        probabilities = pipeline.predict_proba(inputs)
        return np.asarray(np.log(probabilities.clip(min=SMALLEST_PROBABILITY)))
    scores = pipeline.decision_function(inputs)
    if scores.ndim == 1:  # of two classes, only the second's score
        scores = np.stack([-scores, scores], axis=1)
    return np.asarray(scores)


def check_trainable(
    train: LabelledFeatures, val: LabelledFeatures, class_names: Sequence[str]
) -> None:
    """Refuse clips from which nothing can be learnt or selected.

    Raises:
        UserError: When a class has no training clip, no clip has features, or there is no validation clip.
    """
    missing = [name for label, name in enumerate(class_names) if label not in train.labels]
    if missing:
        raise UserError(
            f"no training clip is {', '.join(missing)}: a classifier can't learn a class without clips; add some"
        )
    if not len(val.labels):
        raise UserError(
            "no validation clip: a classifier's hyper-parameters are selected on the validation actors"
        )
    if np.isnan(train.features).all():
        raise UserError(
            "no training clip has a face or sound to compute features of: choose --features hog or backbone instead"
        )


def count_parameters(pipeline: Pipeline) -> int:
    """Return the number of fitted parameters of a classifier, without those of the scaling.

    Coefficients, support vectors and their weights, or a threshold and a share of each class for each node of a tree.
    """
    estimator: Any = pipeline[-1]
    if isinstance(estimator, RandomForestClassifier):
        nodes = sum(tree.tree_.node_count for tree in estimator.estimators_)
        return int(nodes * (1 + len(estimator.classes_)))
    if isinstance(estimator, SVC) and estimator.kernel == "rbf":
        return int(
            estimator.support_vectors_.size + estimator.dual_coef_.size + estimator.intercept_.size
        )
    return int(estimator.coef_.size + estimator.intercept_.size)


def format_params(params: Params) -> str:
    """Format hyper-parameters for a table.

    >>> format_params({"C": 10.0, "gamma": 0.000390625}), format_params({"max_depth": None})
    ('C 10, gamma 0.00039', 'max_depth none')
    """
    values = {
        name: "none" if value is None else f"{value:.2g}" if isinstance(value, float) else value
        for name, value in params.items()
    }
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _fit(pipeline: Pipeline, train: LabelledFeatures, title: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pipeline.fit(train.features.astype(np.float64), train.labels)
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            log.warning("%s did not converge within %d iterations", title, MAX_ITERATIONS)
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
