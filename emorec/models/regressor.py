"""Base class of all networks that predict numbers, such as valence and arousal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.regression import ConcordanceCorrCoef
from typing_extensions import override

from emorec.errors import UserError
from emorec.models.base import ClipNetwork

if TYPE_CHECKING:
    from emorec.evaluation.task import Regression


class ClipRegressor(ClipNetwork):
    """A network that predicts R numbers of a clip; a subclass adds its layers and `forward`, which returns (B, R).

    The loss is 1 minus the mean concordance correlation coefficient (CCC) over the batch.

    Args:
        target_names: Names of the R numbers.
        training: See `ClipNetwork`.

    Source: Trigeorgis et al. 2016, Adieu Features?, section 3.3 (the loss).
    """

    def __init__(
        self, *, target_names: tuple[str, ...] = ("valence", "arousal"), **training: Any
    ) -> None:
        super().__init__(**training)
        self.names = self.target_names = tuple(target_names)
        self.train_metrics = MetricCollection({"train/ccc": MeanConcordance(len(target_names))})

    @property
    @override
    def task(self) -> "Regression":
        from emorec.evaluation.task import Regression  # late: a prediction has no metrics

        return Regression(self.target_names)

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = getattr(self.trainer, "datamodule", None)
        names = tuple(getattr(data, "target_names", self.target_names))
        if names != self.target_names:
            has = f"has {', '.join(names)}" if names else "names classes"
            raise UserError(
                f"{type(self).__name__} predicts {', '.join(self.target_names)} and the data {has}: "
                "choose another network or another task of the data"
            )

    @override
    def loss(self, output: Tensor, label: Tensor) -> Tensor:
        return 1 - concordance(label.float(), output.float()).mean()

    @override
    def average_views(self, outputs: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(outputs)).float().mean(dim=0)  # (B, R)

    @override
    def predict_step(self, batch: Mapping[str, Any], batch_idx: int) -> dict[str, Tensor]:
        """Return index (B,) and numbers (B, R) of a batch."""
        return {"index": batch["index"], "predicted": self.evaluate(batch).float()}


def concordance(target: Tensor, predicted: Tensor) -> Tensor:
    """Return Lin's concordance correlation coefficient of each column, -1 to 1: (N, R) and (N, R) -> (R,).

    Moments are divided by N, as by Lin and the challenges; torchmetrics divides by N - 1. Two equal constants give 0.

    Source: Lin 1989, A Concordance Correlation Coefficient to Evaluate Reproducibility, equation 4.

    >>> target = torch.tensor([[0.0], [1.0], [2.0]])
    >>> concordance(target, target), concordance(target, target + 1)
    (tensor([1.]), tensor([0.5714]))
    """
    true, guess = target - target.mean(dim=0), predicted - predicted.mean(dim=0)  # (N, R)
    offset = (target.mean(dim=0) - predicted.mean(dim=0)).square()  # (R,)
    spread = true.square().mean(dim=0) + guess.square().mean(dim=0) + offset  # (R,)
    return 2 * (true * guess).mean(dim=0) / spread.clamp(min=torch.finfo(spread.dtype).tiny)


class MeanConcordance(Metric):
    """Mean of the R concordance correlation coefficients over an epoch, from running statistics.

    Args:
        num_targets: R.
    """

    full_state_update = False

    def __init__(self, num_targets: int) -> None:
        super().__init__()
        self.each = ConcordanceCorrCoef(num_outputs=num_targets)

    @override
    def update(self, predicted: Tensor, target: Tensor) -> None:
        """Add a batch of predictions (B, R) and targets (B, R)."""
        self.each.update(predicted.detach().squeeze(1), target.squeeze(1))

    @override
    def compute(self) -> Tensor:
        """Return a scalar from -1 to 1."""
        return self.each.compute().nan_to_num().mean()

    @override
    def reset(self) -> None:
        super().reset()
        self.each.reset()
