"""Run folders without a training: a checkpoint with random weights, and its test results."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emorec import checkpoint
from emorec.checkpoint import class_path
from emorec.data import AffWild2DataModule, RavdessDataModule
from emorec.data.clip import EMOTIONS
from emorec.data.split import make_split
from emorec.evaluation.report import RunInfo, write_report
from emorec.evaluation.task import Regression
from emorec.models import EarlyFusionCNN, FaceRegressor
from emorec.models.base import ClipNetwork
from emorec.models.flops import network_record

EPOCHS, SECONDS = 12, 610.0
"""The test clips of `tests.report.made_runs.write_run`."""


def write_checkpoint(
    path: Path,
    network: ClipNetwork | None = None,
    data: Any = None,
    **changed: Any,
) -> Path:
    """Write a checkpoint of a small RAVDESS classifier on the split `seed`; `changed` replaces parts of its record."""
    network = network or EarlyFusionCNN(num_frames=2, image_size=32)
    data = data or RavdessDataModule(root="/home/ann/clips", num_frames=2, image_size=32)
    split = make_split("seed")
    record: Mapping[str, Any] = {
        "version": "0.1.0",
        "environment": checkpoint.environment(),
        "model": class_path(type(network)),
        "data": class_path(type(data)),
        "settings": {"seed_everything": 0},
        "class_names": list(EMOTIONS),
        "split": {
            "name": "seed",
            "fold": None,
            "hash": "0123456789abcdef",
            "train": list(split.train),
            "val": list(split.val),
            "test": list(split.test),
            "num_clips": {"train": 1200, "val": 120, "test": 120},
            "skipped": [],
            "face_detector": None,
            "faceless": [],
        },
        "epochs": EPOCHS,
        "train_seconds": SECONDS,
        "train_clips_per_second": 12.5,
        "peak_memory_bytes": 10**9,
        "trained_on": "cpu",
        "temperatures": {},
        "network": network_record(network),
        **changed,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "pytorch-lightning_version": checkpoint.environment()["lightning"],
        "state_dict": network.state_dict(),
        "hyper_parameters": dict(network.hparams),
        "datamodule_hyper_parameters": dict(data.hparams),
        checkpoint.RECORD: record,
    }
    torch.save(content, path)
    return path


def write_regressor(
    folder: Path, num_videos: int = 3
) -> tuple[Path, NDArray[np.float64], NDArray[np.float64]]:
    """Write a run folder of an Aff-Wild2 regressor; return its checkpoint, labels (N, 2) and predictions (N, 2).

    Ten frames of each of the videos.
    """
    network = FaceRegressor(image_size=96, num_frames=1)
    data = AffWild2DataModule(root="/home/ann/films")
    people = [f"video{number}" for number in range(num_videos)]
    sides = {"train": ["a", "b"], "val": ["c"], "test": people}
    ckpt = write_checkpoint(
        folder / "checkpoints" / "best.ckpt",
        network,
        data,
        class_names=[],
        split={
            "name": "official",
            "fold": None,
            "hash": "fedcba9876543210",
            **sides,
            "num_clips": {"train": 20, "val": 10, "test": 10 * num_videos},
            "skipped": [],
            "face_detector": None,
            "faceless": [],
        },
    )
    draw = torch.Generator().manual_seed(0)
    true = torch.rand(10 * num_videos, 2, generator=draw) * 2 - 1
    predicted = (true + torch.randn(true.shape, generator=draw) / 2).clamp(-1, 1)
    write_report(
        folder / "test",
        Regression(("valence", "arousal")),
        true,
        predicted,
        RunInfo(
            split={"name": "official", "fold": None, "hash": "fedcba9876543210", **sides},
            model="emorec.models.FaceRegressor",
            num_parameters=1,
            gflops_per_clip=0.1,
            checkpoint=str(ckpt),
            train_seconds=SECONDS,
            epochs=EPOCHS,
        ),
        paths=[f"/films/{people[row // 10]}/{row:05d}.jpg" for row in range(len(true))],
        actors=[people[row // 10] for row in range(len(true))],
    )
    return ckpt, true.double().numpy(), predicted.double().numpy()
