"""What a network said of each clip, gathered over batches and processes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat
from typing_extensions import override


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

    def __len__(self) -> int:
        return len(self.index)


class PredictionCollector(Metric):
    """Collects the predictions of an epoch; `compute` gives those of all processes, each clip once.

    A distributed sampler repeats clips to give every process as many as the next: the first of a
    clip's predictions is kept. A process may have none.

    Args:
        num_classes: K.
    """

    full_state_update = False
    index: list[Tensor]
    target: list[Tensor]
    logits: list[Tensor]

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("index", default=[], dist_reduce_fx="cat")
        self.add_state("target", default=[], dist_reduce_fx="cat")
        self.add_state("logits", default=[], dist_reduce_fx="cat")

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
        self.index.append(index.detach().to(self.device, torch.int64))
        self.target.append(target.detach().to(self.device, torch.int64))
        self.logits.append(logits.detach().to(self.device, torch.float32))

    @override
    def compute(self) -> Predictions:
        """The clips that any process saw since the last `reset`, sorted by index; possibly none."""
        index, target, logits = (dim_zero_cat(state).cpu() for state in self._states())
        order = index.argsort(stable=True)
        index = index[order]
        first = torch.ones_like(index, dtype=torch.bool)
        first[1:] = index[1:] != index[:-1]
        kept = order[first]
        return Predictions(index[first], target[kept], logits[kept])

    @override
    def sync(self, *args: Any, **kwargs: Any) -> None:
        # Torchmetrics would gather no batches as float32 (0,), which is neither int64 nor (B, K).
        self.index, self.target, self.logits = self._states()
        super().sync(*args, **kwargs)

    def _states(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """The batches; an empty one of the right types and shapes if there are none."""
        if len(self.index):
            return self.index, self.target, self.logits
        none = torch.zeros(0, dtype=torch.int64, device=self.device)
        return [none], [none], [torch.zeros(0, self.num_classes, device=self.device)]

    @override
    def _wrap_compute(self, compute: Callable[[], Predictions]) -> Callable[[], Predictions]:
        # Torchmetrics' own wrapper turns the tensors of a single clip into scalars, refuses frozen
        # dataclasses and warns of an empty epoch. What is left is the exchange between processes.
        def synced() -> Predictions:
            with self.sync_context(
                dist_sync_fn=self.dist_sync_fn,
                should_sync=self._to_sync,
                should_unsync=self._should_unsync,
            ):
                return compute()

        return synced


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
