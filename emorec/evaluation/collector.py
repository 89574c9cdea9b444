"""The outputs of an epoch, gathered over batches and processes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat
from typing_extensions import override


@dataclass(frozen=True, eq=False)
class Collected:
    """Outputs and truth of N distinct clips, on the CPU.

    Attributes:
        index: (N,) int64 positions of the clips in their data set, ascending.
        target: (N,) int64 labels, -1 where unknown; or (N, R) float32 numbers, NaN where unknown.
        output: (N, K) float32 logits, or (N, R) numbers.
    """

    index: Tensor
    target: Tensor
    output: Tensor

    def __len__(self) -> int:
        return len(self.index)


class PredictionCollector(Metric):
    """Collects the outputs of an epoch; `compute` returns those of all processes, each clip once.

    A distributed sampler repeats clips so that all processes have equally many: the first output of a clip is kept. A
    process may have none.

    Args:
        num_outputs: K logits, or R numbers.
        classes: Whether targets are labels (B,), or numbers (B, R).
    """

    full_state_update = False
    index: list[Tensor]
    target: list[Tensor]
    output: list[Tensor]

    def __init__(self, num_outputs: int, *, classes: bool) -> None:
        super().__init__()
        self.num_outputs = num_outputs
        self.classes = classes
        for name in ("index", "target", "output"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    @override
    def update(self, index: Tensor, target: Tensor, output: Tensor) -> None:
        """Add a batch: index (B,), target (B,) or (B, R), output (B, K) or (B, R) of any floating type.

        Raises:
            ValueError: When the shapes don't fit.
        """
        outputs = (*index.shape, self.num_outputs)
        targets = index.shape if self.classes else outputs
        if target.shape != targets or output.shape != outputs:
            raise ValueError(
                f"expected target {tuple(targets)} and output {outputs}, "
                f"got {tuple(target.shape)} and {tuple(output.shape)}"
            )
        target_type = torch.int64 if self.classes else torch.float32
        self.index.append(index.detach().to(self.device, torch.int64))
        self.target.append(target.detach().to(self.device, target_type))
        self.output.append(output.detach().to(self.device, torch.float32))

    @override
    def compute(self) -> Collected:
        """Return the clips that any process added since the last `reset`, sorted by index; possibly none."""
        index, target, output = (dim_zero_cat(state).cpu() for state in self._states())
        order = index.argsort(stable=True)
        index = index[order]
        first = torch.ones_like(index, dtype=torch.bool)
        first[1:] = index[1:] != index[:-1]
        kept = order[first]
        return Collected(index[first], target[kept], output[kept])

    @override
    def sync(self, *args: Any, **kwargs: Any) -> None:
        # torchmetrics would gather no batches as float32 (0,), which has neither the types nor the shapes of the others
        self.index, self.target, self.output = self._states()
        super().sync(*args, **kwargs)

    def _states(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return the batches, or an empty one if there are none."""
        if len(self.index):
            return self.index, self.target, self.output
        index = torch.zeros(0, dtype=torch.int64, device=self.device)
        output = torch.zeros(0, self.num_outputs, device=self.device)
        return [index], [index if self.classes else output], [output]

    @override
    def _wrap_compute(self, compute: Callable[[], Any]) -> Callable[[], Any]:
        # torchmetrics' own wrapper turns the tensors of a single clip into scalars and warns of an empty epoch. What is
        # left is the exchange between processes.
        def synced() -> Any:
            with self.sync_context(
                dist_sync_fn=self.dist_sync_fn,
                should_sync=self._to_sync,
                should_unsync=self._should_unsync,
            ):
                return compute()

        return synced
