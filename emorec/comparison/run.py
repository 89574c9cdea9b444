"""One tested run, as its folder tells it."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from emorec.callbacks.description import spans
from emorec.errors import UserError
from emorec.evaluation.numbers_file import PredictedNumbers, read_numbers
from emorec.evaluation.predicted import Predicted
from emorec.evaluation.predictions_file import PredictedClips
from emorec.evaluation.predictions import read_predictions
from emorec.evaluation.report import SPLIT_KEYS
from emorec.evaluation.sums import sums_of

METRICS = Path("test", "metrics.json")
PREDICTIONS = Path("test", "predictions.csv")
CONFIG = Path("config.yaml")
TRIAL = Path("trial.json")

_NEEDED = ("model", "num_clips", "split")
_OF_CLASSES = ("accuracy", "classes", "confusion_matrix")
_OF_NUMBERS = ("ccc", "targets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a study says of a run before it starts.

    Attributes:
        study: The study's name.
        model: What the comparison calls the model; runs of equal study and model are one model.
        fold: From 1; `None` for a split without folds.
        seed: The run's seed.
    """

    study: str
    model: str
    fold: int | None
    seed: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """A run that was tested.

    Attributes:
        folder: Its folder.
        predicted: What it said of the N test clips.
        metrics: The content of `test/metrics.json`.
        config: Its whole configuration, empty for a run from Python.
        trial: What its study says of it, if a study made it.
    """

    folder: Path
    predicted: Predicted
    metrics: Mapping[str, Any]
    config: Mapping[str, Any]
    trial: Trial | None

    @property
    def split(self) -> Mapping[str, Any]:
        """Who trained, validated and was tested: `name`, `fold`, `train`, `val`, `test`, `hash`."""
        split: Mapping[str, Any] = self.metrics["split"]
        return split

    @property
    def fold(self) -> int | None:
        """The fold that was tested; `None` for a split without folds."""
        fold: int | None = self.trial.fold if self.trial else self.split["fold"]
        return fold

    @property
    def seed(self) -> int | None:
        """The run's seed; `None` when nothing tells it."""
        said = self.trial.seed if self.trial else self.config.get("seed_everything")
        return said if isinstance(said, int) else None

    @property
    def network(self) -> str:
        """The name of the network's class."""
        return str(self.metrics["model"]).rpartition(".")[2]

    @property
    def checkpoint(self) -> str | None:
        """The file of the tested weights, where the run folder has it; else as it was called when it was tested."""
        said = self.metrics.get("checkpoint")
        if not said:
            return None
        here = self.folder / "checkpoints" / Path(said).name
        return str(here if here.exists() else said)

    @property
    def leaks(self) -> tuple[str, ...]:
        """A line for each two sides that share actors; those whose clips were predicted count as tested."""
        return leaks_of(self.split, self.predicted.actors)


def leaks_of(split: Mapping[str, Any], tested: Sequence[str]) -> tuple[str, ...]:
    """A line for each two sides that share actors.

    Args:
        split: With the actors of `train`, `val` and `test`.
        tested: Actors whose clips were predicted: they count as tested too.

    >>> leaks_of({"train": [1, 2], "val": [3], "test": [2]}, ["2"])
    ('actor 2 trained and was tested',)
    """
    sides = {side: {str(actor) for actor in split[side]} for side in ("train", "val")}
    sides["test"] = {str(actor) for actor in split["test"]} | set(tested)
    verbs = {"train": "trained", "val": "validated", "test": "was tested"}
    lines = []
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        both = sides[one] & sides[other]
        if both:
            who = f"actor {_listed(both)}" if len(both) == 1 else f"each of {_listed(both)}"
            lines.append(f"{who} {verbs[one]} and {verbs[other]}")
    return tuple(lines)


def _listed(actors: set[str]) -> str:
    numbers = [int(actor) if actor.isdecimal() else actor for actor in actors]
    return spans(sorted(numbers, key=lambda actor: (isinstance(actor, str), actor)))


def read_run(folder: Path) -> Run:
    """The run in a folder with `test/metrics.json` and `test/predictions.csv`.

    Raises:
        UserError: When a file is missing, broken or at odds with another.
    """
    metrics = _read_metrics(folder / METRICS)
    of_numbers = "targets" in metrics
    predicted = _read_predicted(folder / PREDICTIONS, of_numbers=of_numbers)
    named, what = ("targets", "numbers") if of_numbers else ("classes", "classes")
    if (list(predicted.names), len(predicted.paths)) != (metrics[named], metrics["num_clips"]):
        raise UserError(
            f"{folder / METRICS} tells of {metrics['num_clips']} clips and {len(metrics[named])} {what}, "
            f"predictions.csv of {len(predicted.paths)} and {len(predicted.names)}: test the run again"
        )
    figure, shown = ("ccc", "CCC") if of_numbers else ("accuracy", "accuracy")
    found = float(sums_of(predicted).figures()[figure][0])
    if abs(found - metrics[figure]) > 0.005:  # more than rounding can do
        raise UserError(
            f"{folder / METRICS} tells of {shown} {metrics[figure]:.3f}, predictions.csv "
            f"has {found:.3f}: they are of two tests, test the run again"
        )
    return Run(
        folder=folder,
        predicted=predicted,
        metrics=metrics,
        config=_read_config(folder / CONFIG),
        trial=_read_trial(folder / TRIAL),
    )


def _read_metrics(path: Path) -> Mapping[str, Any]:
    metrics = json_of(path, "test the run again")
    wanted = (*_NEEDED, *(_OF_NUMBERS if "targets" in metrics else _OF_CLASSES))
    lacking = [key for key in sorted(wanted) if metrics.get(key) is None]
    split = metrics.get("split")
    if not lacking and (not isinstance(split, dict) or not set(SPLIT_KEYS) <= set(split)):
        lacking = ["split"]
    if lacking:
        raise UserError(f"{path} doesn't tell {', '.join(lacking)}: test the run again")
    return metrics


def _read_predicted(path: Path, *, of_numbers: bool) -> Predicted:
    try:
        predicted = read_numbers(path) if of_numbers else read_predictions(path)
    except csv.Error as error:
        raise UserError(f"{path} can't be read ({error}): test the run again") from error
    if not predicted.paths:
        raise UserError(f"{path} holds no clip: test the run again")
    unknown = _unknown(predicted)
    if unknown:
        what = "numbers" if of_numbers else "emotion"
        raise UserError(
            f"{path}: {len(unknown)} clips have no {what}, {predicted.clip_names[unknown[0]]} is the first: "
            f"only clips of known {what} can be compared"
        )
    if isinstance(predicted, PredictedNumbers):
        finite = predicted.predictions.predicted.isfinite().all()
    else:
        finite = predicted.predictions.logits.isfinite().all()
    if not finite:
        what = "predictions" if of_numbers else "probabilities"
        raise UserError(f"{path} holds {what} that are no numbers: the network diverged")
    return predicted


def _unknown(predicted: PredictedClips | PredictedNumbers) -> list[int]:
    """The rows of unknown truth."""
    target = predicted.predictions.target
    unknown = target.isnan().any(dim=1) if target.is_floating_point() else target < 0
    rows: list[int] = unknown.nonzero().flatten().tolist()
    return rows


def _read_config(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} can't be read: {_first_line(error)}") from error
    if not isinstance(config, dict):
        raise UserError(f"{path} is no configuration of a run")
    return config


def _read_trial(path: Path) -> Trial | None:
    if not path.exists():
        return None
    said = json_of(path, "it belongs to a study, which writes it anew")
    fold, seed = said.get("fold"), said.get("seed")
    named = all(isinstance(said.get(key), str) for key in ("study", "model"))
    if not named or not isinstance(seed, int) or not (fold is None or isinstance(fold, int)):
        raise UserError(f"{path} doesn't tell study, model, fold and seed of the run")
    return Trial(study=said["study"], model=said["model"], fold=fold, seed=seed)


def json_of(path: Path, advice: str) -> Mapping[str, Any]:
    """The object in a JSON file.

    Raises:
        UserError: When it can't be read or holds none; it ends with the advice.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from error
    except ValueError as error:  # both of JSON and of UTF-8
        raise UserError(f"{path} is broken ({_first_line(error)}): {advice}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is broken (it holds no object): {advice}")
    return content


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
