"""What a classifier said of each clip."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from emorec.evaluation.collector import Collector


@dataclass(frozen=True, eq=False)
class Predictions:
    """Logits and truth of N distinct clips, on the CPU.

    Attributes:
        index: (N,) int64 positions of the clips in their data set, ascending when collected.
        target: (N,) int64 true classes; -1 where the truth is not known.
        logits: (N, K) float32.

    >>> logits = torch.tensor([[0.0, 2.0], [3.0, 3.0]])
    >>> two = Predictions(torch.tensor([0, 1]), torch.tensor([1, 0]), logits)
    >>> two.predicted, two.confidence
    (tensor([1, 0]), tensor([0.8808, 0.5000]))
    >>> len(two), two.num_classes
    (2, 2)
    """

    index: Tensor
    target: Tensor
    logits: Tensor

    @property
    def probabilities(self) -> Tensor:
        """(N, K) float32, each row sums to 1."""
        return self.logits.softmax(dim=1)

    @property
    def predicted(self) -> Tensor:
        """(N,) int64 classes of the highest logit; of equal ones the first."""
        return self.logits.argmax(dim=1)

    @property
    def confidence(self) -> Tensor:
        """(N,) float32 probability of the predicted class, 1/K to 1."""
        return self.probabilities.amax(dim=1)

    @property
    def num_classes(self) -> int:
        """K."""
        return self.logits.shape[1]

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """The three tensors."""
        return self.index, self.target, self.logits

    def __len__(self) -> int:
        return len(self.index)


class PredictionCollector(Collector):
    """Collects the predictions of an epoch; `compute` gives those of all processes, each clip once.

    Args:
        num_classes: K.
    """

    target_type = torch.int64

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.num_classes = num_classes

    @override
    def update(self, index: Tensor, target: Tensor, logits: Tensor) -> None:
        """Adds a batch: index (B,), target (B,), logits (B, K) of any floating type.

        Raises:
            ValueError: When the shapes are others.
        """
        if logits.shape != (len(index), self.num_classes) or target.shape != index.shape:
            raise ValueError(
                f"expected index (B,), target (B,) and logits (B, {self.num_classes}), "
                f"got {tuple(index.shape)}, {tuple(target.shape)} and {tuple(logits.shape)}"
            )
        self.add(index, target, logits)

    @override
    def compute(self) -> Predictions:
        """The clips that any process saw since the last `reset`, sorted by index; possibly none."""
        return Predictions(*self.once())

    @override
    def none(self) -> tuple[Tensor, Tensor, Tensor]:
        none = torch.zeros(0, dtype=torch.int64)
        return none, none, torch.zeros(0, self.num_classes)


def most_confident_errors(predictions: Predictions, limit: int) -> list[int]:
    """Rows of the wrong predictions, most confident first; a clip of unknown truth is not wrong.

    >>> logits = torch.tensor([[4.0, 0.0], [1.0, 0.0], [3.0, 0.0]])
    >>> three = Predictions(torch.arange(3), torch.tensor([1, 1, 0]), logits)
    >>> most_confident_errors(three, limit=8)
    [0, 1]
    """
    wrong = (predictions.target >= 0) & (predictions.predicted != predictions.target)
    rows = wrong.nonzero().flatten()
    order = predictions.confidence[rows].argsort(descending=True, stable=True)
    return [int(row) for row in rows[order[:limit]]]


def pooled(predictions: Sequence[Predictions]) -> Predictions:
    """The predictions of several folds as those of one test, numbered anew.

    >>> one = Predictions(torch.arange(2), torch.tensor([0, 1]), torch.zeros(2, 2))
    >>> pooled([one, one]).index
    tensor([0, 1, 2, 3])
    """
    target = torch.cat([each.target for each in predictions])
    logits = torch.cat([each.logits for each in predictions])
    return Predictions(torch.arange(len(target)), target, logits)
