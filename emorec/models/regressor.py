"""What all networks share that predict numbers, such as valence and arousal."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.regression import ConcordanceCorrCoef
from typing_extensions import override

from emorec.errors import UserError
from emorec.evaluation.collector import PredictionCollector
from emorec.evaluation.task import Regression
from emorec.models.network import ClipNetwork


class ClipRegressor(ClipNetwork):
    """A network that gives a clip R numbers; a subclass adds its layers and `forward`, which returns (B, R).

    The loss is 1 minus the mean concordance correlation of the numbers over the batch; what is validated and tested is
    that of the whole set.

    Args:
        target_names: R names of the numbers.
        training: See `ClipNetwork`.

    Source: the loss is of Trigeorgis et al. 2016, Adieu Features?, section 3.3.
    """

    def __init__(
        self, *, target_names: tuple[str, ...] = ("valence", "arousal"), **training: Any
    ) -> None:
        super().__init__(**training)
        self.target_names = tuple(target_names)
        self.train_metrics = MetricCollection({"train/ccc": MeanConcordance(len(target_names))})
        self.task = Regression(self.target_names)
        self.collector = PredictionCollector(len(target_names), classes=False)

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = getattr(self.trainer, "datamodule", None)
        there = tuple(getattr(data, "target_names", self.target_names))
        if there != self.target_names:
            has = f"has {', '.join(there)}" if there else "names classes"
            raise UserError(
                f"{type(self).__name__} predicts {', '.join(self.target_names)} and the data {has}: "
                "choose another network or another task of the data"
            )

    @override
    def output_of(self, batch: Mapping[str, Any]) -> Tensor:
        """(B, R), of several views their mean."""
        if "views" not in batch:
            return self.numbers_of(batch)
        views = [self.numbers_of({**batch, "frames": view}) for view in batch["views"]]
        return torch.stack(views).float().mean(dim=0)  # (B, R)

    def numbers_of(self, batch: Mapping[str, Any]) -> Tensor:
        """(B, R) of a batch of clips."""
        numbers: Tensor = self(*self.given(batch))
        return numbers

    @override
    def loss_of(self, output: Tensor, label: Tensor) -> Tensor:
        return 1 - concordance(label.float(), output.float()).mean()

    @override
    def predict_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Index (B,) and numbers (B, R) of a batch."""
        return {"index": batch["index"], "predicted": self.step(batch, "evaluate").float()}


def concordance(target: Tensor, predicted: Tensor) -> Tensor:
    """Lin's concordance correlation of each column, -1 to 1, differentiable: (N, R) and (N, R) -> (R,).

    It divides by N, as Lin and the challenges do; torchmetrics divides by N - 1. Two equal constants give 0: nothing
    varies, so nothing agrees.

    Source: Lin 1989, A Concordance Correlation Coefficient to Evaluate Reproducibility, equation 4.

    >>> true = torch.tensor([[0.0], [1.0], [2.0]])
    >>> concordance(true, true), concordance(true, true + 1)
    (tensor([1.]), tensor([0.5714]))
    """
    t, p = target - target.mean(dim=0), predicted - predicted.mean(dim=0)  # (N, R)
    shift = (target.mean(dim=0) - predicted.mean(dim=0)).square()  # (R,)
    spread = t.square().mean(dim=0) + p.square().mean(dim=0) + shift  # (R,)
    return 2 * (t * p).mean(dim=0) / spread.clamp(min=torch.finfo(spread.dtype).tiny)  # (R,)


class MeanConcordance(Metric):
    """The mean of R concordance correlations over all training clips of an epoch, without keeping them.

    Args:
        num_targets: R.
    """

    full_state_update = False

    def __init__(self, num_targets: int) -> None:
        super().__init__()
        self.each = ConcordanceCorrCoef(num_outputs=num_targets)

    @override
    def update(self, predicted: Tensor, target: Tensor) -> None:
        """Adds a batch, (B, R) twice."""
        self.each.update(predicted.detach().squeeze(1), target.squeeze(1))

    @override
    def compute(self) -> Tensor:
        """A single number, -1 to 1."""
        return self.each.compute().nan_to_num().mean()

    @override
    def reset(self) -> None:
        super().reset()
        self.each.reset()
