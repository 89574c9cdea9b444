"""scikit-learn's classifiers and the settings among which the validation clips choose."""

from collections.abc import Iterator
from typing import Any, Literal, get_args

from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

Classifier = Literal["logistic", "linear_svm", "rbf_svm", "random_forest"]
CLASSIFIERS: tuple[Classifier, ...] = get_args(Classifier)

Setting = dict[str, Any]
"""What is chosen: C, and gamma or max_depth."""

LOGISTIC_C = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
LINEAR_C = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
RBF_C = (1.0, 10.0, 100.0)
RBF_GAMMA = (0.1, 0.3, 1.0)
"""Times 1/D, at which two clips of standardised features are about e^-2 alike."""
DEPTHS = (4, 8, None)
NUM_TREES = 300
MAX_STEPS = 2000


def candidates(
    classifier: Classifier, *, num_features: int, seed: int, balanced: bool
) -> Iterator[tuple[Setting, Pipeline]]:
    """Each setting of a classifier and a fresh pipeline with it, the most restrained first.

    A pipeline replaces what is not known by the mean of the training clips, brings each feature to zero mean and unit
    deviation over the training clips, and classifies.

    Args:
        classifier: Which.
        num_features: D.
        seed: Decides which clips and features a tree sees; the others draw nothing.
        balanced: Weigh clips so that all classes weigh the same.

    >>> [setting["C"] for setting, _ in candidates("logistic", num_features=3, seed=0, balanced=False)]
    [1e-05, 0.0001, 0.001, 0.01, 0.1]
    """
    for setting in ParameterGrid(_grid(classifier, num_features)):
        yield (
            setting,
            make_pipeline(
                SimpleImputer(keep_empty_features=True),
                StandardScaler(),
                _estimator(classifier, setting, seed, "balanced" if balanced else None),
            ),
        )


def _grid(classifier: Classifier, num_features: int) -> dict[str, Any]:
    if classifier == "logistic":
        return {"C": LOGISTIC_C}
    if classifier == "linear_svm":
        return {"C": LINEAR_C}
    if classifier == "rbf_svm":
        return {"C": RBF_C, "gamma": [share / num_features for share in RBF_GAMMA]}
    return {"max_depth": DEPTHS}


def _estimator(
    classifier: Classifier, setting: Setting, seed: int, class_weight: str | None
) -> Any:
    if classifier == "logistic":
        return LogisticRegression(max_iter=MAX_STEPS, class_weight=class_weight, **setting)
    if classifier == "random_forest":
        return RandomForestClassifier(
            NUM_TREES, random_state=seed, class_weight=class_weight, n_jobs=-1, **setting
        )
    kernel = "linear" if classifier == "linear_svm" else "rbf"
    # with ties broken, what is predicted is what has the highest score
    return SVC(kernel=kernel, break_ties=True, class_weight=class_weight, **setting)


def num_numbers(pipeline: Pipeline) -> int:
    """How many numbers a fitted classifier consists of, those of the scaling left out.

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
