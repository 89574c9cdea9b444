"""Numbers that were predicted, such as valence and arousal: how near they come to the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from emorec.evaluation.collector import Collector


@dataclass(frozen=True, eq=False)
class NumberPredictions:
    """What was predicted of N distinct clips, and the truth, on the CPU.

    Attributes:
        index: (N,) int64 positions of the clips in their data set, ascending when collected.
        target: (N, R) float32 true numbers; NaN where the truth is not known.
        predicted: (N, R) float32.
    """

    index: Tensor
    target: Tensor
    predicted: Tensor

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """The three tensors."""
        return self.index, self.target, self.predicted

    def __len__(self) -> int:
        return len(self.index)


class NumberCollector(Collector):
    """Collects the predictions of an epoch; `compute` gives those of all processes, each clip once.

    Args:
        num_targets: R.
    """

    target_type = torch.float32

    @override
    def update(self, index: Tensor, target: Tensor, predicted: Tensor) -> None:
        """Adds a batch: index (B,), target (B, R), predicted (B, R) of any floating type.

        Raises:
            ValueError: When the shapes are others.
        """
        if not target.shape == predicted.shape == (len(index), self.num_outputs):
            raise ValueError(
                f"expected target and predicted ({len(index)}, {self.num_outputs}), "
                f"got {tuple(target.shape)} and {tuple(predicted.shape)}"
            )
        self.add(index, target, predicted)

    @override
    def compute(self) -> NumberPredictions:
        """The clips that any process saw since the last `reset`, sorted by index; possibly none."""
        return NumberPredictions(*self.once())

    @override
    def none(self) -> tuple[Tensor, Tensor, Tensor]:
        numbers = torch.zeros(0, self.num_outputs)
        return torch.zeros(0, dtype=torch.int64), numbers, numbers


def concordance(target: Tensor, predicted: Tensor) -> Tensor:
    """Lin's concordance correlation of each column, -1 to 1: (N, R) and (N, R) -> (R,).

    It divides by N, as Lin and the challenges do; torchmetrics divides by N - 1. Two equal constants give 0: nothing
    varies, so nothing agrees.

    Source: Lin 1989, A Concordance Correlation Coefficient to Evaluate Reproducibility, equation 4.

    >>> true = torch.tensor([[0.0], [1.0], [2.0]])
    >>> concordance(true, true), concordance(true, true + 1)
    (tensor([1.]), tensor([0.5714]))
    """
    true, said = target - target.mean(dim=0), predicted - predicted.mean(dim=0)  # (N, R)
    apart = (target.mean(dim=0) - predicted.mean(dim=0)).square()  # (R,)
    spread = true.square().mean(dim=0) + said.square().mean(dim=0) + apart  # (R,)
    return 2 * (true * said).mean(dim=0) / spread.clamp(min=torch.finfo(spread.dtype).tiny)  # (R,)


def correlation(target: Tensor, predicted: Tensor) -> Tensor:
    """Pearson's correlation of each column, (N, R) and (N, R) -> (R,); 0 where one of them is constant.

    >>> true = torch.tensor([[0.0], [1.0], [2.0]])
    >>> correlation(true, 3 - 5 * true)
    tensor([-1.])
    """
    true, said = target - target.mean(dim=0), predicted - predicted.mean(dim=0)  # (N, R)
    lengths = true.square().sum(dim=0).sqrt() * said.square().sum(dim=0).sqrt()  # (R,)
    return (true * said).sum(dim=0) / lengths.clamp(min=torch.finfo(lengths.dtype).tiny)  # (R,)


@dataclass(frozen=True)
class TargetScores:
    """How well one of the R numbers was predicted.

    Attributes:
        ccc: Concordance correlation, -1 to 1.
        pcc: Pearson's correlation, -1 to 1.
        rmse: Root of the mean squared error.
        sign_agreement: Share of clips whose prediction has the sign of the truth; 0 has a sign of its own.
    """

    ccc: float
    pcc: float
    rmse: float
    sign_agreement: float


FIGURES = ("ccc", "pcc", "rmse", "sign_agreement")


@dataclass(frozen=True)
class RegressionSummary:
    """The figures of N clips.

    Attributes:
        per_target: Name of a number -> its scores over all clips.
        num_clips: N.
    """

    per_target: Mapping[str, TargetScores]
    num_clips: int

    def mean(self, figure: str) -> float:
        """Of the R numbers' figures, such as "ccc"."""
        each = [getattr(scores, figure) for scores in self.per_target.values()]
        return float(sum(each) / len(each))

    @property
    def logged(self) -> dict[str, float]:
        """What is logged of a validation or test, as `val/ccc` and `val/ccc_valence`."""
        means = {figure: self.mean(figure) for figure in FIGURES}
        each = {f"ccc_{name}": scores.ccc for name, scores in self.per_target.items()}
        return {"loss": 1 - means["ccc"], **means, **each}

    @property
    def score(self) -> float:
        """What chooses the best epoch."""
        return self.mean("ccc")

    @property
    def progress(self) -> float:
        """What has to rise, or the learning rate falls."""
        return self.mean("ccc")


def summarize_numbers(
    predictions: NumberPredictions, target_names: Sequence[str]
) -> RegressionSummary:
    """The figures over all clips at once, in double precision; never a mean of parts.

    Raises:
        ValueError: When there is no clip, one of unknown truth, or not R names.

    Source: Kollias et al. 2020, Analysing Affective Behavior in the First ABAW 2020 Competition, section 4 (CCC);
    sign agreement: Nicolaou et al. 2011, Continuous Prediction of Spontaneous Affect, section 5.

    >>> true = torch.tensor([[0.5, -1.0], [-0.5, 1.0]])
    >>> summary = summarize_numbers(NumberPredictions(torch.arange(2), true, -true / 2), ("valence", "arousal"))
    >>> round(summary.score, 3), summary.mean("rmse"), summary.mean("sign_agreement")
    (-0.8, 1.125, 0.0)
    """
    if len(predictions) == 0:
        raise ValueError("no predictions to summarize: 0 clips")
    target, predicted = predictions.target.double(), predictions.predicted.double()
    if target.isnan().any():
        raise ValueError("can't summarize predictions of clips whose truth is not known (NaN)")
    figures = torch.stack(
        [
            concordance(target, predicted),
            correlation(target, predicted),
            (target - predicted).square().mean(dim=0).sqrt(),
            (target.sign() == predicted.sign()).double().mean(dim=0),
        ],
        dim=1,
    )  # (R, 4)
    scores = [TargetScores(*row) for row in figures.tolist()]
    return RegressionSummary(dict(zip(target_names, scores, strict=True)), len(predictions))


def by_group(
    predictions: NumberPredictions, groups: Sequence[str], target_names: Sequence[str]
) -> dict[str, RegressionSummary]:
    """The figures of each group's clips, such as a video's, in the order in which groups first appear.

    Raises:
        ValueError: When there are not N groups.
    """
    rows: dict[str, list[int]] = {}
    for row, (group, _) in enumerate(zip(groups, predictions.index.tolist(), strict=True)):
        rows.setdefault(group, []).append(row)
    parts = {
        group: NumberPredictions(
            predictions.index[own], predictions.target[own], predictions.predicted[own]
        )
        for group, own in rows.items()
    }
    return {group: summarize_numbers(part, target_names) for group, part in parts.items()}
