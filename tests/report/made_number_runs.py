"""Run folders of regressors of valence and arousal, as written by emorec test."""

from pathlib import Path

import numpy as np
import yaml

from emorec.evaluation.report import RunInfo, write_report
from emorec.evaluation.task import Regression
from tests.report.made_runs import CONFIG

NAMES = ("valence", "arousal")
FILMS = tuple(f"video{number}" for number in range(1, 11))
FRAMES = 30


def write_number_run(
    folder: Path, *, network: str = "FaceRegressor", noise: float = 0.5, seed: int = 0
) -> Path:
    """Write a run tested on ten videos, the first with two people; all runs have the same labels."""
    videos = ["video1_left", "video1_right", *FILMS[1:]]
    truth = np.random.default_rng(7).uniform(-1, 1, (len(videos) * FRAMES, 2))
    draw = np.random.default_rng([seed, *map(ord, network)])
    predicted = truth + draw.normal(0, noise, truth.shape)
    run = RunInfo(
        split={"name": "official", "fold": None, "hash": "0123456789abcdef"}
        | {"train": ["video21"], "val": ["video22"], "test": list(FILMS)},
        model=f"emorec.models.{network}",
        num_parameters=1_333_704,
        gflops_per_clip=0.7,
        checkpoint="somewhere/checkpoints/best.ckpt",
        train_seconds=100.0,
        epochs=3,
    )
    write_report(
        folder / "test",
        Regression(NAMES),
        truth.astype(np.float32),
        predicted.astype(np.float32),
        run,
        paths=[f"/data/{video}/{frame:05d}.jpg" for video in videos for frame in range(FRAMES)],
        actors=[video.partition("_")[0] for video in videos for _ in range(FRAMES)],
    )
    config = yaml.safe_load(yaml.safe_dump(CONFIG)) | {"seed_everything": seed}
    config["model"]["class_path"] = f"emorec.models.{network}"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder
