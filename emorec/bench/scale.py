"""`emorec bench scale`: whether time grows in proportion to the clips."""

import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from emorec.bench.circumstances import load_average, machine, num_cores
from emorec.bench.drawn import draw_clips
from emorec.bench.json_file import refuse_unwritable, write_json
from emorec.bench.room import at_least_one, clip_bytes, refuse_without_room, work_folder
from emorec.bench.table import shown
from emorec.data.augment import ClipTransform
from emorec.data.cache.build import build_cache
from emorec.data.clip import Clip
from emorec.data.dataset import ClipDataset, make_loader
from emorec.data.preprocessing import FrameSpec
from emorec.data.sets.ravdess.parser import find_clips
from emorec.errors import UserError
from emorec.image_size import Size, parse_image_size, size_before_crop

BATCH_SIZE = 16

Result = TypeVar("Result")


def scale(
    *,
    sizes: list[int] = [100, 1000, 10_000],  # noqa: B006 - never changed; a tuple would be a fixed number of values
    num_frames: int = 10,
    image_size: int = 64,
    num_workers: int | None = None,
    folder: str | None = None,
    out: str = "lightning_logs/bench_scale.json",
) -> None:
    """Measure whether the time grows in proportion to the clips.

    For each number of clips: filling a cache, opening it again, and an epoch over it. The clips are copies of a few
    short drawn ones, each with a mark of its own, so that they count as different.

    Args:
        sizes: Numbers of clips, as in [100,1000].
        num_frames: T of each clip.
        image_size: Side of the frames the network sees; small, so that the disk holds many.
        num_workers: Processes; all cores when not given.
        folder: For clips and cache, which are removed; else the system's folder for temporary files.
        out: JSON file to write, replaced.

    Raises:
        UserError: When a number makes no sense or the disk is too small.
    """
    workers = num_cores() if num_workers is None else num_workers
    at_least_one({"num_frames": num_frames, "image_size": image_size, "num_workers": workers})
    if not sizes:
        raise UserError("name some numbers of clips, as in --sizes [100,1000]")
    at_least_one({"sizes": min(sizes)})
    refuse_unwritable(Path(out))
    console = Console(highlight=False, soft_wrap=True)
    seen = parse_image_size(image_size)
    recipe = FrameSpec(num_frames=num_frames, size=size_before_crop(seen))
    load = load_average()
    with work_folder(folder) as work:
        draw_clips(work / "drawn", actors=1)
        originals = find_clips(work / "drawn").clips
        largest = max(clip.path.stat().st_size for clip in originals)
        refuse_without_room(work, sum(sizes) * (clip_bytes(recipe) + largest))
        found = []
        for size in sizes:
            console.print(f"{size} clips")
            clips = copies(originals, size, work / f"clips{size}")
            found.append(time_taken(clips, recipe, seen, work / f"cache{size}", workers))
    show(found, console)
    facts = {"machine": {**machine(), "load_average": load}, "recipe": asdict(recipe)}
    write_json({"format": 1, **facts, "sizes": [asdict(each) for each in found]}, Path(out))


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Seconds that a number of clips took.

    Attributes:
        clips: How many.
        fill_seconds: Reading, decoding and keeping all of them.
        reopen_seconds: Finding out that all is kept already.
        epoch_seconds: Loading all of them once, augmented.
    """

    clips: int
    fill_seconds: float
    reopen_seconds: float
    epoch_seconds: float


def time_taken(
    clips: Sequence[Clip], recipe: FrameSpec, image_size: Size, cache: Path, workers: int
) -> Taken:
    """Measures one number of clips.

    Args:
        clips: No two of the same content.
        recipe: What is kept of them.
        image_size: Of what is loaded.
        cache: A folder for the frames.
        workers: Processes.
    """
    look = partial(build_cache, clips, recipe, str(cache), workers=workers)
    fill_seconds, _ = timed(look)
    reopen_seconds, looked = timed(look)
    dataset = ClipDataset(clips, looked, ClipTransform(image_size, augment=True))
    loader = make_loader(dataset, batch_size=BATCH_SIZE, num_workers=workers)
    epoch_seconds, _ = timed(lambda: sum(1 for _ in loader))
    return Taken(
        clips=len(clips),
        fill_seconds=fill_seconds,
        reopen_seconds=reopen_seconds,
        epoch_seconds=epoch_seconds,
    )


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """How many seconds some work took, and what came of it."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def copies(originals: Sequence[Clip], count: int, folder: Path) -> list[Clip]:
    """So many clips of which no two have the same content, in a folder that is made.

    Each ends with a box that says its number; players skip boxes of that kind.

    Source: ISO/IEC 14496-12, section 8.1.2, "free".
    """
    folder.mkdir()
    contents = [original.path.read_bytes() for original in originals]
    made = []
    for number in range(count):
        original = originals[number % len(originals)]
        path = folder / f"{number:06d}.mp4"
        mark = struct.pack(">I4sQ", 16, b"free", number)
        path.write_bytes(contents[number % len(originals)] + mark)
        made.append(replace(original, path=path, take=path.stem))
    return made


def show(found: Sequence[Taken], console: Console) -> None:
    """Prints seconds, and in brackets milliseconds a clip, for each number of clips."""
    table = Table(box=None, pad_edge=False)
    for column in ("clips", "fill the cache", "open it again", "an epoch"):
        table.add_column(column, justify="right")
    for each in found:
        seconds = (each.fill_seconds, each.reopen_seconds, each.epoch_seconds)
        per_clip = (f"{shown(one)} s ({1000 * one / each.clips:.2f} ms)" for one in seconds)
        table.add_row(str(each.clips), *per_clip)
    console.print("seconds in all (milliseconds a clip)")
    console.print(table)
