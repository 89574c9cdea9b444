"""Base class of all classifiers: cross-entropy and the metrics of classes."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score, MulticlassRecall
from typing_extensions import override

from emorec.errors import UserError
from emorec.models.base import ClipNetwork

if TYPE_CHECKING:
    from emorec.evaluation.task import Classification


class ClipClassifier(ClipNetwork):
    """A network that classifies the emotion of a clip; a subclass adds its layers and `forward`.

    Args:
        num_classes: K.
        label_smoothing: Share of the target spread over all classes, 0 to below 1.
        training: See `ClipNetwork`.

    Attributes:
        class_weights: Weights (K,) of the loss, where the data module has them.
    """

    class_weights: Tensor | None

    def __init__(
        self, *, num_classes: int = 8, label_smoothing: float = 0.0, **training: Any
    ) -> None:
        super().__init__(**training)
        if num_classes < 1:
            raise UserError(
                f"{type(self).__name__} names classes and the data has none: for numbers such as valence and arousal "
                "choose a regressor, such as --model emorec.models.FaceRegressor"
            )
        if not 0 <= label_smoothing < 1:
            raise UserError(f"label_smoothing {label_smoothing} has to be from 0 to below 1")
        self.num_classes = num_classes
        self.label_smoothing = label_smoothing
        self.names = tuple(str(label) for label in range(num_classes))
        self.register_buffer("class_weights", None, persistent=False)
        accuracy = MulticlassAccuracy(num_classes, average="micro", validate_args=False)
        recall = MulticlassRecall(num_classes, average="macro", validate_args=False)
        f1 = MulticlassF1Score(num_classes, average="macro", validate_args=False)
        self.train_metrics = MetricCollection(
            {"train/accuracy": accuracy, "train/uar": recall, "train/macro_f1": f1}
        )

    @property
    @override
    def task(self) -> "Classification":
        from emorec.evaluation.task import Classification  # late: a prediction has no metrics

        return Classification(self.names)

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = getattr(self.trainer, "datamodule", None)
        names = tuple(getattr(data, "class_names", ()))
        if len(names) == self.num_classes:
            self.names = names
        if stage == "fit":
            self.class_weights = getattr(data, "class_weights", None)

    @override
    def loss(self, output: Tensor, label: Tensor) -> Tensor:
        return cross_entropy(
            output, label, weight=self.class_weights, label_smoothing=self.label_smoothing
        )

    @override
    def average_views(self, outputs: Sequence[Tensor]) -> Tensor:
        return mean_log_probability(outputs)

    @override
    def predict_step(self, batch: Mapping[str, Any], batch_idx: int) -> dict[str, Tensor]:
        """Return index (B,) and probabilities (B, K) of a batch."""
        logits = self.evaluate(batch)
        return {"index": batch["index"], "probabilities": logits.float().softmax(dim=1)}


def mean_log_probability(logits: Sequence[Tensor]) -> Tensor:
    """Logits (B, K) of N views -> (B, K), the logarithm of the mean of their probabilities, in float32.

    >>> certain, undecided = torch.tensor([[50.0, 0.0]]), torch.tensor([[7.0, 7.0]])
    >>> mean_log_probability([certain, undecided]).exp()
    tensor([[0.7500, 0.2500]])

    Source: Krizhevsky et al. 2012, section 4.1 (the predictions of the softmax layer are averaged).
    """
    views = torch.stack([view.float().log_softmax(dim=1) for view in logits])  # (N, B, K)
    return views.logsumexp(dim=0) - math.log(len(logits))  # (B, K)
