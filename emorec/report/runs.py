"""Tested runs, read from their folders."""

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import pandas as pd

from emorec.data.sets.ravdess.parser import RavdessName
from emorec.errors import UserError
from emorec.evaluation.intervals import table_scores
from emorec.evaluation.predictions import read_predictions
from emorec.evaluation.report import SPLIT_KEYS
from emorec.evaluation.task import Task, unknown
from emorec.io import CSV_METRICS, TRIAL_RECORD, raise_unreadable, read_yaml
from emorec.text import number_ranges

TEST = "test"
"""Folder of the plain test in a run folder; others are test_without_sound, test_enrol_8, ..."""

METRICS = Path(TEST, "metrics.json")
PREDICTIONS = Path(TEST, "predictions.csv")
CONFIG = Path("config.yaml")
EVENTS = "events.out.tfevents.*"

CURVE_TAGS = {
    "train_loss": ("train/loss_epoch", "train/loss"),
    "val_loss": ("val/loss",),
    "train_accuracy": ("train/accuracy",),
    "val_accuracy": ("val/accuracy",),
    "train_ccc": ("train/ccc",),
    "val_ccc": ("val/ccc",),
}
"""Curve -> its possible tags; the first that exists is read."""

TEST_AGAIN = "test the run again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A run's place in a study, from `trial.json`.

    Attributes:
        study: The study's name.
        model: The model's name in the study; runs of equal study and model are one model.
        fold: From 1; `None` for a split without folds.
        seed: The run's seed.
    """

    study: str
    model: str
    fold: int | None
    seed: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """A tested run.

    Attributes:
        folder: The run folder.
        task: What is predicted.
        predictions: A row a test clip (see `emorec.evaluation.predictions`).
        metrics: The content of `test/metrics.json`.
        config: The content of `config.yaml`; empty for a run from Python.
        trial: The content of `trial.json`, for a run of a study.
    """

    folder: Path
    task: Task
    predictions: pd.DataFrame
    metrics: Mapping[str, Any]
    config: Mapping[str, Any]
    trial: Trial | None

    @property
    def split(self) -> Mapping[str, Any]:
        """Actors of each subset: `name`, `fold`, `train`, `val`, `test`, `hash`."""
        split: Mapping[str, Any] = self.metrics["split"]
        return split

    @property
    def is_on_ravdess(self) -> bool:
        """Whether the test clips are of RAVDESS: so named, and not drawn."""
        try:
            for path in self.predictions["path"]:
                RavdessName.parse(PureWindowsPath(path).stem)  # which splits at / and \
        except ValueError:
            return False
        return not self.split.get("drawn")

    @property
    def fold(self) -> int | None:
        """The test fold, from 1; `None` for a split without folds."""
        fold: int | None = self.trial.fold if self.trial else self.split["fold"]
        return fold

    @property
    def seed(self) -> int | None:
        """The run's seed; `None` when it was not recorded."""
        seed = self.trial.seed if self.trial else self.config.get("seed_everything")
        return seed if isinstance(seed, int) else None

    @property
    def checkpoint(self) -> str | None:
        """The tested checkpoint, in the run folder where it exists there; else the path at the time of the test."""
        recorded = self.metrics.get("checkpoint")
        if not recorded:
            return None
        local = self.folder / "checkpoints" / Path(recorded).name
        return str(local if local.exists() else recorded)

    @property
    def actors(self) -> list[int | str]:
        """The actors of the test clips, in order."""
        return sort_actors(set(self.predictions["actor"]))

    @property
    def adapted(self) -> str | None:
        """By which unlabelled clips of a person predictions were adapted; `None` when they use nothing but the clip."""
        return self.metrics.get("adapted")

    @property
    def leaks(self) -> tuple[str, ...]:
        """A line for each two subsets with common actors."""
        return find_leaks(self.split, self.predictions["actor"])


def find_leaks(split: Mapping[str, Any], test_actors: Sequence[str] | pd.Series) -> tuple[str, ...]:
    """Return a line for each two subsets with common actors.

    Args:
        split: With the actors of `train`, `val` and `test`.
        test_actors: Actors of the predicted clips, in addition to those of `test`.

    >>> find_leaks({"train": [1, 2], "val": [3], "test": [2]}, ["2"])
    ('actor 2 is in the training and the test set',)
    """
    subsets = {
        subset: {str(actor) for actor in split[subset]} for subset in ("train", "val", "test")
    }
    subsets["test"] |= set(test_actors)
    titles = {"train": "training", "val": "validation", "test": "test"}
    lines = []
    for one, other in combinations(titles, 2):
        if both := subsets[one] & subsets[other]:
            actors, verb = ("actor", "is") if len(both) == 1 else ("actors", "are")
            lines.append(
                f"{actors} {format_actors(both)} {verb} in the {titles[one]} and the {titles[other]} set"
            )
    return tuple(lines)


def sort_actors(actors: Sequence[int | str] | set[str]) -> list[int | str]:
    """Sort actors: numbers, then names, in which numbers count as such.

    >>> sort_actors({"10", "9", "video10", "video9"})
    [9, 10, 'video9', 'video10']
    """

    def key(actor: str) -> tuple[bool, list[str | int]]:
        parts = re.split(r"(\d+)", actor)
        return not actor.isdecimal(), [int(part) if part.isdecimal() else part for part in parts]

    names = sorted(map(str, actors), key=key)
    return [int(name) if name.isdecimal() else name for name in names]


def format_actors(actors: Sequence[int | str] | set[str]) -> str:
    """Format actors, consecutive numbers as ranges.

    >>> format_actors(["22", "21", "24"]), format_actors(["Ann"])
    ('21-22, 24', 'Ann')
    """
    return number_ranges(sort_actors(actors))


def read_run(folder: Path, test: str = TEST) -> Run:
    """Read the run in a folder with `test/metrics.json` and `test/predictions.csv`.

    Args:
        folder: The run folder.
        test: The folder of the test in it.

    Raises:
        UserError: When a file is missing, malformed or inconsistent with another.
    """
    metrics_path, path = (folder / test / file.name for file in (METRICS, PREDICTIONS))
    for file in (metrics_path, path):
        if not file.exists():
            raise UserError(
                f"{folder} lacks {file.relative_to(folder)}: {_test_command(folder, test)}"
            )
    metrics = _read_metrics(metrics_path)
    task, predictions = read_predictions(path)
    _check_predictions(path, task, predictions)
    names = list(metrics.get("classes" if task.kind == "classes" else "targets") or ())
    if (names, metrics["num_clips"]) != (list(task.names), len(predictions)):
        raise UserError(
            f"{metrics_path} is about {metrics['num_clips']} clips and {len(names)} {task.kind}, "
            f"predictions.csv about {len(predictions)} and {len(task.names)}: {TEST_AGAIN}"
        )
    metric = task.cost_metric
    score = table_scores(task, predictions)[metric]
    if abs(score - metrics[metric]) > 0.005:  # more than rounding
        title = "CCC" if metric == "ccc" else metric
        raise UserError(
            f"{metrics_path} has {title} {metrics[metric]:.3f}, but predictions.csv gives {score:.3f}: "
            f"the files are from different tests; {TEST_AGAIN}"
        )
    return Run(
        folder=folder,
        task=task,
        predictions=predictions,
        metrics=metrics,
        config=_read_config(folder / CONFIG),
        trial=_read_trial(folder / TRIAL_RECORD),
    )


def _read_metrics(path: Path) -> Mapping[str, Any]:
    metrics = read_json(path, TEST_AGAIN)
    of_task = ("ccc", "targets") if "targets" in metrics else ("accuracy", "classes")
    required = ("model", "num_clips", "split", *of_task)
    missing = [key for key in sorted(required) if metrics.get(key) is None]
    split = metrics.get("split")
    if not missing and not (isinstance(split, dict) and set(SPLIT_KEYS) <= set(split)):
        missing = ["split"]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}: {TEST_AGAIN}")
    return metrics


def _check_predictions(path: Path, task: Task, predictions: pd.DataFrame) -> None:
    """Refuse a file without clips, with clips of unknown truth, or with values that are not finite."""
    if predictions.empty:
        raise UserError(f"{path} has no clips: {TEST_AGAIN}")
    target = task.target(predictions)
    unlabelled = unknown(target)
    if unlabelled.any():
        first = task.clip_names(predictions["path"])[int(unlabelled.argmax())]
        raise UserError(
            f"{path}: {int(unlabelled.sum())} clips have no label, the first is {first}: "
            "only labelled clips can be compared"
        )
    if not np.isfinite(task.output(predictions)).all():
        raise UserError(f"{path} has predictions that are not finite: the training diverged")


def _read_config(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    config = read_yaml(path, "configuration of a run")
    if not isinstance(config, dict):
        raise UserError(f"{path} is not the configuration of a run")
    return config


def _read_trial(path: Path) -> Trial | None:
    if not path.exists():
        return None
    trial = read_json(path, "run the study again to write it anew")
    fold, seed = trial.get("fold"), trial.get("seed")
    named = all(isinstance(trial.get(key), str) for key in ("study", "model"))
    if not named or not isinstance(seed, int) or not (fold is None or isinstance(fold, int)):
        raise UserError(f"{path} lacks study, model, fold or seed of the run")
    return Trial(study=trial["study"], model=trial["model"], fold=fold, seed=seed)


def read_json(path: Path, advice: str) -> Mapping[str, Any]:
    """Return the object in a JSON file.

    Raises:
        UserError: When it can't be read or is not an object; the message ends with the advice.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from error
    except ValueError as error:  # of JSON as of UTF-8
        raise UserError(f"{path} is broken ({_one_line(error)}): {advice}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is broken (it is not a JSON object): {advice}")
    return content


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def find_runs(paths: Sequence[str | Path], test: str = TEST) -> tuple[list[Run], list[Path]]:
    """Read the tested runs in folders and below them, each once.

    Args:
        paths: Run folders, which have to be tested, and folders above run folders. Below the latter, runs without a
            test are skipped, since a study may still be running.
        test: The folder of the test in each run folder.

    Returns:
        The tested runs, and the folders of skipped ones.

    Raises:
        UserError: When a folder does not exist or has no tested run, or a run is incomplete or malformed.
    """
    runs: dict[Path, Run] = {}
    skipped: dict[Path, Path] = {}
    for path in paths:
        folder = _existing_folder(Path(path).expanduser())
        below = list(_run_folders(folder))
        results = Path(test, METRICS.name), Path(test, PREDICTIONS.name)
        tested = [each for each in below if _has_any(each, *results)]
        if not below:
            raise UserError(
                f"no run in {folder}: a run's folder holds {METRICS} and {PREDICTIONS.name}"
            )
        if not tested:
            untested = (
                f"{folder} was not tested"
                if below == [folder]
                else f"none of the {len(below)} runs in {folder} was tested"
            )
            raise UserError(f"{untested}: {_test_command(below[0], test)}")
        for each in tested:
            if each.resolve() not in runs:
                runs[each.resolve()] = read_run(each, test)
        skipped |= {each.resolve(): each for each in below if each not in tested}
    return list(runs.values()), list(skipped.values())


def _existing_folder(path: Path) -> Path:
    if not path.exists():
        raise UserError(f"no such folder: {path}")
    if not path.is_dir():
        raise UserError(
            f"{path} is not a folder: name a run's folder, such as lightning_logs/CNNLSTM/version_0"
        )
    # a run's `test` folder stands for the run
    in_run = path.resolve().name == "test" and (path / METRICS.name).exists()
    return path.parent if in_run else path


def _run_folders(folder: Path) -> Iterator[Path]:
    """The folder or those below it that hold a run, sorted; inside of a run no other is looked for."""
    for current, folders, _ in os.walk(folder, onerror=raise_unreadable, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if _has_any(Path(current), METRICS, PREDICTIONS, CONFIG, Path(TRIAL_RECORD)):
            folders.clear()
            yield Path(current)


def _has_any(folder: Path, *files: Path) -> bool:
    return any((folder / file).exists() for file in files)


def _test_command(folder: Path, test: str = TEST) -> str:
    options = "" if test == TEST else f" with the options that write {test}"
    return f"emorec test --ckpt {folder / 'checkpoints' / 'best.ckpt'}{options}"


def read_curves(folder: Path) -> pd.DataFrame:
    """Read loss, accuracy and CCC of each epoch from a run's TensorBoard files, or else its `metrics.csv`.

    Returns:
        Epoch (from 1, ascending) -> some columns of `CURVE_TAGS`, NaN where an epoch lacks a value. Of an epoch that
        was trained twice, the later values. Empty without such files.
    """
    values = _event_values(folder) or _csv_values(folder)
    epochs = {step: int(epoch) + 1 for step, epoch in values.get("epoch", {}).items()}
    curves = {}
    for curve, names in CURVE_TAGS.items():
        if name := next((name for name in names if name in values), None):
            by_epoch = {
                epochs[step]: it for step, it in sorted(values[name].items()) if step in epochs
            }
            if by_epoch:
                curves[curve] = pd.Series(by_epoch, dtype=float)
    return pd.DataFrame(curves).sort_index()


def _event_values(folder: Path) -> dict[str, dict[int, float]]:
    """Return tag -> step -> value from TensorBoard's files; a truncated file is read to its end."""
    if not any(folder.glob(EVENTS)):
        return {}
    # late, as it takes a second
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns of truncated files
    limits = {"scalars": 0, "images": 1, "tensors": 1, "histograms": 1, "audio": 1}
    events: Any = EventAccumulator(str(folder), size_guidance=limits)
    try:
        events.Reload()
    except Exception:  # a broken file raises anything, and a report is complete without curves
        return {}
    tags = ({"epoch"} | {name for names in CURVE_TAGS.values() for name in names}) & {
        *events.Tags()["scalars"]
    }
    return {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in tags}


def _csv_values(folder: Path) -> dict[str, dict[int, float]]:
    """Return column -> step -> value from the `metrics.csv` of a `CSVLogger`."""
    path = folder / CSV_METRICS
    if not path.is_file():
        return {}
    try:
        table = pd.read_csv(path)
        return {
            name: table.set_index("step")[name].dropna().to_dict()
            for name in table.columns
            if name != "step"
        }
    except (ValueError, KeyError):  # of a parser as of UTF-8
        return {}
