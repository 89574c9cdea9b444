"""`python benchmarks/memory.py --clips 3000 --epochs 10`: watch the memory of a loader process.

First it decodes many clips, then another one reads clips from a cache for many epochs. Without --root clips are
synthesized. Needs `pip install psutil`.
"""

import multiprocessing
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from jsonargparse import auto_cli

from emorec.data.cache.look_through import look_through
from emorec.data.clip import Clip
from emorec.data.dataset import ClipDataset
from emorec.data.loader import make_loader
from emorec.data.ravdess import find_clips
from emorec.data.recipe import Recipe
from emorec.data.resize import size_to_crop
from emorec.data.source import DecodedPictures, Source
from emorec.data.synthetic.clips import write_dataset
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.transform import ClipTransform


def memory(
    root: str | None = None,
    clips: int = 3000,
    epochs: int = 10,
    num_frames: int = 10,
    image_size: int = 224,
) -> None:
    """Watch whether memory stays flat over many clips and epochs.

    Args:
        root: Where RAVDESS was unzipped.
        clips: How many are decoded; where there are fewer, they are repeated.
        epochs: How often the cache is read.
        num_frames: T of each clip.
        image_size: Side of the frames that the network sees.
    """
    size = (image_size, image_size)
    recipe = Recipe(num_frames=num_frames, size=size_to_crop(size))
    shape = (num_frames, *size, 3)
    with TemporaryDirectory() as work:
        if root is None:
            root = str(Path(work, "clips"))
            write_dataset(
                Path(root),
                actors=range(1, 9),
                takes=1,
                settings=ClipSettings(num_frames=12, sound=False),
            )
        found = find_clips(root).clips[:clips]
        show(
            "decoding", watch(list(islice(cycle(found), clips)), DecodedPictures(recipe), shape, 1)
        )
        cached = look_through(found, recipe, Path(work, "cache"), keep_frames=True, workers=2)
        show("reading the cache", watch(found, cached.source(recipe), shape, epochs))


def watch(clips: Sequence[Clip], source: Source, shape: tuple[int, ...], epochs: int) -> list[int]:
    """Return the resident memory of the one loader process after each batch, in bytes."""
    dataset = ClipDataset(clips, source, ClipTransform((shape[1], shape[2]), augment=True))
    loader = make_loader(dataset, batch_size=8, num_workers=1, shape=shape)
    samples = []
    for _ in range(epochs):
        for _ in loader:
            (worker,) = multiprocessing.active_children()
            samples.append(psutil.Process(worker.pid).memory_info().rss)
    return samples


def show(title: str, samples: Sequence[int]) -> None:
    """Print the first, highest and last sample, and the growth from the first fifth to the highest of the rest."""
    warm_up = max(1, round(len(samples) / 5))
    growth = max(samples[warm_up:], default=samples[-1]) / max(samples[:warm_up]) - 1
    first, highest, last = (number / 1e6 for number in (samples[0], max(samples), samples[-1]))
    print(
        f"{title}: {first:.0f} MB at first, {highest:.0f} at most, {last:.0f} at last, {growth:+.1%}"
    )


if __name__ == "__main__":
    auto_cli(memory, as_positional=False)
