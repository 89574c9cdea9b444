"""`python benchmarks/storage.py --root ravdess`: compare ways to store decoded frames.

Measures disk space, writing and reading. Without --root clips are synthesized, which JPEG compresses better than filmed
ones.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice, pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from jsonargparse import auto_cli
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, Dataset

from emorec.bench.stages import clips_per_second, endless_batches, one_thread
from emorec.data.ravdess import find_clips
from emorec.data.recipe import Recipe
from emorec.data.resize import Frames, size_to_crop
from emorec.data.source import DecodedPictures
from emorec.data.synthetic.clips import write_dataset
from emorec.data.synthetic.settings import ClipSettings
from emorec.text import significant

JPEG_QUALITY = (cv2.IMWRITE_JPEG_QUALITY, 95)

BATCH_SIZE = 8
"""Clips that a process reads before it returns, as returning takes time too."""

MAX_DIFFERENT_CLIPS = 64
"""More are the same again."""

RAVDESS_CLIPS = 1440


@dataclass
class Format:
    """A way to store clips (T, H, W, C) in a folder.

    Attributes:
        title: In the table.
        write: Stores clips in a folder.
        reader: Opens a folder and returns what reads the clip of an index.
    """

    title: str
    write: Callable[[Path, Sequence[Frames]], None]
    reader: Callable[[Path, tuple[int, ...]], Callable[[int], Frames]]


def write_raw(folder: Path, clips: Sequence[Frames]) -> None:
    """Write all clips into one file."""
    with (folder / "clips.raw").open("wb") as file:
        for clip in clips:
            file.write(np.ascontiguousarray(clip).data)


def pread_reader(folder: Path, shape: tuple[int, ...]) -> Callable[[int], Frames]:
    """Read from one file by position."""
    file, size = os.open(folder / "clips.raw", os.O_RDONLY), int(np.prod(shape))

    def read(index: int) -> Frames:
        frames = np.empty(shape, np.uint8)
        os.preadv(file, [frames.data], index * size)
        return frames

    return read


def memory_map_reader(folder: Path, shape: tuple[int, ...]) -> Callable[[int], Frames]:
    """Read from one file that is mapped into memory."""
    clips = np.memmap(folder / "clips.raw", np.uint8, mode="r").reshape(-1, *shape)
    return lambda index: np.array(clips[index])


def write_npy(folder: Path, clips: Sequence[Frames]) -> None:
    """Write a .npy file a clip."""
    for index, clip in enumerate(clips):
        np.save(folder / f"{index:06d}.npy", clip)


def npy_reader(folder: Path, shape: tuple[int, ...]) -> Callable[[int], Frames]:
    """Read a .npy file a clip."""
    del shape
    return lambda index: np.load(folder / f"{index:06d}.npy")


def write_jpegs(folder: Path, clips: Sequence[Frames]) -> None:
    """Write a JPEG file a frame."""
    for index, clip in enumerate(clips):
        for number, frame in enumerate(clip):
            (folder / f"{index:06d}_{number:02d}.jpg").write_bytes(encode_jpeg(frame))


def jpeg_reader(folder: Path, shape: tuple[int, ...]) -> Callable[[int], Frames]:
    """Read a JPEG file a frame."""

    def read(index: int) -> Frames:
        paths = [folder / f"{index:06d}_{number:02d}.jpg" for number in range(shape[0])]
        return np.stack([decode_jpeg(path.read_bytes()) for path in paths])

    return read


def write_jpeg_shard(folder: Path, clips: Sequence[Frames]) -> None:
    """Write all JPEG images into one file, and where each begins into another."""
    with (folder / "clips.jpegs").open("wb") as file:
        lengths = [file.write(encode_jpeg(frame)) for clip in clips for frame in clip]
    np.save(folder / "bounds.npy", np.cumsum([0, *lengths]))


def jpeg_shard_reader(folder: Path, shape: tuple[int, ...]) -> Callable[[int], Frames]:
    """Read a clip's JPEG images from one file."""
    bounds = np.load(folder / "bounds.npy")
    file = os.open(folder / "clips.jpegs", os.O_RDONLY)

    def read(index: int) -> Frames:
        own = bounds[index * shape[0] : (index + 1) * shape[0] + 1].tolist()
        content = os.pread(file, own[-1] - own[0], own[0])
        return np.stack(
            [decode_jpeg(content[begin - own[0] : end - own[0]]) for begin, end in pairwise(own)]
        )

    return read


def encode_jpeg(frame: Frames) -> bytes:
    """Return a frame as JPEG."""
    return cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), JPEG_QUALITY)[1].tobytes()


def decode_jpeg(content: bytes) -> Frames:
    """Return the frame of a JPEG image."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


FORMATS = (
    Format("raw, one file, pread", write_raw, pread_reader),
    Format("raw, one file, memory map", write_raw, memory_map_reader),
    Format("a .npy file a clip", write_npy, npy_reader),
    Format("JPEG q95, a file a frame", write_jpegs, jpeg_reader),
    Format("JPEG q95, one file", write_jpeg_shard, jpeg_shard_reader),
)


@dataclass
class Cost:
    """Measurements of a format.

    Attributes:
        bytes_a_clip: On the disk.
        write: Clips/s until they are on the disk, one measurement a round.
        read_cold: Clips/s of one process after the page cache was dropped.
        read: Clips/s of one process.
        read_together: Clips/s of several processes.
    """

    bytes_a_clip: float = 0.0
    write: list[float] = field(default_factory=list)
    read_cold: list[float] = field(default_factory=list)
    read: list[float] = field(default_factory=list)
    read_together: list[float] = field(default_factory=list)


class Reads(Dataset[int]):
    """Reads a clip and returns nothing of it, so that only reading is measured."""

    def __init__(self, read: Callable[[int], Frames], num_clips: int) -> None:
        self.read = read
        self.num_clips = num_clips

    def __len__(self) -> int:
        return self.num_clips

    def __getitem__(self, index: int) -> int:
        return self.read(index).ndim


def measure(
    cost: Cost, kind: Format, folder: Path, clips: Sequence[Frames], processes: int
) -> None:
    """Measure a format once more in an empty folder."""
    os.sync()
    start = time.perf_counter()
    kind.write(folder, clips)
    os.sync()
    cost.write.append(len(clips) / (time.perf_counter() - start))
    files = list(folder.iterdir())
    cost.bytes_a_clip = sum(path.stat().st_size for path in files) / len(clips)
    for path in files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    read = kind.reader(folder, clips[0].shape)
    start = time.perf_counter()
    for index in np.random.default_rng(0).permutation(len(clips)).tolist():
        read(index)
    cost.read_cold.append(len(clips) / (time.perf_counter() - start))
    cost.read.append(reading_speed(read, len(clips), 1))
    cost.read_together.append(reading_speed(read, len(clips), processes))


def reading_speed(read: Callable[[int], Frames], num_clips: int, processes: int) -> float:
    """Return clips a second that processes read in random order."""
    loader: DataLoader[int] = DataLoader(
        Reads(read, num_clips),
        batch_size=min(BATCH_SIZE, num_clips),
        shuffle=True,
        num_workers=processes,
        persistent_workers=True,
        multiprocessing_context="fork",
        collate_fn=len,
        worker_init_fn=lambda _: cv2.setNumThreads(1),
    )
    batches: Iterator[int] = endless_batches(loader)
    return clips_per_second(lambda: next(batches), 1.0, warm_up=processes)


def storage(
    *,
    root: str | None = None,
    clips: int = 64,
    num_frames: int = 10,
    image_size: int = 224,
    processes: int = 2,
    rounds: int = 3,
    folder: str | None = None,
) -> None:
    """Compare ways to store decoded frames.

    Args:
        root: Where RAVDESS was unzipped.
        clips: How many are written and read.
        num_frames: T of each clip.
        image_size: Side of the crops; stored frames are 8/7 as large.
        processes: Readers, beside one alone.
        rounds: How often all formats are measured; medians are shown.
        folder: On the disk to be measured; by default the system's folder for temporary files.
    """
    recipe = Recipe(num_frames=num_frames, size=size_to_crop((image_size, image_size)))
    costs = [Cost() for _ in FORMATS]
    with TemporaryDirectory(dir=folder) as work, one_thread():
        if root is None:
            root = str(Path(work, "clips"))
            write_dataset(
                Path(root),
                actors=range(1, 9),
                takes=1,
                settings=ClipSettings(num_frames=12, sound=False),
            )
        found = find_clips(root).clips[: min(clips, MAX_DIFFERENT_CLIPS)]
        frames = list(islice(cycle(map(DecodedPictures(recipe), found)), clips))
        for _ in range(rounds):
            for kind, cost in zip(FORMATS, costs, strict=True):
                with TemporaryDirectory(dir=work) as place:
                    measure(cost, kind, Path(place), frames, processes)
    table = Table(box=None, pad_edge=False)
    for column in (
        "stored as",
        "MB",
        f"GB for {RAVDESS_CLIPS}",
        "write",
        "cold",
        "one",
        str(processes),
    ):
        table.add_column(column, justify="left" if column == "stored as" else "right")
    for kind, cost in zip(FORMATS, costs, strict=True):
        sizes = (f"{cost.bytes_a_clip / 1e6:.2f}", f"{cost.bytes_a_clip * RAVDESS_CLIPS / 1e9:.2f}")
        speeds = (cost.write, cost.read_cold, cost.read, cost.read_together)
        table.add_row(kind.title, *sizes, *(significant(median(each)) for each in speeds))
    console = Console()
    console.print(
        "MB a clip; clips/s written to disk, read by one process with a cold page cache, then by one and several"
    )
    console.print(table)


if __name__ == "__main__":
    auto_cli(storage, as_positional=False)
