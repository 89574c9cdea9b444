"""How a loader's processes hand batches to the main process: through memory that is shared once and used again.

torch's own way gives each batch new shared memory: taking, filling and mapping it costs more than all else that is done
to a cached clip.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate, get_worker_info
from typing_extensions import override

from emorec.data.clip import Batch
from emorec.data.dataset import Sample
from emorec.data.shared_memory import shared_bytes, shared_memory_free
from emorec.errors import UserError

PREFETCH = 2
"""Batches that each process makes ahead."""

SLOTS = PREFETCH + 1
"""Batches there is room for: while one is copied from, its process may be writing any of the next `PREFETCH`."""


class Handed(NamedTuple):
    """What a process says of a batch: where its frames are, and the rest as arrays, since tensors would be shared."""

    process: int
    slot: int
    num_clips: int
    rest: Mapping[str, Any]


class SharedBatches:
    """Memory for the frames of batches on their way.

    Args:
        processes: How many write into it.
        num_clips: B at most.
        shape: Of one clip's frames, (T, H, W, C).
    """

    def __init__(self, processes: int, num_clips: int, shape: Sequence[int]) -> None:
        self.shape = (processes, SLOTS, num_clips, *shape)
        self._memory: Tensor | None = None
        self._written = 0

    @property
    def memory(self) -> Tensor:
        """(processes, SLOTS, B, T, H, W, C) uint8; taken when it is first asked for, before the processes begin.

        Raises:
            UserError: When there is not so much of it.
        """
        if self._memory is None:
            needed, free = prod(self.shape), shared_memory_free()
            if needed > free:
                raise UserError(
                    f"the batches of {self.shape[0]} loader processes need {needed / 1e9:.2f} GB of shared memory, and "
                    f"{free / 1e9:.2f} are free: choose fewer with --data.num_workers or a smaller --data.batch_size, "
                    "or give a container more (docker run --shm-size 8g)"
                )
            self._memory = shared_bytes(self.shape)
        return self._memory

    def __call__(self, samples: Sequence[Sample]) -> Handed:
        """Writes the frames of samples into the next slot; called in a loader's process."""
        info = get_worker_info()
        assert info is not None
        rest = [{name: what for name, what in each.items() if name != "frames"} for each in samples]
        slot = self._written % SLOTS
        self._written += 1
        room = self.memory[info.id, slot, : len(samples)]
        for place, each in zip(room, samples, strict=True):
            place.copy_(each["frames"])
        arrays = {name: tensor.numpy() for name, tensor in default_collate(rest).items()}
        return Handed(info.id, slot, len(samples), arrays)

    def received(self, handed: Handed) -> Batch:
        """The batch, in memory of its own, which is pinned where there is a GPU to copy it to."""
        process, slot, num_clips, rest = handed
        here = self.memory[process, slot, :num_clips]  # (B, T, H, W, C)
        pinned = torch.cuda.is_available()
        frames = torch.empty(here.shape, dtype=here.dtype, pin_memory=pinned).copy_(here)
        tensors = {name: torch.from_numpy(array) for name, array in rest.items()}
        if pinned:
            tensors = {name: tensor.pin_memory() for name, tensor in tensors.items()}
        return cast("Batch", {"frames": frames.permute(0, 1, 4, 2, 3), **tensors})


class SharingLoader(DataLoader[Any]):
    """A loader whose `collate_fn` is `SharedBatches`."""

    collate_fn: SharedBatches

    @override
    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        _ = self.collate_fn.memory  # processes that begin have to find it there
        return map(self.collate_fn.received, super().__iter__())
