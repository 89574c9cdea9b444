"""`emorec bench storage`: what the ways of keeping decoded frames cost on disk, in writing and in reading."""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, Dataset

from emorec.bench.cached import cached_clips
from emorec.bench.circumstances import load_average, machine
from emorec.bench.formats import FORMATS, Format
from emorec.bench.json_file import refuse_unwritable, write_json
from emorec.bench.room import at_least_one, clip_bytes, refuse_without_room, work_folder
from emorec.bench.speed import clips_per_second, one_thread, over_epochs
from emorec.bench.table import shown
from emorec.data.decoding.decode import Frames
from emorec.data.preprocessing import FrameSpec
from emorec.image_size import format_frames, parse_image_size, size_before_crop

READ_AT_ONCE = 8
"""Clips that a process reads before it says so, as saying so takes time too."""

IN_MEMORY = 64
"""Different clips at most; more are the same again."""

RAVDESS_CLIPS = 1440
"""Spoken clips of RAVDESS, whose size on the disk is what people want to know."""


def storage(
    *,
    root: str | None = None,
    clips: int = 64,
    num_frames: int = 10,
    image_size: int = 224,
    processes: int = 2,
    seconds: float = 1.0,
    rounds: int = 3,
    folder: str | None = None,
    out: str = "lightning_logs/bench_storage.json",
) -> None:
    """Compare the ways of keeping decoded frames: disk, writing, reading.

    Args:
        root: Where RAVDESS was unzipped; without it clips are drawn, which JPEG makes smaller than filmed ones.
        clips: How many are written and read.
        num_frames: T of each clip.
        image_size: Side of the crops; what is kept is 8/7 of that a side.
        processes: That read at once, beside one alone.
        seconds: How long each way is read in a round.
        rounds: How often all ways are measured; medians are shown.
        folder: On the disk to be measured; else the system's folder for temporary files.
        out: JSON file to write, replaced.

    Raises:
        UserError: When a number makes no sense, the disk is too small, or there are no clips.
    """
    asked = {"clips": clips, "num_frames": num_frames, "image_size": image_size}
    asked |= {"processes": processes, "rounds": rounds}
    at_least_one(asked)
    refuse_unwritable(Path(out))
    recipe = FrameSpec(num_frames=num_frames, size=size_before_crop(parse_image_size(image_size)))
    load = load_average()
    with work_folder(folder) as work, one_thread():
        refuse_without_room(work, clips * clip_bytes(recipe))
        found, source = cached_clips(root, recipe, work, at_most=min(clips, IN_MEMORY))
        kept = list(islice(cycle([source(clip) for clip in found]), clips))
        costs = {kind: Cost() for kind in FORMATS}
        for _ in range(rounds):
            for kind, cost in costs.items():
                with TemporaryDirectory(dir=work) as place:
                    cost.measure(kind(Path(place), recipe.shape), kept, processes, seconds)
    show(costs, asked, Console(highlight=False, soft_wrap=True))
    ways = {kind.__name__: {"words": kind.words, **asdict(cost)} for kind, cost in costs.items()}
    facts = {"machine": {**machine(), "load_average": load}, "asked": asked}
    write_json({"format": 1, **facts, "ways": ways}, Path(out))


@dataclass(slots=True)
class Cost:
    """What a way of keeping clips was found to cost.

    Attributes:
        bytes_a_clip: On the disk.
        write: Clips/s until all are on the disk, a measurement a round.
        read_cold: Clips/s of one process when the operating system remembers nothing of the files.
        read: Clips/s of one process.
        read_together: Clips/s of several processes.
    """

    bytes_a_clip: float = 0.0
    write: list[float] = field(default_factory=list)
    read_cold: list[float] = field(default_factory=list)
    read: list[float] = field(default_factory=list)
    read_together: list[float] = field(default_factory=list)

    def measure(
        self, kind: Format, clips: Sequence[Frames], processes: int, seconds: float
    ) -> None:
        """Measures once more.

        Args:
            kind: With an empty folder.
            clips: (T, H, W, C) uint8 each.
            processes: That read at once.
            seconds: How long is read.
        """
        sync()
        began = time.perf_counter()
        kind.write(clips)
        sync()
        self.write.append(len(clips) / (time.perf_counter() - began))
        self.bytes_a_clip = kind.num_bytes / len(clips)
        if forget(kind.files):
            began = time.perf_counter()
            for index in np.random.default_rng(0).permutation(len(clips)).tolist():
                kind.read(index)
            self.read_cold.append(len(clips) / (time.perf_counter() - began))
        self.read.append(reading_speed(kind, len(clips), 1, seconds))
        self.read_together.append(reading_speed(kind, len(clips), processes, seconds))


class Reads(Dataset[int]):
    """Reads a clip and gives nothing of it but that it was read."""

    def __init__(self, kind: Format, clips: int) -> None:
        self.kind = kind
        self.clips = clips

    def __len__(self) -> int:
        return self.clips

    def __getitem__(self, index: int) -> int:
        return self.kind.read(index).ndim


def reading_speed(kind: Format, clips: int, processes: int, seconds: float) -> float:
    """How fast so many processes read clips in any order, in clips a second."""
    loader: DataLoader[int] = DataLoader(
        Reads(kind, clips),
        batch_size=min(READ_AT_ONCE, clips),
        shuffle=True,
        num_workers=processes,
        persistent_workers=True,
        collate_fn=len,
        worker_init_fn=_one_thread,
    )
    batches = over_epochs(loader)
    return clips_per_second(lambda: next(batches), seconds, warm_up=processes)


def sync() -> None:
    """Returns when all that was written is on the disk, where the system can tell."""
    if hasattr(os, "sync"):
        os.sync()


def forget(files: Sequence[Path]) -> bool:
    """Whether the operating system could be made to forget what it remembers of files."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def show(costs: dict[type[Format], Cost], asked: dict[str, int], console: Console) -> None:
    """Prints a row for each way."""
    frames = format_frames(
        asked["num_frames"], size_before_crop(parse_image_size(asked["image_size"]))
    )
    console.print(
        f"{asked['clips']} clips of {frames}. MB a clip, GB for {RAVDESS_CLIPS} clips, and clips/s: written until they "
        "are on the disk; read by one process when the system has forgotten the files; by one, by "
        f"{asked['processes']} when it remembers them"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("kept as", no_wrap=True)
    for column in ("MB", "GB", "write", "forgotten", "one", str(asked["processes"])):
        table.add_column(column, justify="right", no_wrap=True)
    for kind, cost in costs.items():
        size = (f"{cost.bytes_a_clip / 1e6:.2f}", f"{cost.bytes_a_clip * RAVDESS_CLIPS / 1e9:.2f}")
        speeds = (cost.write, cost.read_cold, cost.read, cost.read_together)
        table.add_row(kind.words, *size, *(shown(median(each)) if each else "-" for each in speeds))
    console.print(table)


def _one_thread(worker: int) -> None:
    del worker
    cv2.setNumThreads(1)
