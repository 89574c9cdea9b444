"""The figures of merit of a classifier, by torchmetrics alone."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
    multiclass_stat_scores,
)

from emorec.evaluation.predictions import Predictions

CALIBRATION_BINS = 15
"""Source: Guo et al. 2017, On Calibration of Modern Neural Networks, section 4."""


@dataclass(frozen=True)
class ClassScores:
    """How one class was told from the others.

    A figure whose denominator is 0 is 0: the precision of a class that is never predicted, the
    recall of one that never occurs.

    Attributes:
        accuracy: One class against the rest, (TP + TN) / N. What many papers call the accuracy of a
            class is its recall.
        precision: TP / (TP + FP).
        recall: TP / (TP + FN).
        f1: Their harmonic mean.
        support: Clips whose truth it is.
    """

    accuracy: float
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, eq=False)
class ClassificationSummary:
    """The figures of N clips of K classes; all but the loss lie in 0 to 1.

    Attributes:
        accuracy: Share of clips that are right (WAR).
        uar: Unweighted average recall: the mean recall of the classes that occur in the truth.
        macro_f1: Mean F1 of the classes that occur in the truth or in the predictions.
        ece: Expected calibration error of the top class: 15 equal bins, l1.
        loss: Mean cross-entropy in nats, neither weighted nor smoothed.
        num_clips: N.
        confusion_matrix: (K, K) int64 counts; rows are the truth, columns the predictions.
        per_class: K scores in label order.
    """

    accuracy: float
    uar: float
    macro_f1: float
    ece: float
    loss: float
    num_clips: int
    confusion_matrix: Tensor
    per_class: tuple[ClassScores, ...]

    @property
    def logged(self) -> dict[str, float]:
        """What is logged of a validation or test, as `val/uar`."""
        names = ("loss", "accuracy", "uar", "macro_f1", "ece")
        return {name: getattr(self, name) for name in names}

    @property
    def score(self) -> float:
        """What chooses the best epoch."""
        return self.uar

    @property
    def progress(self) -> float:
        """What has to rise, or the learning rate falls."""
        return self.accuracy


def summarize(predictions: Predictions) -> ClassificationSummary:
    """The figures of all clips, as scikit-learn gives them.

    Raises:
        ValueError: When there is no clip, or one of unknown truth.

    Source: Schuller et al. 2009, The INTERSPEECH 2009 Emotion Challenge, section 3 (UAR).

    >>> logits = torch.eye(3)[[0, 1, 1]]
    >>> summary = summarize(Predictions(torch.arange(3), torch.tensor([0, 0, 1]), logits))
    >>> round(summary.accuracy, 3), summary.uar
    (0.667, 0.75)
    >>> summary.confusion_matrix.tolist()
    [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    """
    if len(predictions) == 0:
        raise ValueError("no predictions to summarize: 0 clips")
    if int(predictions.target.min()) < 0:
        raise ValueError(
            "can't summarize predictions of clips whose truth is not known (target -1)"
        )
    arguments = predictions.predicted, predictions.target, predictions.num_classes
    counts = multiclass_stat_scores(*arguments, average="none")  # (K, 5)
    true_positive, false_positive, true_negative, _, support = counts.unbind(dim=1)
    accuracy = (true_positive + true_negative) / len(predictions)
    precision = multiclass_precision(*arguments, average="none")
    recall = multiclass_recall(*arguments, average="none")
    f1 = multiclass_f1_score(*arguments, average="none")
    occurs = support > 0
    appears = occurs | (true_positive + false_positive > 0)
    scores = torch.stack([accuracy, precision, recall, f1], dim=1)  # (K, 4)
    return ClassificationSummary(
        accuracy=float(multiclass_accuracy(*arguments, average="micro")),
        uar=float(recall[occurs].mean()),
        macro_f1=float(f1[appears].mean()),
        ece=_calibration_error(predictions),
        loss=float(cross_entropy(predictions.logits, predictions.target)),
        num_clips=len(predictions),
        confusion_matrix=multiclass_confusion_matrix(*arguments),
        per_class=tuple(
            ClassScores(one_vs_rest, precise, recalled, harmonic, count)
            for (one_vs_rest, precise, recalled, harmonic), count in zip(
                scores.tolist(), support.tolist(), strict=True
            )
        ),
    )


def _calibration_error(predictions: Predictions) -> float:
    # Torchmetrics puts a confidence of exactly 1 in a 16th bin, and takes numbers that rounding has
    # lifted above 1 for logits. A float just below 1 belongs to the last bin.
    below_one = 1 - torch.finfo(torch.float32).eps
    return float(
        multiclass_calibration_error(
            predictions.probabilities.clamp(max=below_one),
            predictions.target,
            predictions.num_classes,
            n_bins=CALIBRATION_BINS,
            norm="l1",
        )
    )
