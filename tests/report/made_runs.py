"""Run folders of classifiers with simulated predictions, as written by emorec test."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from emorec.data.clip import EMOTIONS
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.split import SplitName, make_split
from emorec.evaluation.report import RunInfo, write_report
from emorec.evaluation.task import Classification

Outputs = tuple[NDArray[np.int64], NDArray[np.float32]]
"""(N,) labels and (N, K) logits."""

COSTS = {
    "EarlyFusionCNN": (2_101_000, 5.1),
    "EarlyFusionResNet": (11_265_288, 2.9),
    "LateFusion": (11_180_616, 18.1),
    "CNN3D": (33_170_376, 107.8),
    "CNNLSTM": (11_967_048, 18.1),
}

CONFIG: dict[str, Any] = {
    "seed_everything": 0,
    "trainer": {"max_epochs": 4},
    "model": {"class_path": "", "init_args": {"lr": 0.001}},
    "data": {
        "class_path": "emorec.data.RavdessDataModule",
        "init_args": {"root": "clips", "split": "seed", "num_frames": 10},
    },
}


class WithoutPlot(Classification):
    """Classes whose plot is an empty page: drawing it takes longer than all the rest of a run."""

    @override
    def plot(self, target: ArrayLike, output: ArrayLike, title: str) -> Figure:
        return Figure(figsize=(1, 1))


def takes_of(actor: int) -> list[RavdessName]:
    """The 60 speech clips of an actor."""
    return [
        RavdessName(
            modality="av",
            channel="speech",
            emotion=emotion,
            intensity=intensity,
            statement=statement,
            repetition=repetition,
            actor=actor,
        )
        for emotion in EMOTIONS
        for intensity in ("normal", "strong")
        for statement in (1, 2)
        for repetition in (1, 2)
        if (emotion, intensity) != ("neutral", "strong")
    ]


def outputs_for(takes: Sequence[RavdessName], skill: float, seed: int) -> Outputs:
    """Labels, and logits whose accuracy grows with `skill`; each clip is equally hard for every network."""
    target = torch.tensor([EMOTIONS.index(take.emotion) for take in takes])
    names = [sum(map(ord, str(take))) * 7919 + take.actor * 104729 for take in takes]
    shared = torch.stack(
        [torch.randn(8, generator=torch.Generator().manual_seed(name)) for name in names]
    )
    individual = torch.randn(len(takes), 8, generator=torch.Generator().manual_seed(seed + 1))
    of_actor = torch.tensor([((take.actor * 37) % 11 - 5) / 10 for take in takes])
    logits = 1.2 * (0.7 * shared + 0.7 * individual)
    logits[torch.arange(len(takes)), target] += 1.2 * (skill + of_actor)
    return target.numpy(), logits.numpy()


def write_run(
    folder: Path,
    *,
    network: str = "CNNLSTM",
    skill: float = 1.5,
    seed: int = 0,
    split: SplitName = "seed",
    fold: int | None = None,
    takes: Sequence[RavdessName] | None = None,
    outputs: Outputs | None = None,
    trial: Mapping[str, Any] | None = None,
    sides: Mapping[str, Sequence[int]] | None = None,
    settings: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
    config: bool = True,
    class_names: Sequence[str] = EMOTIONS,
    epochs: int = 12,
    temperature: float | None = None,
) -> Path:
    """Write a run folder; `sides` overrides the actors of the split, `settings` those of the data, `extra` goes into
    metrics.json.
    """
    actors = make_split(split, fold)
    if takes is None:
        takes = [take for actor in actors.test for take in takes_of(actor)]
    target, logits = outputs or outputs_for(takes, skill, seed + sum(map(ord, network)))
    parameters, gflops = COSTS.get(network, (1000, 0.1))
    run = RunInfo(
        split={
            "name": split,
            "fold": fold,
            "train": list(actors.train),
            "val": list(actors.val),
            "test": list(actors.test),
            "hash": "0123456789abcdef",
            **(sides or {}),
        },
        model=f"emorec.models.{network}",
        num_parameters=parameters,
        gflops_per_clip=gflops,
        checkpoint=f"somewhere/{folder.name}/checkpoints/best.ckpt",
        train_seconds=610.0 + seed,
        epochs=epochs,
    )
    write_report(
        folder / "test",
        WithoutPlot(tuple(class_names)),
        target,
        logits,
        run,
        paths=[f"/data/Actor_{take.actor:02d}/{take}.mp4" for take in takes],
        actors=[take.actor for take in takes],
        temperature=temperature,
    )
    (folder / "checkpoints").mkdir(exist_ok=True)
    (folder / "checkpoints" / "best.ckpt").touch()
    if extra:
        path = folder / "test" / "metrics.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | dict(extra)))
    if config:
        content = yaml.safe_load(yaml.safe_dump(CONFIG)) | {"seed_everything": seed}
        content["model"]["class_path"] = f"emorec.models.{network}"
        content["data"]["init_args"] |= {"split": split, **(settings or {})}
        if fold is not None:
            content["data"]["init_args"]["fold"] = fold
        (folder / "config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    if trial is not None:
        (folder / "trial.json").write_text(json.dumps(dict(trial)))
    return folder


def silent(take: RavdessName) -> RavdessName:
    """The video-only version of a clip."""
    return replace(take, modality="video")
