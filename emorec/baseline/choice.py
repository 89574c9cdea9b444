"""A classifier learns from the training clips, and the validation clips choose its setting."""

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from emorec.baseline.classifiers import MAX_STEPS, Classifier, Setting, candidates
from emorec.baseline.pooling import Floats
from emorec.errors import UserError
from emorec.evaluation.calibration import calibrated, fit_temperature
from emorec.evaluation.metrics import summarize
from emorec.evaluation.predictions import Predictions

log = logging.getLogger(__name__)

SMALLEST_PROBABILITY = 1e-12
"""A forest may give 0, which has no logarithm."""


@dataclass(frozen=True, eq=False)
class Described:
    """Features and truth of N clips.

    Attributes:
        features: (N, D); NaN where nothing is known.
        labels: (N,) int64 classes.
    """

    features: Floats
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tried:
    """A setting, and the UAR of the validation clips with it."""

    setting: Setting
    uar: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Chosen:
    """A classifier with the setting that the validation clips chose.

    Attributes:
        pipeline: Fitted to the training clips.
        setting: Its setting.
        tried: All settings that there were.
        temperature: What its scores are divided by.
        seconds: Time spent on learning and choosing.
    """

    pipeline: Pipeline
    setting: Setting
    tried: Sequence[Tried]
    temperature: float
    seconds: float

    def predictions(self, clips: Described) -> Predictions:
        """What it says of N clips; `index` is 0 to N - 1."""
        return calibrated(scores(self.pipeline, clips), self.temperature)


def choose(
    classifier: Classifier,
    train: Described,
    val: Described,
    *,
    class_names: Sequence[str],
    seed: int,
    balanced: bool = False,
) -> Chosen:
    """Fits a classifier to the training clips in every setting and keeps the one with the highest validation UAR.

    Of equal ones the most restrained is kept. No validation clip is ever learnt from, so that the classifier knows as
    many clips as a network that is trained on the same split. Scores of an SVM are no probabilities: its temperature
    makes them some, and it is fitted on the validation clips.

    Args:
        classifier: Which.
        train: Clips of the training actors.
        val: Clips of the validation actors.
        class_names: K names in label order.
        seed: Decides what is drawn.
        balanced: Weigh clips so that all classes weigh the same.

    Raises:
        UserError: When a class has no training clip, no feature is known, or there is no validation clip.
    """
    refuse_unusable(train, val, class_names)
    began = time.monotonic()
    best: Pipeline | None = None
    tried: list[Tried] = []
    settings = candidates(
        classifier, num_features=train.features.shape[1], seed=seed, balanced=balanced
    )
    for setting, pipeline in settings:
        _fit(pipeline, train, f"{classifier} with {shown(setting)}")
        uar = summarize(scores(pipeline, val)).uar
        if best is None or uar > max(each.uar for each in tried):
            best, chosen = pipeline, setting
        tried.append(Tried(setting, uar))
    assert best is not None
    has_probabilities = hasattr(best, "predict_proba")
    temperature = 1.0 if has_probabilities else fit_temperature(scores(best, val))
    return Chosen(
        pipeline=best,
        setting=chosen,
        tried=tried,
        temperature=temperature,
        seconds=time.monotonic() - began,
    )


def scores(pipeline: Pipeline, clips: Described) -> Predictions:
    """Logarithms of probabilities (N, K), or scores where a classifier has none; the highest is predicted."""
    features = clips.features.astype(np.float64)
    if hasattr(pipeline, "predict_proba"):
        logits = np.log(pipeline.predict_proba(features).clip(min=SMALLEST_PROBABILITY))
    else:
        logits = pipeline.decision_function(features)
        if logits.ndim == 1:  # of two classes the second's alone is given
            logits = np.stack([-logits, logits], axis=1)
    return Predictions(
        index=torch.arange(len(logits)),
        target=torch.from_numpy(clips.labels),
        logits=torch.from_numpy(np.ascontiguousarray(logits)),
    )


def refuse_unusable(train: Described, val: Described, class_names: Sequence[str]) -> None:
    """Stops where nothing can be learnt or chosen.

    Raises:
        UserError: When a class has no training clip, no feature is known, or there is no validation clip.
    """
    missing = [name for label, name in enumerate(class_names) if label not in train.labels]
    if missing:
        raise UserError(
            f"no training clip is {', '.join(missing)}: "
            "a classifier can't learn what it never sees, so bring the clips that are missing"
        )
    if not len(val.labels):
        raise UserError(
            "no validation clip: the setting of a classifier is chosen on the validation actors"
        )
    if np.isnan(train.features).all():
        raise UserError(
            "no face was found in any training clip: choose --features hog or backbone instead"
        )


def shown(setting: Setting) -> str:
    """A setting for people.

    >>> shown({"C": 10.0, "gamma": 0.000390625}), shown({"max_depth": None})
    ('C 10, gamma 0.00039', 'max_depth none')
    """
    return ", ".join(f"{name} {_number(value)}" for name, value in setting.items())


def _number(value: Any) -> str:
    return "none" if value is None else f"{value:.2g}" if isinstance(value, float) else str(value)


def _fit(pipeline: Pipeline, train: Described, words: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pipeline.fit(train.features.astype(np.float64), train.labels)
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            log.warning("%s did not settle within %d steps", words, MAX_STEPS)
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
