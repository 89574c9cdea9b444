"""The order of the training clips: a function of seed and epoch alone."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DistributedSampler

from emorec.data.dataset import ClipDataset, draw_seed


class EpochSampler(DistributedSampler[Any]):
    """Shuffles by (seed, epoch), tells every clip its epoch, and shares the clips out over the processes.

    torch's `DistributedSampler` serves one process too, and Lightning tells it the epoch. Handing the epoch on with
    each position lets the data set augment by (seed, epoch, clip) in any number of workers.

    Args:
        dataset: What is sampled.
        seed: The run's seed.
        weights: How often each clip is drawn, relative to the others; without it each clip comes once.
        num_replicas: Number of processes that train together.
        rank: Which of them this is.
    """

    def __init__(
        self,
        dataset: ClipDataset,
        *,
        seed: int,
        weights: Sequence[float] | None = None,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        # torch adds the epoch to the seed: without a seed of many digits, epoch 1 of seed 0 would be epoch 0 of seed 1
        seed = draw_seed(seed, 0, 0)
        super().__init__(dataset, num_replicas=num_replicas, rank=rank, shuffle=True, seed=seed)
        self.weights = None if weights is None else torch.tensor(weights, dtype=torch.float64)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        if self.weights is None:
            positions = [int(position) for position in super().__iter__()]
        else:
            generator = torch.Generator().manual_seed(self.seed + self.epoch)
            drawn = torch.multinomial(self.weights, self.total_size, True, generator=generator)
            positions = drawn[self.rank :: self.num_replicas].tolist()
        return iter([(self.epoch, position) for position in positions])
