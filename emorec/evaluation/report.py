"""What a finished test leaves: `metrics.json`, `predictions.csv`, a plot, and a table in the terminal."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from rich import box
from rich.table import Table
from rich.text import Text

from emorec.evaluation.calibration import calibrate
from emorec.evaluation.predictions import write_predictions
from emorec.evaluation.task import Classification, Regression, Task
from emorec.io import atomic_write, disk_errors, write_json
from emorec.text import number_ranges

SPLIT_KEYS = ("name", "fold", "train", "val", "test", "hash")


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """What a report states of a run besides its scores.

    Attributes:
        split: Actors of each subset: `name`, `fold`, `train`, `val`, `test`, `hash`.
        model: The network's class path.
        num_parameters: Its parameters, frozen ones too.
        gflops_per_clip: 1e9 multiply-adds for one clip.
        checkpoint: The file of the weights.
        train_seconds: Duration of the training.
        epochs: Trained epochs.
        train_clips_per_second: Training clips a second over all processes, loading included and validation not.
        peak_memory_bytes: Peak memory of the training's first process, of the GPU's memory if it had one.
        trained_on: Name of that device.
        num_views: Views of each clip whose predictions were averaged.
        smoothed: How predictions were smoothed over time, and the scores after that; None for most runs.
        adapted: By which unlabelled clips of a person the features of that person's clips were centred and scaled; None
            when a prediction uses nothing but the clip.
    """

    split: Mapping[str, Any]
    model: str
    num_parameters: int
    gflops_per_clip: float
    checkpoint: str
    train_seconds: float
    epochs: int
    train_clips_per_second: float | None = None
    peak_memory_bytes: int | None = None
    trained_on: str | None = None
    num_views: int = 1
    smoothed: Mapping[str, str | float] | None = None
    adapted: str | None = None


def write_report(
    folder: Path,
    task: Task,
    target: ArrayLike,
    output: ArrayLike,
    run: RunInfo,
    *,
    paths: Sequence[str],
    actors: Sequence[int | str],
    temperature: float | None = None,
) -> None:
    """Write `metrics.json`, `predictions.csv` and the plot of truth against prediction, each atomically.

    Args:
        folder: Made if missing.
        task: What is predicted.
        target: (N,) labels, or (N, R) numbers.
        output: (N, K) logits, or (N, R) numbers.
        run: What else `metrics.json` states.
        paths: N clip files.
        actors: N people.
        temperature: Report calibrated probabilities too; for classes alone.

    Raises:
        ValueError: When there are not N paths and actors, or not as many outputs as names.
        OSError: When a file can't be written.
    """
    table = task.table(target, output, paths=paths, actors=actors, temperature=temperature)
    metrics = metrics_json(task, target, output, run, paths=paths, temperature=temperature)
    write_predictions(folder / "predictions.csv", task, table)
    headline = task.headline(task.evaluate(target, output))
    title = f"{run.model.rpartition('.')[2]}: {headline} on {len(table)} clips"
    with atomic_write(folder / f"{task.plot_name}.png") as file:
        task.plot(target, output, title).savefig(file, format="png")
    write_json(metrics, folder / "metrics.json", allow_nan=False)


def new_run_folder(out: Path, name: str) -> Path:
    """Make and return `name/version_N` below a folder, with the lowest N above all others.

    Raises:
        UserError: When it can't be made.
    """
    parent = out / name
    with disk_errors(out):
        parent.mkdir(parents=True, exist_ok=True)
        versions = [re.fullmatch(r"version_(\d+)", path.name) for path in parent.iterdir()]
        last = max((int(match[1]) for match in versions if match), default=-1)
        for number in itertools.count(last + 1):
            folder = parent / f"version_{number}"
            with suppress(FileExistsError):  # another process made it meanwhile
                folder.mkdir()
                break
    return folder


def metrics_json(
    task: Task,
    target: ArrayLike,
    output: ArrayLike,
    run: RunInfo,
    *,
    paths: Sequence[str],
    temperature: float | None = None,
) -> dict[str, Any]:
    """Return the content of `metrics.json`: plain values, `None` for what is unknown or not finite; see `write_report`.

    Raises:
        ValueError: When there is no clip, or one of unknown truth.
        KeyError: When the split lacks a key.
    """
    facts = asdict(run)
    views, smoothed, adapted = (facts.pop(name) for name in ("num_views", "smoothed", "adapted"))
    facts["split"] = {key: run.split[key] for key in SPLIT_KEYS}
    if run.split.get("drawn"):
        facts["split"]["drawn"] = True
    scores = {name: finite(value) for name, value in task.evaluate(target, output).items()}
    counts = {"num_clips": len(np.asarray(target)), "views": views}
    if isinstance(task, Classification):
        loss = scores.pop("loss")
        calibrated = {"ece_calibrated": None, "temperature": temperature}
        if temperature is not None:
            other = task.evaluate(target, calibrate(output, temperature))
            calibrated["ece_calibrated"] = other["ece"]
        [sums] = task.sums(target, output)
        metrics = {
            **scores,
            **calibrated,
            "loss": loss,
            **counts,
            "classes": list(task.names),
            "confusion_matrix": task.confusion(sums).astype(int).tolist(),
            "per_class": task.per_name(sums).fillna(0.0).to_dict("index"),
        }
    else:
        assert isinstance(task, Regression)
        per_target = task.per_name(task.sums(target, output)[0]).to_dict("index")
        metrics = {
            **scores,
            **counts,
            "targets": list(task.names),
            "per_target": {
                name: {metric: finite(value) for metric, value in row.items()}
                for name, row in per_target.items()
            },
            "per_video": _scores_per_video(task, target, output, paths),
        }
    return {
        **metrics,
        **{name: finite(it) if isinstance(it, float) else it for name, it in facts.items()},
        **({"smoothed": dict(smoothed)} if smoothed else {}),
        **({"adapted": adapted} if adapted else {}),
    }


def _scores_per_video(
    task: Regression, target: ArrayLike, output: ArrayLike, paths: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    """Return the scores of each video's frames, as they are logged, in the order in which videos first appear."""
    group, videos = pd.factorize(np.array(task.videos(paths), object))
    scores = task.scores(task.sums(target, output, group))
    columns = {"loss": 1 - scores["ccc"], **{name: scores[name] for name in task.METRICS}, **scores}
    return {
        video: {"num_clips": int(clips), **{name: finite(it[row]) for name, it in columns.items()}}
        for row, (video, clips) in enumerate(zip(videos, np.bincount(group), strict=True))
    }


def split_remarks(split: Mapping[str, Any]) -> list[str]:
    """Return what is unusual in the record of a split: people in two subsets, excluded clips, cropped faces."""
    remarks = []
    if split.get("drawn"):
        remarks.append("the clips are drawn: scores say nothing about people")
    if leaking := [person for person in split["test"] if person in split["train"]]:
        remarks.append(f"LEAK: {number_ranges(leaking)} are in the training and the test set")
    if split["skipped"]:
        remarks.append(f"excluded: {', '.join(split['skipped'])}")
    if split.get("face_detector"):
        faceless = ", ".join(split["faceless"])
        without = f"; without a face, cropped at the centre: {faceless}" if faceless else ""
        remarks.append(f"faces detected by {split['face_detector']}{without}")
    return remarks


def finite(value: float | None) -> float | None:
    """Return a value as JSON has it: no NaN and no infinity, but null.

    >>> finite(0.5), finite(math.nan)
    (0.5, None)
    """
    return float(value) if value is not None and math.isfinite(value) else None


def scores_table(
    task: Task,
    target: ArrayLike,
    output: ArrayLike,
    title: str,
    *,
    temperature: float | None = None,
    num_views: int = 1,
) -> Table:
    """Return a table for the terminal: a row a class or number, their mean, and the other scores; at most 50 columns.

    A score without a denominator, such as the recall of a class that never occurs, is a dash.
    """
    scores = task.evaluate(target, output)
    per_name = task.per_name(task.sums(target, output)[0])
    num_clips = len(np.asarray(target))
    views = f", {num_views} views of each" if num_views > 1 else ""
    table = Table(box=box.SIMPLE_HEAD, show_footer=True, caption_style="")
    table.title = Text(title, style="bold")
    table.title_justify = table.caption_justify = "left"
    if isinstance(task, Classification):
        columns = {"recall": "recall", "precision": "precision", "F1": "f1"}
        means = {
            "recall": f"{scores['uar']:.1%}",
            "precision": "",
            "F1": f"{scores['macro_f1']:.1%}",
        }
        cells = pd.DataFrame({name: per_name[it].map(_percent) for name, it in columns.items()})
        cells["clips"], means["clips"] = per_name["support"].astype(str), str(num_clips)
        caption = _classification_caption(task, scores, target, output, temperature)
        table.add_column("emotion", "mean", overflow="fold")
    else:
        headings = {"ccc": "CCC", "pcc": "PCC", "rmse": "RMSE", "sign_agreement": "sign"}
        formats = {
            name: f"{{:.{'1%' if name == 'sign_agreement' else '3f'}}}".format for name in headings
        }
        means = {heading: formats[name](scores[name]) for name, heading in headings.items()}
        cells = pd.DataFrame(
            {headings[name]: per_name[name].map(formats[name]) for name in headings}
        )
        caption = ""
        table.add_column("", "mean")
    table.caption = f"{caption}{num_clips} clips{views}"
    for name, mean in means.items():
        table.add_column(name, mean, justify="right", overflow="fold")
    for name, row in cells.iterrows():
        table.add_row(Text(str(name)), *row)
    return table


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.1%}"


def _classification_caption(
    task: Classification,
    scores: Mapping[str, float],
    target: ArrayLike,
    output: ArrayLike,
    temperature: float | None,
) -> str:
    calibrated = ""
    if temperature is not None:
        error = task.evaluate(target, calibrate(output, temperature))["ece"]
        calibrated = f"calibration error {error:.1%} at temperature {temperature:.2f}\n"
    return (
        f"UAR {scores['uar']:.1%} (chance {1 / len(task.names):.1%}), accuracy {scores['accuracy']:.1%}\n"
        f"macro-F1 {scores['macro_f1']:.1%}, calibration error {scores['ece']:.1%}\n"
        f"{calibrated}loss {scores['loss']:.3f}, "
    )
