"""What there is to beat: the figures of saying the same of every clip."""

import torch

from emorec.evaluation.numbers_file import PredictedNumbers
from emorec.evaluation.predicted import Predicted
from emorec.evaluation.predictions import Predictions
from emorec.evaluation.predictions_file import PredictedClips
from emorec.evaluation.regression import NumberPredictions
from emorec.evaluation.sums import classes, sums_of


def guess_of(predicted: Predicted) -> dict[str, float]:
    """The figures of naming the most frequent class, or the mean number, of the test clips every time.

    A class that is always named is never unsure of, so it has no ECE; numbers that don't vary have no correlation.
    """
    if isinstance(predicted, PredictedNumbers):
        target = predicted.predictions.target
        always = target.double().mean(dim=0).float().expand_as(target)
        said = NumberPredictions(predicted.predictions.index, target, always)
        figures = figures_of(
            PredictedNumbers(predicted.paths, predicted.actors, predicted.target_names, said)
        )
        return {name: value for name, value in figures.items() if name != "pcc"}
    figures = figures_of(_majority(classes([predicted])[0]))
    return {name: value for name, value in figures.items() if name != "ece"}


def figures_of(predicted: Predicted) -> dict[str, float]:
    """The figures of some clips, such as accuracy, UAR, macro-F1 and ECE."""
    return {name: float(value[0]) for name, value in sums_of(predicted).figures().items()}


def _majority(predicted: PredictedClips) -> PredictedClips:
    targets = predicted.predictions.target
    most = int(targets.bincount(minlength=len(predicted.class_names)).argmax())
    logits = torch.zeros_like(predicted.predictions.logits)
    logits[:, most] = 1
    return PredictedClips(
        predicted.paths,
        predicted.actors,
        predicted.class_names,
        Predictions(predicted.predictions.index, targets, logits),
    )
