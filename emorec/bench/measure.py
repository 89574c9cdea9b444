"""A training that is measured instead of finished."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from emorec.bench.baselines import baseline_stages
from emorec.bench.machine import describe_machine, load_average
from emorec.bench.report import Report, Speed
from emorec.bench.stages import Stage, device_stages, file_reader, is_cached, loading_stages
from emorec.data import ClipDataModule, RavdessDataModule
from emorec.data.clip import Clip
from emorec.data.sets.ravdess.parser import ROOT_VARIABLE
from emorec.data.split import ACTORS
from emorec.data.synthetic.clips import write_dataset
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.video.reader import library_of
from emorec.errors import UserError
from emorec.models import ClipNetwork

GPU_SAMPLE_SECONDS = 0.2
"""Between two samples of how busy the GPU is."""

FAST_ENOUGH = 2.0
"""A loader so many times as fast as the network keeps its batches ready at all times."""


def measure(
    trainer: Trainer,
    model: ClipNetwork,
    data: ClipDataModule,
    *,
    seconds: float,
    rounds: int,
    baseline: bool = False,
    videos: Sequence[Clip] = (),
    status: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure how fast each stage of a training is.

    Args:
        trainer: Fresh, without an end of its own.
        model: What it would train.
        data: What it would train on; without a root folder of RAVDESS clips are synthesized.
        seconds: For each stage of a round, at least.
        rounds: How often all stages are measured.
        baseline: Also measure what is done without a cache.
        videos: Decoded instead of the training's clips.
        status: Called with what is done now; empty while the data module shows its own progress.

    Raises:
        UserError: When there are no clips.
    """
    load = load_average()  # of other programs: later it is our own
    with ExitStack() as stack:
        synthetic = needs_synthetic_clips(data)
        if synthetic:
            status("synthesizing clips")
            stack.enter_context(synthetic_clips(data))
            status("")
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="emorec-bench-")))

        def baselines(data: ClipDataModule) -> list[Stage]:
            if not baseline:
                return []
            if file_reader(data):
                raise UserError("--baseline decodes videos, and this data set has none: remove it")
            return baseline_stages(data, videos or data.subsets["train"], folder)

        callback = Rounds(videos, baselines, seconds=seconds, rounds=rounds, status=status)
        trainer.callbacks.append(callback)  # type: ignore[attr-defined]
        device = trainer.strategy.root_device
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        trainer.fit(model, datamodule=data)
        return Report(
            machine=describe_machine() | {"device": name, "load_average": load},
            setting=training_setting(trainer, model, data) | {"drawn": synthetic},
            speeds=callback.speeds,
            titles=callback.titles,
            gpu_percent=callback.gpu_percent,
        )


class Rounds(Callback):
    """Measures each stage alone between two steps of a training, then the steps themselves, and repeats that.

    In turns, what disturbs a shared machine disturbs all stages alike. The training ends after the last round.

    Args:
        videos: Decoded instead of the training's clips.
        baselines: Returns what the stages are compared with, once the data module is set up.
        seconds: For each stage of a round, at least.
        rounds: How often.
        status: Called with what is measured now.

    Attributes:
        titles: Stage -> its title, in the order of a clip; baselines come last.
        gpu_percent: How busy the GPU was in the training itself, sampled.
    """

    def __init__(
        self,
        videos: Sequence[Clip],
        baselines: Callable[[ClipDataModule], Sequence[Stage]],
        *,
        seconds: float,
        rounds: int,
        status: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.seconds = seconds
        self.rounds = rounds
        self.titles: dict[str, str] = {}
        self.gpu_percent: list[float] = []
        self._videos = videos
        self._baselines = baselines
        self._status = status
        self._samples: dict[str, list[float]] = defaultdict(list)
        self._measurement: Generator[None, int] | None = None
        self._last_gpu_sample = 0.0

    @property
    def speeds(self) -> dict[str, Speed]:
        """Stage -> its measurements."""
        return {name: Speed(tuple(samples)) for name, samples in self._samples.items()}

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._measurement is None:  # the first step of all warms up
            self._measurement = self._measure(trainer, batch)
            next(self._measurement)
        else:
            with suppress(StopIteration):
                self._measurement.send(len(batch["label"]))

    def _measure(self, trainer: Trainer, batch: Mapping[str, Any]) -> Generator[None, int]:
        """Run between two steps of the training; each `yield` lets it make one and returns the clips in it."""
        data, device = ClipDataModule.of(trainer), batch["label"].device
        loading = loading_stages(data, self._videos or data.subsets["train"])
        stages = [*loading, *device_stages(trainer, data, batch)]
        baselines = self._baselines(data)
        self.titles = {stage.name: stage.title for stage in stages} | {"end_to_end": "end to end"}
        self.titles |= {stage.name: stage.title for stage in baselines}
        for number in range(self.rounds):
            for stage in [*stages, *baselines]:
                self._status(f"round {number + 1} of {self.rounds}: {stage.title}")
                self._samples[stage.name].append(stage.measure(self.seconds))
            self._status(f"round {number + 1} of {self.rounds}: end to end")
            # meanwhile the training's own loader has filled its queue, which says nothing about its speed
            if self._samples["loader"][-1] < FAST_ENOUGH * self._samples["network"][-1]:
                for _ in range(prefetched_batches(trainer)):
                    yield
            synchronize(device)
            start, clips = time.perf_counter(), 0
            while not clips or time.perf_counter() - start < self.seconds:
                clips += yield
                self._sample_gpu(device)
            synchronize(device)
            self._samples["end_to_end"].append(clips / (time.perf_counter() - start))
        trainer.should_stop = True

    def _sample_gpu(self, device: torch.device) -> None:
        now = time.perf_counter()
        if device.type != "cuda" or now - self._last_gpu_sample < GPU_SAMPLE_SECONDS:
            return
        self._last_gpu_sample = now
        with suppress(Exception):  # without nvidia-ml-py, and on a part of a GPU
            self.gpu_percent.append(torch.cuda.utilization(device))


def prefetched_batches(trainer: Trainer) -> int:
    """Return how many batches the loader of a training makes ahead, with the one that Lightning asks for ahead."""
    loader: Any = trainer.train_dataloader
    return int(loader.num_workers * (loader.prefetch_factor or 0) + 1)


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def training_setting(trainer: Trainer, model: ClipNetwork, data: ClipDataModule) -> dict[str, Any]:
    """Return what decides how fast a training is.

    Args:
        trainer: In or after a run.
        model: Its network.
        data: Set up for training.
    """
    return {
        "network": type(model).__name__,
        "precision": str(trainer.precision),
        "num_frames": data.frame_spec.num_frames,
        "image_size": data.image_size,
        "augment": data.augment,
        "batch_size": data.batch_size,
        "num_workers": data.num_workers,
        "decoder": library_of(data.frame_spec.decoder),
        "cached": is_cached(data),
        "clips": len(data.subsets["train"]),
    }


def needs_synthetic_clips(data: ClipDataModule) -> bool:
    """Return whether spoken clips of RAVDESS are wanted, and neither flag nor environment says where they are."""
    return (
        isinstance(data, RavdessDataModule)
        and not (data.root or os.environ.get(ROOT_VARIABLE))
        and data.channel == "speech"
    )


@contextmanager
def synthetic_clips(data: ClipDataModule) -> Iterator[None]:
    """Give a data module synthetic clips, the shortest that ten frames can be chosen from, and a cache of its own."""
    assert isinstance(data, RavdessDataModule)
    with TemporaryDirectory(prefix="emorec-bench-") as folder:
        root = Path(folder, "clips")
        settings = ClipSettings(num_frames=12, sound=False)
        twins = data.modality != "av"
        write_dataset(root, actors=ACTORS, takes=1, settings=settings, twins=twins)
        data.root = str(root)
        if data.cache == "auto":
            data.cache = str(Path(folder, "cache"))
        yield
