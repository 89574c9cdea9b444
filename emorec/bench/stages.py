"""The parts of a training's way from video to network, each measured without the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np

from emorec.bench.speed import clips_per_second, loader_speed, one_thread
from emorec.data import ClipDataModule
from emorec.data.augment import Augment, ClipTransform
from emorec.data.cache.build import ClipReader
from emorec.data.clip import Clip
from emorec.data.dataset import ClipDataset, make_loader
from emorec.data.preprocessing import ReadFrames
from emorec.data.sets.affwild2.features import FeatureDataset
from emorec.data.sets.affwild2.windows import WindowFrames

Measure = Callable[[float], float]
"""Measures for so many seconds and returns clips a second."""


MOST_CLIPS = 10_000
"""That are read in turn: a film has as many frames."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the way that can be measured alone.

    Attributes:
        name: In the JSON file.
        words: In the table.
        measure: What does it.
    """

    name: str
    words: str
    measure: Measure


def loading_stages(data: ClipDataModule, filmed: Sequence[Clip]) -> list[Stage]:
    """Everything before the device.

    Args:
        data: Set up for training.
        filmed: The clips to decode.
    """
    loader = Stage(
        "loader",
        f"loader, {shown_workers(data)}",
        lambda seconds: loader_speed(data.train_dataloader(), seconds),
    )
    if reads := files_source(data):
        words, source = reads
        read = partial(source_speed, source, data.sides["train"])
        return [Stage("read", f"{words} read, one core", read), loader]
    decode = partial(on_the_fly_speed, data, ClipReader(data.frame_spec), filmed)
    stages = [
        # not in this process: decoders leave threads behind, and loaders that fork later may find their locks taken
        Stage("decode", "decode, one core", partial(decode, num_workers=min(1, data.num_workers))),
        Stage("decode_workers", f"decode, {shown_workers(data)}", decode),
        loader,
    ]
    if isinstance(data.read_frames, ClipReader) and data.read_frames.files:
        read = partial(source_speed, data.read_frames, data.sides["train"])
        stages.insert(2, Stage("cache_read", "cache read, one core", read))
    return stages


def files_source(data: ClipDataModule) -> tuple[str, Callable[[Clip], Any]] | None:
    """What reads clips that are no videos, and what they are called; `None` of videos.

    Args:
        data: Set up for training.
    """
    dataset = data.dataset(data.sides["train"])
    if isinstance(dataset, FeatureDataset):
        return "features", dataset.read_features
    if isinstance(data.read_frames, WindowFrames):
        return "pictures", data.read_frames
    return None


def source_speed(source: Callable[[Clip], Any], clips: Sequence[Clip], seconds: float) -> float:
    """How fast one core gets the pictures or features of clips, in any order."""
    order = np.random.default_rng(0).permutation(len(clips))[:MOST_CLIPS].tolist()
    mixed = cycle([clips[index] for index in order])

    def get_one() -> int:
        source(next(mixed))
        return 1

    with one_thread():
        return clips_per_second(get_one, seconds)


def on_the_fly_speed(
    data: ClipDataModule,
    source: ReadFrames,
    clips: Sequence[Clip],
    seconds: float,
    *,
    augment: Augment = False,
    num_workers: int | None = None,
) -> float:
    """How fast the loader's workers are with pictures from another source.

    Args:
        data: Set up for training.
        source: Gives the pictures.
        clips: Whose, in their order, again and again.
        seconds: How long at least.
        augment: What is done to the pictures.
        num_workers: Processes; as many as the data module has when not given.
    """
    workers = data.num_workers if num_workers is None else num_workers
    dataset = ClipDataset(clips, source, ClipTransform(data.image_size, augment), data.seed)
    # batches of one: with slow sources a larger one would take longer than is measured
    loader = make_loader(dataset, batch_size=1, num_workers=workers)
    with one_thread():
        return loader_speed(loader, seconds)


def shown_workers(data: ClipDataModule) -> str:
    """How many processes load, in words."""
    workers = data.num_workers
    return f"{workers} worker{'s' * (workers > 1)}" if workers else "no workers"
