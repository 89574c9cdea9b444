"""What a model card states of a checkpoint: its network, its test, caveats, and what was not measured."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from emorec.checkpoint import Checkpoint, import_class
from emorec.data.split import SIDES, format_people
from emorec.evaluation.intervals import scores_with_intervals
from emorec.evaluation.task import Task
from emorec.image_size import format_frames
from emorec.report.runs import (
    METRICS,
    PREDICTIONS,
    find_leaks,
    format_actors,
    read_json,
    read_run,
    sort_actors,
)
from emorec.text import percent

PATH_ARGUMENTS = ("root", "cache", "weights", "features", "face_detector")
"""Arguments that may be paths of a private machine; a card shows their last part only."""

MODALITIES = ("audio", "video")

FEW_ACTORS = 20
"""With fewer, an interval is rough, see `evaluation/intervals.py`."""

RAVDESS = "emorec.data.RavdessDataModule"
CLIPS_OF_ACTOR = {"speech": 60, "song": 44, "both": 104}
"""Of RAVDESS, by channel."""

CROSS_VALIDATION = {
    RAVDESS: ". A cross-validation tests all actors (--data.split msaf6)",
    "emorec.data.IemocapDataModule": ". A cross-validation tests all actors (--data.split loso5)",
}
"""Data module -> the split that tests everyone once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkInfo:
    """A checkpoint's network.

    Attributes:
        classes: Whether it predicts one of K classes; else R numbers.
        names: Of the classes or the numbers.
        inputs: A sentence for each modality.
        modalities: "frames", "sound" or both.
        num_parameters: All weights.
        num_trained_parameters: Weights that the training changed.
        gflops_per_clip: 1e9 multiply-adds for one clip.
    """

    classes: bool
    names: tuple[str, ...]
    inputs: tuple[str, ...]
    modalities: tuple[str, ...]
    num_parameters: int
    num_trained_parameters: int
    gflops_per_clip: float


def network_info(checkpoint: Checkpoint) -> NetworkInfo:
    """Return what a checkpoint records of its network; an older checkpoint's network is built and counted.

    Raises:
        UserError: When the network of an older checkpoint can't be imported.
    """
    recorded = checkpoint.network or _count_network(checkpoint)
    arguments = checkpoint.model["init_args"]
    classes = bool(checkpoint.class_names)
    return NetworkInfo(
        classes=classes,
        names=tuple(checkpoint.class_names if classes else arguments["target_names"]),
        inputs=tuple(describe_inputs(checkpoint.data, recorded)),
        modalities=tuple(recorded["modalities"]),
        num_parameters=recorded["num_parameters"],
        num_trained_parameters=recorded["num_trained_parameters"],
        gflops_per_clip=recorded["gflops_per_clip"],
    )


def _count_network(checkpoint: Checkpoint) -> Mapping[str, Any]:
    # late: only for checkpoints without a record, as it loads Lightning and torchvision
    from emorec.models.flops import network_record

    network_class = import_class(checkpoint, checkpoint.model["class_path"])
    return network_record(
        network_class.load_from_checkpoint(checkpoint.path, map_location="cpu", weights_only=True)
    )


def describe_inputs(data: Mapping[str, Any], network: Mapping[str, Any]) -> list[str]:
    """Return what a network gets of a clip, a sentence for each modality.

    Args:
        data: The data module's `class_path` and `init_args`.
        network: Its record: `modalities`, `num_frames` and `image_size` (height and width, pixels).
    """
    arguments, inputs = data["init_args"], []
    if arguments.get("features") is not None:
        inputs.append(f"features of {network['num_frames']} frames, computed by another network")
    elif "frames" in network["modalities"]:
        region = {
            "shorter_side": "the central part of the image",
            "squash": "the whole image, squashed to that size",
        }.get(arguments.get("resize", ""), "the image")
        if arguments.get("face") == "crop":
            region = "the face and its surroundings"
        elif data["class_path"] == "emorec.data.AffWild2DataModule":
            region = "the face, as cropped by the data set"
        frames = format_frames(network["num_frames"], tuple(network["image_size"]))
        spread = "" if network["num_frames"] == 1 else ", evenly spaced over the clip"
        inputs.append(f"{frames}{spread}: {region}")
    if "sound" in network["modalities"]:
        inputs.append(
            f"the middle {arguments.get('sound_seconds', 3.0):g} seconds of audio, "
            f"{arguments.get('sound_rate', 16_000):,} samples a second"
        )
    return inputs


def settings_yaml(checkpoint: Checkpoint) -> str:
    """Return the arguments of network and data as YAML, paths without their folders."""
    settings = {
        "seed_everything": checkpoint.settings.get("seed_everything"),
        "model": _without_folders(checkpoint.model),
        "data": _without_folders(checkpoint.data),
    }
    return yaml.safe_dump(settings, sort_keys=True, allow_unicode=True).rstrip()


def _without_folders(section: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {
        name: value.replace("\\", "/").rstrip("/").rpartition("/")[2]
        if name in PATH_ARGUMENTS and isinstance(value, str)
        else _plain(value)
        for name, value in section["init_args"].items()
    }
    return {"class_path": section["class_path"], "init_args": arguments}


def _plain(value: Any) -> Any:
    """Tuples as lists; anything that YAML has no type for as text."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, Path):
        return value.name
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def split_remarks(split: Mapping[str, Any]) -> list[str]:
    """Return what is unusual about the clips of a split: a leak, excluded clips, clips without a detected face."""
    lines = []
    if both := [person for person in split["test"] if person in split["train"]]:
        lines.append(f"LEAK: {format_actors(both)} are in the training and the test set")
    if split["skipped"]:
        lines.append(f"excluded: {', '.join(split['skipped'])}")
    if split.get("face_detector"):
        faceless = split["faceless"]
        centred = (
            f"; without a face, cropped at the centre: {', '.join(faceless)}" if faceless else ""
        )
        lines.append(f"faces detected by {split['face_detector']}{centred}")
    return lines


@dataclass(frozen=True, eq=False, kw_only=True)
class TestResults:
    """The test of a checkpoint.

    Attributes:
        task: What is predicted.
        predictions: A row a clip.
        metrics: The content of `test/metrics.json`.
        leaks: A line for each two sides with common people.
        ablations: Modality -> the content of `test_without_<modality>/metrics.json`, where that was measured.
    """

    __test__ = False  # not a test of pytest

    task: Task
    predictions: pd.DataFrame
    metrics: Mapping[str, Any]
    leaks: tuple[str, ...]
    ablations: Mapping[str, Mapping[str, Any]]

    @property
    def actors(self) -> list[int | str]:
        """The people of the test clips."""
        return sort_actors(set(self.predictions["actor"]))

    @property
    def people(self) -> str:
        """The number of people, or of videos where people are not identified."""
        return format_people(len(self.actors), self.metrics["split"])

    @property
    def calibrated(self) -> pd.DataFrame | None:
        """The predictions with calibrated probabilities, where the test has some."""
        return self.task.calibrated(self.predictions)


def read_test(checkpoint: Checkpoint) -> TestResults | str:
    """Return the test of a checkpoint, or the reason for its absence, to follow "Not measured:".

    Raises:
        UserError: When its files are malformed.
    """
    folder = checkpoint.run_folder
    if not (folder / METRICS).exists() and not (folder / PREDICTIONS).exists():
        return "this network was never tested, or its test is not beside it"
    metrics = read_json(folder / METRICS, "test the run again")
    if difference := _other_checkpoint(checkpoint, metrics):
        return f"{METRICS} is of another checkpoint ({difference})"
    run = read_run(folder)
    ablations = {
        modality: read_json(path, f"test the run again with --drop {modality}")
        for modality in MODALITIES
        if (path := folder / f"test_without_{modality}" / METRICS.name).exists()
    }
    return TestResults(
        task=run.task,
        predictions=run.predictions,
        metrics=metrics,
        leaks=find_leaks(metrics["split"], run.predictions["actor"]),
        ablations={
            modality: each
            for modality, each in ablations.items()
            if not _other_checkpoint(checkpoint, each)
        },
    )


def _other_checkpoint(checkpoint: Checkpoint, metrics: Mapping[str, Any]) -> str:
    """How the tested network differs from the checkpoint; empty where it does not.

    Training times of a run's checkpoints differ by nanoseconds at least, even with the same weights.
    """
    for key, here in (
        ("model", checkpoint.model["class_path"]),
        ("epochs", checkpoint.epochs),
        ("train_seconds", checkpoint.train_seconds),
    ):
        tested = metrics.get(key)
        if tested != here:
            shown = (tested, here)
            if isinstance(tested, float) and isinstance(here, float):
                shown = (f"{tested:.1f}", f"{here:.1f}")
            return f"its {key} is {shown[0]}, here it is {shown[1]}"
    return ""


def headline(test: TestResults) -> str:
    """Return the score to quote with its interval, clips and people, as half a sentence."""
    task = test.task
    estimate = scores_with_intervals(task, [test.predictions])[task.score]
    span = task.format_interval(estimate.interval)
    interval = f" (95 % interval {span})" if span else ""
    clips = f"{len(test.predictions):,} clips of {test.people}"
    value = task.format(estimate.value)
    if task.kind == "numbers":
        return f"mean CCC {value}{interval} on {clips}"
    chance = percent(1 / len(task.names))
    return f"UAR {value} %{interval} on {clips}; chance is {chance} %"


def describe_other_clips(checkpoint: Checkpoint) -> str:
    """Return what to add to RAVDESS's name where the clips can't be all of its clips; empty where they can."""
    counts = checkpoint.split.get("num_clips")
    if checkpoint.data["class_path"] != RAVDESS or not counts:
        return ""
    data = checkpoint.data["init_args"]
    files_of_clip = 2 if data.get("modality") == "both" else 1
    per_actor = files_of_clip * CLIPS_OF_ACTOR[data.get("channel", "speech")]
    actors = [actor for side in SIDES if counts[side] for actor in checkpoint.split[side]]
    if data.get("channel") in ("song", "both") and 18 in actors:
        return ""  # actor 18 did not sing
    total = sum(counts.values())
    if total == per_actor * len(actors):
        return ""
    return (
        f" or clips named like it ({total:,} clips of {len(actors)} people instead of "
        f"{per_actor * len(actors):,})"
    )


def caveats(checkpoint: Checkpoint, network: NetworkInfo, test: TestResults | None) -> list[str]:
    """Return what to keep in mind when reading the card, without full stops at the end."""
    lines = []
    if test is not None:
        if test.people == "1 person":
            lines.append(
                "One person was tested, who does not represent others; there are no intervals"
            )
        elif len(test.actors) < FEW_ACTORS:
            lines.append(
                f"{test.people} were tested: intervals are wide and rough, and chance similarities between them can "
                f"look like skill{CROSS_VALIDATION.get(checkpoint.data['class_path'], '')}"
            )
        if (views := test.metrics.get("views", 1)) > 1:
            lines.append(f"The scores average {views} views of each clip; one view scores lower")
    lines += [
        "One training is one sample: another seed gives other scores, which these intervals do not cover",
        "Test and training clips were recorded alike: expect lower scores with other cameras, light and people",
    ]
    if network.classes:
        lines.append(
            "A probability is the confidence among the network's own classes: a face that shows none of them gets one "
            "too"
        )
    lines.append(
        "Show people predictions together with this card, and never without saying that they are often wrong"
    )
    return lines


def not_measured(
    checkpoint: Checkpoint, network: NetworkInfo, test: TestResults | None, local_path: str
) -> list[tuple[str, str]]:
    """Return what was not measured or recorded, each with the command that would do it, as Markdown.

    Args:
        checkpoint: The checkpoint.
        network: Its network.
        test: Its test; `None` when it was not tested.
        local_path: The checkpoint's path from its run folder.
    """
    ckpt = shlex.quote(local_path)
    lines: list[tuple[str, str]] = []
    if test is None:
        lines.append(("every score", f"`emorec test --ckpt {ckpt}`"))
    if network.classes and (test is None or test.calibrated is None):
        fitted = 1 in checkpoint.temperatures
        fit = "" if fitted else f"`emorec validate --ckpt {ckpt} --calibrate`, then "
        lines.append(("calibrated probabilities", f"{fit}`emorec test --ckpt {ckpt} --calibrate`"))
    if len(network.modalities) > 1:
        lines += [
            (f"scores without {modality}", f"`emorec test --ckpt {ckpt} --drop {modality}`")
            for modality in MODALITIES
            if test is None or modality not in test.ablations
        ]
    if "torch" not in checkpoint.environment:
        lines.append(
            ("versions of Python, torch and Lightning", "train again: this emorec records them")
        )
    labelled = (
        "--data CSVDataModule --data.root clips.csv" if network.classes else "--data.root DIR"
    )
    return [
        *lines,
        (
            "variation over trainings with the same settings",
            "`emorec study configs/studies/seeds.yaml`, and `emorec compare`",
        ),
        ("who trained it, and whom to contact", "write it here: no run records it"),
        ("when it was trained", "the dates of the files in the run folder"),
        (
            "other people, other cameras, spontaneous emotions",
            f"test it on labelled clips of them: `{labelled}`",
        ),
        ("speed in use", f"`emorec bench --model {ckpt}`"),
    ]
