"""All stages in turn, several times, in the middle of a real training."""

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader
from typing_extensions import override

from emorec.bench.network import HostToDevice, NetworkAlone, finish_work
from emorec.bench.speed import Speed
from emorec.bench.stages import Stage
from emorec.data import ClipDataModule

BUSY_SECONDS = 0.2
"""Between two looks at how busy the GPU is."""

FAST_ENOUGH = 2.0
"""A loader so many times as fast as the network keeps its batches ready at all times."""


class Rounds(Callback):
    """Measures each stage alone between two steps of a training, then the steps themselves, and all that again.

    Taking turns makes what disturbs a shared machine disturb all stages alike. The training ends after the last round.

    Args:
        stages: Makes those before the device, once the data is there.
        seconds: For each stage of a round, at least.
        rounds: How often.
        say: Is told what is measured now.

    Attributes:
        speeds: Stage -> what was measured.
        words: Stage -> how it is called in a table, in the order of measuring.
        busy: How busy the GPU was in the training itself, in percent, at several times.
    """

    def __init__(
        self,
        stages: Callable[[ClipDataModule], Sequence[Stage]],
        *,
        seconds: float,
        rounds: int,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.seconds = seconds
        self.rounds = rounds
        self.words: dict[str, str] = {}
        self.busy: list[float] = []
        self._make_stages = stages
        self._say = say
        self._samples: dict[str, list[float]] = defaultdict(list)
        self._course: Generator[None, int] | None = None
        self._looked = 0.0

    @property
    def speeds(self) -> dict[str, Speed]:
        """Stage -> what its measurements gave."""
        return {name: Speed(tuple(samples)) for name, samples in self._samples.items()}

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._course is None:  # the first step of all warms up
            self._course = self._measure(trainer, batch)
            next(self._course)
        else:
            with suppress(StopIteration):
                self._course.send(len(batch["label"]))

    def _measure(self, trainer: Trainer, batch: Any) -> Generator[None, int]:
        """Runs between two steps of the training; each `yield` lets it make one and gives the clips in it."""
        data, device = ClipDataModule.of(trainer), batch["label"].device
        stages = list(self._make_stages(data))
        if device.type != "cpu":
            stages.append(Stage("host_to_device", "host to device", HostToDevice(data, device)))
        stages.append(Stage("network", "network alone", NetworkAlone(trainer, batch)))
        self.words = {stage.name: stage.words for stage in stages} | {"end_to_end": "end to end"}
        for turn in range(self.rounds):
            for stage in stages:
                self._say(f"round {turn + 1} of {self.rounds}: {stage.words}")
                self._samples[stage.name].append(stage.measure(self.seconds))
            self._say(f"round {turn + 1} of {self.rounds}: end to end")
            # the training's own loader has filled its queue meanwhile, which is no speed of its own
            if self._samples["loader"][-1] < FAST_ENOUGH * self._samples["network"][-1]:
                for _ in range(batches_ahead(training_loader(trainer))):
                    yield
            finish_work(device)
            began, clips = time.perf_counter(), 0
            while not clips or time.perf_counter() - began < self.seconds:
                clips += yield
                self._look_at_gpu(device)
            finish_work(device)
            self._samples["end_to_end"].append(clips / (time.perf_counter() - began))
        trainer.should_stop = True

    def _look_at_gpu(self, device: torch.device) -> None:
        if device.type != "cuda" or time.perf_counter() - self._looked < BUSY_SECONDS:
            return
        self._looked = time.perf_counter()
        # not everybody has nvidia-ml-py, and a part of a GPU does not tell
        with suppress(Exception):
            self.busy.append(torch.cuda.utilization(device))


def batches_ahead(loader: DataLoader[Any]) -> int:
    """Batches that a loader makes before anybody asks for them, and the one that Lightning asks for ahead."""
    return loader.num_workers * (loader.prefetch_factor or 0) + 1


def training_loader(trainer: Trainer) -> DataLoader[Any]:
    """The loader of a running training."""
    loader: DataLoader[Any] = trainer.train_dataloader  # type: ignore[assignment]
    return loader
