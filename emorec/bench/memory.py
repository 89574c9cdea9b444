"""`emorec bench memory`: whether a loader's memory stays flat over many clips and many epochs."""

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from emorec.bench.cached import cached_clips
from emorec.bench.circumstances import machine
from emorec.bench.json_file import refuse_unwritable, write_json
from emorec.bench.process_memory import growth, only_worker, resident_bytes
from emorec.bench.room import at_least_one, work_folder
from emorec.data.augment import ClipTransform
from emorec.data.cache.build import ClipReader
from emorec.data.clip import Clip
from emorec.data.dataset import ClipDataset, make_loader
from emorec.data.preprocessing import FrameSpec, ReadFrames
from emorec.image_size import parse_image_size, size_before_crop

FLAT = 0.05
"""Growth that counts as none."""

BATCH_SIZE = 8


def memory(
    *,
    root: str | None = None,
    clips: int = 3000,
    epochs: int = 10,
    num_frames: int = 10,
    image_size: int = 224,
    folder: str | None = None,
    out: str = "lightning_logs/bench_memory.json",
) -> None:
    """Watch whether memory stays flat over many clips and epochs.

    One loader process decodes many clips; another one reads clips from a cache again and again.

    Args:
        root: Where RAVDESS was unzipped; without it clips are drawn.
        clips: How many are decoded; where there are fewer, they come again.
        epochs: How often the cache is read.
        num_frames: T of each clip.
        image_size: Side of the frames the network sees.
        folder: For the cache, which is removed; else the system's folder for temporary files.
        out: JSON file to write, replaced.

    Raises:
        UserError: When a number makes no sense, the disk is too small, there are no clips, or the operating system
            does not tell how much memory a process holds.
    """
    asked = {"clips": clips, "epochs": epochs, "num_frames": num_frames, "image_size": image_size}
    at_least_one(asked)
    refuse_unwritable(Path(out))
    console = Console(highlight=False, soft_wrap=True)
    size = parse_image_size(image_size)
    recipe = FrameSpec(num_frames=num_frames, size=size_before_crop(size))
    transform = ClipTransform(size, augment=True)
    with work_folder(folder) as work:
        kept, cached = cached_clips(root, recipe, work, at_most=clips)
        console.print(f"decoding {clips} clips in one process")
        many = list(islice(cycle(kept), clips))
        decoding = watch(many, ClipReader(recipe), transform, epochs=1)
        console.print(f"reading {len(kept)} clips from the cache {epochs} times in one process")
        reading = watch(kept, cached, transform, epochs=epochs)
    watched = {"decoding": decoding, "reading": reading}
    show(watched, console)
    plain = {name: facts(samples) for name, samples in watched.items()}
    write_json({"format": 1, "machine": machine(), "asked": asked, **plain}, Path(out))


def watch(
    clips: Sequence[Clip],
    source: ReadFrames,
    transform: ClipTransform,
    *,
    epochs: int,
) -> list[int]:
    """What a loader's one process holds after each batch, in bytes.

    Args:
        clips: Loaded in their order.
        source: Gives their pictures.
        transform: What is done to them.
        epochs: How often all are loaded.
    """
    dataset = ClipDataset(clips, source, transform)
    loader = make_loader(dataset, batch_size=BATCH_SIZE, num_workers=1)
    return [resident_bytes(only_worker()) for _ in range(epochs) for _ in loader]


def facts(samples: Sequence[int]) -> dict[str, Any]:
    """What was seen, as plain values."""
    return {
        "start_bytes": samples[0],
        "end_bytes": samples[-1],
        "highest_bytes": max(samples),
        "growth": growth(samples),
        "flat": growth(samples) < FLAT,
    }


def show(watched: dict[str, list[int]], console: Console) -> None:
    """Prints a row for each process."""
    table = Table("MB of one process", box=None, pad_edge=False)
    for column in ("start", "highest", "end", "growth"):
        table.add_column(column, justify="right")
    for name, samples in watched.items():
        sizes = (samples[0], max(samples), samples[-1])
        grown = f"{100 * growth(samples):+.1f} %"
        table.add_row(name, *(f"{size / 1e6:.0f}" for size in sizes), grown)
    console.print(table)
    growing = [name for name, samples in watched.items() if growth(samples) >= FLAT]
    verdict = f"memory grows while {' and '.join(growing)}" if growing else "memory stays flat"
    console.print(f"{verdict} (growth: highest of the last four fifths beside the first fifth)")
