"""What networks said of clips, gathered over batches and processes, each clip once."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat
from typing_extensions import override


class Collector(Metric):
    """Collects an epoch's positions, truths and outputs; a subclass says what they are and makes them one thing.

    A distributed sampler repeats clips to give every process as many as the next: the first of a clip's outputs is
    kept. A process may have none.

    Args:
        num_outputs: Numbers that a network says of each clip.
    """

    full_state_update = False
    target_type: ClassVar[torch.dtype]
    index: list[Tensor]
    target: list[Tensor]
    output: list[Tensor]

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.num_outputs = num_outputs
        for name in ("index", "target", "output"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def none(self) -> tuple[Tensor, Tensor, Tensor]:
        """Index, target and output of no clips, of the right types and shapes."""
        raise NotImplementedError

    def add(self, index: Tensor, target: Tensor, output: Tensor) -> None:
        """Adds a batch; its shapes are right."""
        self.index.append(index.detach().to(self.device, torch.int64))
        self.target.append(target.detach().to(self.device, self.target_type))
        self.output.append(output.detach().to(self.device, torch.float32))

    def once(self) -> tuple[Tensor, Tensor, Tensor]:
        """Index, target and output of the clips since the last `reset`, on the CPU, sorted by index, each once."""
        index, target, output = (dim_zero_cat(state).cpu() for state in self._states())
        order = index.argsort(stable=True)
        index = index[order]
        first = torch.ones_like(index, dtype=torch.bool)
        first[1:] = index[1:] != index[:-1]
        kept = order[first]
        return index[first], target[kept], output[kept]

    @override
    def sync(self, *args: Any, **kwargs: Any) -> None:
        # Torchmetrics would gather no batches as float32 (0,), which has neither our types nor our shapes.
        self.index, self.target, self.output = self._states()
        super().sync(*args, **kwargs)

    def _states(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """The batches; an empty one if there are none."""
        if len(self.index):
            return self.index, self.target, self.output
        index, target, output = (each.to(self.device) for each in self.none())
        return [index], [target], [output]

    @override
    def _wrap_compute(self, compute: Callable[[], Any]) -> Callable[[], Any]:
        # Torchmetrics' own wrapper turns the tensors of a single clip into scalars, refuses frozen
        # dataclasses and warns of an empty epoch. What is left is the exchange between processes.
        def synced() -> Any:
            with self.sync_context(
                dist_sync_fn=self.dist_sync_fn,
                should_sync=self._to_sync,
                should_unsync=self._should_unsync,
            ):
                return compute()

        return synced
