"""`python benchmarks/scale.py --sizes [100,1000,10000]`: measure whether time grows in proportion to the clips.

Measures filling a cache, opening it again, and an epoch over it. The clips are copies of a few synthetic ones, each
with a mark of its own, so that they count as different.
"""

import struct
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from jsonargparse import auto_cli

from emorec.data.augment import ClipTransform
from emorec.data.cache.build import build_cache
from emorec.data.clip import Clip
from emorec.data.dataset import ClipDataset, make_loader
from emorec.data.preprocessing import FrameSpec
from emorec.data.sets.ravdess.parser import find_clips
from emorec.data.synthetic.clips import write_dataset
from emorec.data.synthetic.settings import ClipSettings
from emorec.image_size import size_before_crop
from emorec.io import num_cores


def scale(
    sizes: Sequence[int] = (100, 1000, 10_000),
    num_frames: int = 10,
    image_size: int = 64,
    num_workers: int | None = None,
    folder: str | None = None,
) -> None:
    """Measure whether the time grows in proportion to the clips.

    Args:
        sizes: Numbers of clips.
        num_frames: T of each clip.
        image_size: Side of the frames that the network sees; small, so that the disk holds many.
        num_workers: Processes; by default all cores.
        folder: For clips and cache, which are removed; by default the system's folder for temporary files.
    """
    workers = num_workers or num_cores()
    size = (image_size, image_size)
    spec = FrameSpec(num_frames=num_frames, size=size_before_crop(size))
    with TemporaryDirectory(dir=folder) as work:
        drawn = Path(work, "drawn")
        write_dataset(
            drawn, actors=range(1, 2), takes=1, settings=ClipSettings(num_frames=12, sound=False)
        )
        for count in sizes:
            clips = write_copies(find_clips(drawn).clips, count, Path(work, f"clips{count}"))
            build = partial(
                build_cache, clips, spec, str(Path(work, f"cache{count}")), workers=workers
            )
            start = time.perf_counter()
            build()
            filled = time.perf_counter()
            cached = build()
            opened = time.perf_counter()
            dataset = ClipDataset(clips, cached, ClipTransform(size, augment=True))
            for _ in make_loader(dataset, batch_size=16, num_workers=workers):
                pass
            ended = time.perf_counter()
            milliseconds = [
                1000 * seconds / count
                for seconds in (filled - start, opened - filled, ended - opened)
            ]
            fill, reopen, epoch = milliseconds
            print(
                f"{count} clips, ms a clip: fill the cache {fill:.2f}, open it again {reopen:.2f}, an epoch {epoch:.2f}"
            )


def write_copies(originals: Sequence[Clip], count: int, folder: Path) -> list[Clip]:
    """Write copies of clips, no two with the same content.

    Each ends with a box that holds its number; players skip boxes of that kind.

    ReadFrames: ISO/IEC 14496-12, section 8.1.2, "free".
    """
    folder.mkdir()
    contents = [original.path.read_bytes() for original in originals]
    copies = []
    for number in range(count):
        path = folder / f"{number:06d}.mp4"
        path.write_bytes(
            contents[number % len(originals)] + struct.pack(">I4sQ", 16, b"free", number)
        )
        copies.append(replace(originals[number % len(originals)], path=path, take=path.stem))
    return copies


if __name__ == "__main__":
    auto_cli(scale, as_positional=False)
