"""The stages of a training from video to network, each measured without the others."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, cycle
from typing import Any

import cv2
import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.benchmark import Timer
from torch.utils.data import DataLoader

from emorec.data import ClipDataModule
from emorec.data.augment import Augment, ClipTransform
from emorec.data.cache.build import ClipReader
from emorec.data.clip import Clip
from emorec.data.dataset import ClipDataset, make_loader
from emorec.data.preprocessing import ReadFrames
from emorec.data.sets.affwild2.features import FeatureDataset
from emorec.data.sets.affwild2.windows import WindowFrames
from emorec.models import ClipNetwork
from emorec.text import plural

MAX_READ_CLIPS = 10_000
"""Clips that are read in turn: a film has as many frames."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that can be measured alone.

    Attributes:
        name: In the JSON file.
        title: In the table.
        measure: Measures for so many seconds and returns clips a second.
    """

    name: str
    title: str
    measure: Callable[[float], float]


def loading_stages(data: ClipDataModule, videos: Sequence[Clip]) -> list[Stage]:
    """Return all stages before the device.

    Args:
        data: Set up for training.
        videos: The clips to decode.
    """
    loader = Stage(
        "loader",
        f"loader, {workers_title(data)}",
        lambda seconds: loader_speed(data.train_dataloader(), seconds),
    )
    if reads := file_reader(data):
        content, reader = reads
        read = partial(reading_speed, reader, data.subsets["train"])
        return [Stage("read", f"{content} read, one core", read), loader]
    decode = partial(decoding_speed, data, ClipReader(data.frame_spec), videos)
    stages = [
        # not in this process: decoders leave threads behind, and loaders that fork later may find their locks taken
        Stage("decode", "decode, one core", partial(decode, num_workers=min(1, data.num_workers))),
        Stage("decode_workers", f"decode, {workers_title(data)}", decode),
        loader,
    ]
    if is_cached(data):
        read = partial(reading_speed, data.read_frames, data.subsets["train"])
        stages.insert(2, Stage("cache_read", "cache read, one core", read))
    return stages


def device_stages(
    trainer: Trainer, data: ClipDataModule, batch: Mapping[str, Tensor]
) -> list[Stage]:
    """Return the stages on the device.

    Args:
        trainer: In a run.
        data: Set up for training.
        batch: One of its batches, on the device.
    """
    device, batch_size = batch["label"].device, len(batch["label"])
    network = Stage(
        "network",
        "network alone",
        partial(step_speed, network_step(trainer, batch), batch_size),
    )
    if device.type == "cpu":
        return [network]
    host_batch = next(iter(data.train_dataloader()))
    transfer = partial(data.transfer_batch_to_device, host_batch, device, 0)
    speed = partial(step_speed, transfer, len(host_batch["label"]))
    return [Stage("host_to_device", "host to device", speed), network]


def network_step(trainer: Trainer, batch: Mapping[str, Tensor]) -> Callable[[], None]:
    """Return a training step on one random batch that is on the device already: no loader, no metrics.

    It has the trainer's own precision, gradient clipping and optimizer.

    Args:
        trainer: In a run.
        batch: One of its batches, on the device.
    """
    inputs = {name: tensor.clone() for name, tensor in batch.items()}
    if "frames" in inputs:
        inputs["frames"].random_(256)
    strategy, (optimizer,) = trainer.strategy, trainer.optimizers
    model = ClipNetwork.of(trainer.lightning_module)

    def forward_and_backward() -> Tensor:
        optimizer.zero_grad()
        with strategy.precision_plugin.train_step_context():
            loss = model.loss(model.output(inputs), inputs["label"])
        strategy.backward(loss, optimizer)
        return loss

    def step() -> None:
        strategy.optimizer_step(optimizer, forward_and_backward, model)

    return step


def step_speed(step: Callable[[], object], num_clips: int, seconds: float) -> float:
    """Return clips a second of a step, repeated after a warm-up and timed until the device has finished.

    Args:
        step: What is repeated.
        num_clips: Clips in a step.
        seconds: How long it is repeated at least.
    """
    timer = Timer("step()", globals={"step": step}, num_threads=torch.get_num_threads())
    return num_clips / timer.blocked_autorange(min_run_time=seconds).mean


def clips_per_second(work: Callable[[], int], seconds: float, *, warm_up: int = 1) -> float:
    """Return clips a second of work whose pieces differ in size.

    Args:
        work: Does a piece of it and returns the clips in it.
        seconds: How long at least; one piece is always measured.
        warm_up: Pieces that are done before and not measured.
    """
    for _ in range(warm_up):
        work()
    start, clips = time.perf_counter(), 0
    while not clips or time.perf_counter() - start < seconds:
        clips += work()
    return clips / (time.perf_counter() - start)


def loader_speed(loader: DataLoader[Any], seconds: float) -> float:
    """Return clips a second of a loader that never waits, from the first batch of its slowest worker on."""
    batches = endless_batches(loader)
    return clips_per_second(
        lambda: len(next(batches)["label"]), seconds, warm_up=max(1, loader.num_workers)
    )


def endless_batches(loader: DataLoader[Any]) -> Iterator[Any]:
    """Yield the batches of one epoch after another, each in its own order."""
    for epoch in count():
        if hasattr(loader.sampler, "set_epoch"):
            loader.sampler.set_epoch(epoch)
        yield from loader


def reading_speed(reader: Callable[[Clip], Any], clips: Sequence[Clip], seconds: float) -> float:
    """Return how fast one core reads the frames or features of clips in random order."""
    order = np.random.default_rng(0).permutation(len(clips))[:MAX_READ_CLIPS].tolist()
    shuffled = cycle([clips[index] for index in order])

    def read_one() -> int:
        reader(next(shuffled))
        return 1

    with one_thread():
        return clips_per_second(read_one, seconds)


def decoding_speed(
    data: ClipDataModule,
    source: ReadFrames,
    clips: Sequence[Clip],
    seconds: float,
    *,
    augment: Augment = False,
    num_workers: int | None = None,
) -> float:
    """Return how fast the loader is with frames from another source.

    Args:
        data: Set up for training.
        source: Returns the frames of a clip.
        clips: Loaded in their order, again and again.
        seconds: How long at least.
        augment: Of the frames.
        num_workers: Processes; by default as many as the data module has.
    """
    workers = data.num_workers if num_workers is None else num_workers
    dataset = ClipDataset(clips, source, ClipTransform(data.image_size, augment), data.seed)
    # batches of one: with slow sources a larger one would take longer than is measured
    loader = make_loader(dataset, batch_size=1, num_workers=workers)
    with one_thread():
        return loader_speed(loader, seconds)


def file_reader(data: ClipDataModule) -> tuple[str, Callable[[Clip], Any]] | None:
    """Return what reads clips that are not videos, after the name of their content; `None` for videos.

    Args:
        data: Set up for training.
    """
    dataset = data.dataset(data.subsets["train"])
    if isinstance(dataset, FeatureDataset):
        return "features", dataset.read_features
    if isinstance(data.read_frames, WindowFrames):
        return "pictures", data.read_frames
    return None


def is_cached(data: ClipDataModule) -> bool:
    """Return whether frames come from a cache of decoded videos."""
    return bool(getattr(data.read_frames, "files", {}))


def workers_title(data: ClipDataModule) -> str:
    """Return the number of loader processes in words."""
    return plural(data.num_workers, "worker") if data.num_workers else "no workers"


@contextmanager
def one_thread() -> Iterator[None]:
    """Restrict OpenCV and torch to one core within the block."""
    threads, opencv_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(opencv_threads)
