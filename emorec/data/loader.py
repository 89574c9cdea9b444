"""A data set becomes batches, made by processes of their own."""

import atexit
import multiprocessing.util
import signal
import time
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Sampler, default_collate

from emorec.data.clip import Batch
from emorec.data.dataset import ClipDataset, Sample
from emorec.data.hand_over import PREFETCH, SharedBatches, SharingLoader

PATIENCE_SECONDS = 0.5
"""What the processes of a program that ends have to end themselves."""


def make_loader(
    dataset: ClipDataset,
    *,
    batch_size: int,
    num_workers: int,
    sampler: Sampler[Any] | None = None,
    shape: Sequence[int] | None = None,
) -> DataLoader[Any]:
    """The batches of a data set.

    Args:
        dataset: Of B clips at a time.
        batch_size: B.
        num_workers: Processes that make batches; with 0 this one does.
        sampler: The order; without it that of the data set.
        shape: Of a clip's frames, (T, H, W, C), which processes then hand over in memory that is used again and again;
            `None` where samples hold no frames.

    Raises:
        UserError: When there is not enough shared memory.
    """
    # torch draws a seed for the processes, by default from the numbers that dropout draws from: then a run would depend
    # on how many processes there are
    own_numbers = torch.Generator()
    if num_workers == 0 or shape is None:
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            generator=own_numbers,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=collate,
            worker_init_fn=_begin_worker,
        )
    return SharingLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        generator=own_numbers,
        num_workers=num_workers,
        persistent_workers=True,
        prefetch_factor=PREFETCH,
        collate_fn=SharedBatches(num_workers, batch_size, shape),
        worker_init_fn=_begin_worker,
    )


def collate(samples: Sequence[Sample]) -> Batch:
    """Samples become a batch: frames (B, T, C, H, W), a view of (B, T, H, W, C) memory, so nothing is copied twice."""
    batch = default_collate(list(samples))
    if "frames" in batch:
        batch["frames"] = batch["frames"].permute(0, 1, 4, 2, 3)  # (B, T, C, H, W)
    return cast("Batch", batch)


def _begin_worker(worker: int) -> None:
    del worker
    import cv2

    # the workers are the parallelism; OpenCV's own threads would fight over the cores
    cv2.setNumThreads(0)
    # Ctrl-C and a cluster's SIGTERM are the main process's to answer, which ends this one in good order
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _end_processes() -> None:
    """Ends the daemons of a program that ends, and kills those that SIGTERM does not move.

    `multiprocessing` would wait for them: for a loader's, whose loader was never let go of or which stands still.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch would raise an error for each
    daemons = [child for child in multiprocessing.active_children() if child.daemon]
    for daemon in daemons:
        daemon.terminate()
    end = time.monotonic() + PATIENCE_SECONDS
    for daemon in daemons:
        daemon.join(max(0.0, end - time.monotonic()))
        daemon.kill()


# what is registered later is called earlier: the import above has registered what this comes before
atexit.register(_end_processes)
