"""A small training run with all callbacks, and its TensorBoard events."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.image import imread
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from emorec.callbacks import (
    BestAndLast,
    EpochLines,
    EpochSeed,
    Pictures,
    RunRecord,
    Throughput,
)
from emorec.callbacks.checkpointing import AUTO_MONITOR
from emorec.data import RavdessDataModule
from emorec.evaluation.collector import Collected
from emorec.models import ClipClassifier, EarlyFusionCNN

torch.set_num_threads(1)

EPOCHS = 3
LR = 3e-4
STEPS = 32  # steps per epoch: 160 clips in batches of 5; the best epoch is not the last

CONFIG = {"seed_everything": 0, "trainer": {"max_epochs": EPOCHS}}


class Witness(Callback):
    """Record batches and scores, to compare with the logged ones."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.collected: list[Collected] = []
        self.first_epoch: dict[int, Tensor] = {}

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
        if trainer.current_epoch == 0:
            frames = batch["frames"].permute(0, 1, 3, 4, 2)  # (B, T, H, W, C)
            self.first_epoch |= dict(zip(batch["index"].tolist(), frames, strict=True))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self.collected.append(ClipClassifier.of(pl_module).collected)


@dataclass
class Run:
    """A finished run, its folder and its output."""

    trainer: Trainer
    network: EarlyFusionCNN
    data: RavdessDataModule
    folder: Path
    witness: Witness = field(default_factory=Witness)
    output: str = ""

    @property
    def events(self) -> EventAccumulator:
        everything = {"scalars": 0, "images": 0, "tensors": 0}
        return EventAccumulator(str(self.folder), size_guidance=everything).Reload()

    def scalars(self, tag: str) -> list[tuple[int, float]]:
        return [(event.step, event.value) for event in self.events.Scalars(tag)]

    def images(self, tag: str) -> list[tuple[int, NDArray[np.uint8]]]:
        """Steps and images (H, W, 3) of 0 to 255."""
        return [
            (
                event.step,
                np.round(255 * imread(io.BytesIO(event.encoded_image_string))).astype(np.uint8),
            )
            for event in self.events.Images(tag)
        ]

    @property
    def scores(self) -> list[dict[str, float]]:
        """The scores of each validation."""
        task = self.network.task
        return [task.evaluate(each.target, each.output) for each in self.witness.collected]


MakeRun = Callable[..., Run]


@pytest.fixture(scope="session")
def make_run(drawn_clips: Path) -> MakeRun:
    """Return a function that trains in a folder; `network` and `data` have their own arguments."""

    def make(
        folder: Path,
        *,
        network: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        callbacks: tuple[Callback, ...] = (),
        ckpt_path: Path | None = None,
        **overrides: Any,
    ) -> Run:
        torch.manual_seed(0)
        size: dict[str, Any] = {"num_frames": 2, "image_size": 16}
        changed = {"lr": LR, "dropout": 0.0, "scheduler": "cosine", "warmup_epochs": 1} | (
            network or {}
        )
        loading = {"augment": True, "batch_size": 5, "num_workers": 0} | (data or {})
        defaults: dict[str, Any] = {
            "accelerator": "cpu",
            "max_epochs": EPOCHS,
            "log_every_n_steps": 1,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "logger": TensorBoardLogger(folder, "", default_hp_metric=False),
        }
        witness = Witness()
        checkpoints = BestAndLast(
            folder / "checkpoints",
            "best",
            monitor=AUTO_MONITOR,
            mode="max",
            save_last=True,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )
        recorders = [Throughput(), RunRecord(CONFIG), EpochLines(), Pictures(), witness]
        if overrides.get("enable_checkpointing", True):
            recorders.append(checkpoints)
        if overrides.get("logger") is not False:
            recorders.append(LearningRateMonitor())
        trainer = Trainer(**defaults | overrides, callbacks=[EpochSeed(0), *recorders, *callbacks])
        run = Run(
            trainer,
            EarlyFusionCNN(**size | changed),
            RavdessDataModule(root=str(drawn_clips), **size | loading),
            Path(trainer.log_dir or folder),
            witness,
        )
        with contextlib.redirect_stdout(io.StringIO()) as output:
            trainer.fit(run.network, run.data, ckpt_path=ckpt_path, weights_only=True)
        run.output = output.getvalue()
        return run

    return make


@pytest.fixture(scope="session")
def run(make_run: MakeRun, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A read-only run of three short epochs."""
    return make_run(tmp_path_factory.mktemp("run"))
