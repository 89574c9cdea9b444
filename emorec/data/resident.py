"""The pictures of all clips in memory: the GPU's, or memory that all loader processes share."""

import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from emorec.data.cache.decode_pool import with_bar
from emorec.data.cache.manifest import Part, part
from emorec.data.clip import Clip
from emorec.data.resize import Frames
from emorec.data.shared_memory import shared_bytes, shared_memory_free
from emorec.data.source import Source

log = logging.getLogger(__name__)

FREE_SHARE = 0.3
"""Of a memory's size that stays free: for the network, its gradients, and whatever else runs there."""


class ResidentPictures:
    """Pictures that are in memory; a `Source` where that is not a GPU's.

    Args:
        pictures: (clips, T, H, W, C) uint8.
        rows: Where in it each clip is.
    """

    def __init__(self, pictures: Tensor, rows: Mapping[Part, int]) -> None:
        self.pictures = pictures
        self.rows = rows

    def __call__(self, clip: Clip) -> Frames:
        """(T, H, W, C) uint8, memory that the caller may change."""
        # to turn pictures that no processor cache holds takes longer than to copy them there before
        frames: Frames = self.pictures[self.row(clip)].numpy().copy()
        return frames

    def row(self, clip: Clip) -> int:
        """Where a clip is, for `take`."""
        return self.rows[part(clip)]

    def take(self, rows: Tensor) -> Tensor:
        """The pictures of a batch: (B,) int64 on the same device -> (B, T, C, H, W) uint8, as a batch has them."""
        return self.pictures[rows].permute(0, 1, 4, 2, 3)


def load_pictures(
    clips: Sequence[Clip], source: Source, device: torch.device, *, progress: bool = True
) -> ResidentPictures | None:
    """Reads all clips into the memory of a device; says so and gives `None` where they don't fit.

    Args:
        clips: At least one.
        source: Where their pictures come from; several threads ask it at once.
        device: A GPU, or the CPU for memory that processes share.
        progress: Show a bar when it takes longer than two seconds.
    """
    wanted = {part(clip): clip for clip in clips}
    first = torch.from_numpy(source(clips[0]))
    room, needed = room_on(device), len(wanted) * first.nbytes
    where = "shared memory" if device.type == "cpu" else f"the memory of {device}"
    if needed > room:
        log.warning(
            "clips stay in the cache: together they take %.1f GB, and %s has room for %.1f "
            "(%.0f %% of it stay free)",
            needed / 1e9,
            where,
            max(0, room) / 1e9,
            100 * FREE_SHARE,
        )
        return None
    shape = (len(wanted), *first.shape)
    on_cpu = device.type == "cpu"
    pictures = (
        shared_bytes(shape) if on_cpu else torch.empty(shape, dtype=torch.uint8, device=device)
    )
    rows = {each: row for row, each in enumerate(wanted)}

    def load(each: Part) -> None:
        pictures[rows[each]] = torch.from_numpy(source(wanted[each]))

    with ThreadPoolExecutor() as threads:
        loaded = threads.map(load, wanted)
        for _ in with_bar(loaded, len(wanted), f"reading clips into {where}", show=progress):
            pass
    return ResidentPictures(pictures, rows)


def room_on(device: torch.device) -> int:
    """Bytes that may be taken of a device's memory; the CPU's is what processes can share."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return free - int(FREE_SHARE * total)
    free, total = _main_memory()
    return min(free - int(FREE_SHARE * total), shared_memory_free())


def _main_memory() -> tuple[int, int]:
    """Bytes that are free and that there are."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:  # not Linux: nobody says how much could be freed
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return total // 2, total
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return 1024 * kib["MemAvailable"], 1024 * kib["MemTotal"]
