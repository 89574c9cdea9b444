"""What a model card states of a checkpoint: its network, its settings and its test."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from emorec.checkpoint import MODEL_ARGUMENTS, PATH_ARGUMENTS, Checkpoint
from emorec.data.speech_model import is_hub_name
from emorec.data.split import SUBSETS, format_people
from emorec.evaluation.intervals import scores_with_intervals
from emorec.image_size import format_frames
from emorec.report.runs import METRICS, PREDICTIONS, TEST_AGAIN, Run, read_json, read_run
from emorec.text import percent

RAVDESS = "emorec.data.RavdessDataModule"
CLIPS_OF_ACTOR = {"speech": 60, "song": 44, "both": 104}
"""Of RAVDESS, by channel."""


def network_record(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """Return what a checkpoint records of its network; an older checkpoint's network is built and counted.

    Raises:
        UserError: When the network of an older checkpoint can't be imported.
    """
    if checkpoint.network:
        return checkpoint.network
    # late: only for checkpoints without a record, as it loads Lightning and torchvision
    from emorec.models import flops

    network_class = checkpoint.import_class("model")
    return flops.network_record(
        network_class.load_from_checkpoint(checkpoint.path, map_location="cpu", weights_only=True)
    )


EMBEDDING_TITLES = {
    "yamnet": "the middle layers of YAMNet",
    "speech_embedding": "the layers of Google's speech embedding",
    "both": "YAMNet and Google's speech embedding",
}


def input_sentences(data: Mapping[str, Any], network: Mapping[str, Any]) -> list[str]:
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
        elif arguments.get("face") == "align":
            region = "the face, turned upright, and its surroundings"
        elif data["class_path"] == "emorec.data.AffWild2DataModule":
            region = "the face, as cropped by the data set"
        frames = format_frames(network["num_frames"], tuple(network["image_size"]))
        spread = "" if network["num_frames"] == 1 else ", evenly spaced over the clip"
        inputs.append(f"{frames}{spread}: {region}")
    if "landmarks" in network["modalities"]:
        inputs.append(
            f"478 landmarks and 52 blendshapes of the face in each of {network['num_frames']} frames, "
            "evenly spaced over the clip"
        )
    if "sound" in network["modalities"]:
        seconds = f"the middle {arguments.get('sound_seconds', 3.0):g} seconds of audio"
        embedding = arguments.get("sound_embedding", "none")
        inputs.append(
            f"{seconds}, {arguments.get('sound_rate', 16_000):,} samples a second"
            if embedding == "none"
            else f"{seconds}, as {_embedding_title(embedding, arguments.get('embedding_layer'))} describe it"
        )
    return inputs


def _embedding_title(name: str, layer: int | None) -> str:
    """Return the networks that embed sound, a speech model's without the folder of a private machine."""
    if name in EMBEDDING_TITLES:
        return EMBEDDING_TITLES[name]
    states = "the middle layer" if layer is None else f"the hidden states {layer}"
    return f"{states} of {_shown_path('sound_embedding', name)}"


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
        name: _shown_path(name, value) if isinstance(value, str) else _plain(value)
        for name, value in section["init_args"].items()
    }
    return {"class_path": section["class_path"], "init_args": arguments}


def _shown_path(name: str, value: str) -> str:
    """Return the last part of an argument that is a path, other arguments as they are.

    >>> _shown_path("weights", "/home/me/a.pth"), _shown_path("embedding", "microsoft/wavlm-base-plus")
    ('a.pth', 'microsoft/wavlm-base-plus')
    """
    is_path = name in PATH_ARGUMENTS or (name in MODEL_ARGUMENTS and not is_hub_name(value))
    return value.replace("\\", "/").rstrip("/").rpartition("/")[2] if is_path else value


def _plain(value: Any) -> Any:
    """Tuples as lists; anything that YAML has no type for as text."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, Path):
        return value.name
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def read_test(checkpoint: Checkpoint) -> Run | str:
    """Return the run of a checkpoint with its test, or the reason why there is none, to follow "Not measured:".

    Raises:
        UserError: When its files are malformed.
    """
    folder = checkpoint.run_folder
    if not (folder / METRICS).exists() and not (folder / PREDICTIONS).exists():
        return "this network was never tested, or its test is not beside it"
    if difference := _other_checkpoint(checkpoint, read_json(folder / METRICS, TEST_AGAIN)):
        return f"{METRICS} is of another checkpoint ({difference})"
    return read_run(folder)


def read_ablations(checkpoint: Checkpoint) -> dict[str, Mapping[str, Any]]:
    """Return the metrics of a checkpoint's tests without a modality, by the modality that was left out.

    Raises:
        UserError: When a file is malformed.
    """
    folders = sorted(checkpoint.run_folder.glob("test_without_*"))
    ablations = {
        (modality := folder.name.removeprefix("test_without_")): read_json(
            folder / METRICS.name, f"{TEST_AGAIN} with --drop {modality}"
        )
        for folder in folders
        if (folder / METRICS.name).exists() and "_enrol_" not in folder.name
    }
    return {
        modality: metrics
        for modality, metrics in ablations.items()
        if not _other_checkpoint(checkpoint, metrics)
    }


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
            values = (tested, here)
            if isinstance(tested, float) and isinstance(here, float):
                values = (f"{tested:.1f}", f"{here:.1f}")
            return f"its {key} is {values[0]}, here it is {values[1]}"
    return ""


def headline(run: Run, tables: Sequence[pd.DataFrame] = ()) -> str:
    """Return the score to quote with its interval, clips and people, as half a sentence.

    Args:
        run: The tested run.
        tables: Its predictions for each seed, where there are several.
    """
    task = run.task
    estimate = scores_with_intervals(task, tables or [run.predictions])[task.score]
    span = task.format_interval(estimate.interval)
    interval = f" (95 % interval {span})" if span else ""
    clips = f"{len(run.predictions):,} clips of {format_people(len(run.actors), run.split)}"
    if run.adapted:
        clips = f"{clips}, adapted by {run.adapted} (another protocol: it needs such clips of new people)"
    value = task.format(estimate.value)
    if task.kind == "numbers":
        return f"mean CCC {value}{interval} on {clips}"
    return f"UAR {value} %{interval} on {clips}; chance is {percent(1 / len(task.names))} %"


def describe_other_clips(checkpoint: Checkpoint) -> str:
    """Return what to add to RAVDESS's name where the clips can't be all of its clips; empty where they can."""
    counts = checkpoint.split.get("num_clips")
    if checkpoint.data["class_path"] != RAVDESS or not counts or checkpoint.split.get("drawn"):
        return ""
    data = checkpoint.data["init_args"]
    files_of_clip = 2 if data.get("modality") == "both" else 1
    per_actor = files_of_clip * CLIPS_OF_ACTOR[data.get("channel", "speech")]
    actors = [actor for subset in SUBSETS if counts[subset] for actor in checkpoint.split[subset]]
    if data.get("channel") in ("song", "both") and 18 in actors:
        return ""  # actor 18 did not sing
    total = sum(counts.values())
    if total == per_actor * len(actors):
        return ""
    return (
        f" or clips named like it ({total:,} clips of {len(actors)} people instead of "
        f"{per_actor * len(actors):,})"
    )
