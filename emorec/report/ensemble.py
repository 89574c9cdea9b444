"""An ensemble of tested runs: what they predict of the same clips, averaged, as a run of its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy.special import log_softmax

from emorec.data.split import SUBSETS
from emorec.errors import UserError
from emorec.evaluation.predictions import align
from emorec.evaluation.report import RunInfo, new_run_folder, write_report
from emorec.evaluation.task import Task
from emorec.io import atomic_write, disk_errors
from emorec.report.models import check_same_task, group_runs
from emorec.report.runs import TEST, Run, sort_actors
from emorec.text import first_few

FOLDER = "Ensemble"


def write_ensemble(
    members: Mapping[str, Sequence[Run]],
    weights: Mapping[str, float],
    out: Path,
    test: str = TEST,
) -> list[Path]:
    """Average tested runs and write a tested run for each fold.

    All runs of a member in a fold, such as those of several seeds, are averaged first; then the members are. Of classes
    the logarithms of the probabilities are averaged, of numbers the numbers.

    Args:
        members: The tested runs of one model each, by its name, such as the folder of the runs.
        weights: The weight of each model.
        out: The parent of the run folders.
        test: The folder of the test that the runs were read from, see `find_runs`.

    Returns:
        The run folders, fold by fold.

    Raises:
        UserError: When a member has runs of several models, the runs of a fold are of different tasks or clips, a fold
            is missing in a member, or a file can't be written.

    Source: Kittler et al. 1998, On combining classifiers, equation 6 (the product rule).
    """
    for name, runs in members.items():
        _check_one_model(name, runs)
    check_same_task([run for runs in members.values() for run in runs])
    folders = []
    for fold in _folds(members):
        of_fold = {
            name: [run for run in runs if _fold_of(run) == fold] for name, runs in members.items()
        }
        folder = new_run_folder(out, FOLDER)
        with disk_errors(folder):
            _write_fold(folder, of_fold, weights, test)
        folders.append(folder)
    return folders


def _check_one_model(folder: str, runs: Sequence[Run]) -> None:
    models = group_runs(runs)
    if len(models) > 1:
        names = first_few([model.name for model in models], 3)
        raise UserError(
            f"{folder} has runs of {len(models)} models ({names}): name the folder of each, with its own weight"
        )


def _fold_of(run: Run) -> tuple[str, int | None]:
    return run.split["name"], run.fold


def _folds(tested: Mapping[str, Sequence[Run]]) -> list[tuple[str, int | None]]:
    """The folds of all members, in order; each has to have all of them."""
    folds = {name: {_fold_of(run) for run in runs} for name, runs in tested.items()}
    every = sorted(set().union(*folds.values()), key=lambda fold: (fold[0], fold[1] or 0))
    for name, own in folds.items():
        for split, number in every:
            if (split, number) not in own:
                fold = "" if number is None else f", fold {number}"
                raise UserError(
                    f"{name} was not tested on split {split}{fold}, and others were: test it there, or name runs of "
                    "the same folds"
                )
    return every


def _write_fold(
    folder: Path, runs: Mapping[str, Sequence[Run]], weights: Mapping[str, float], test: str
) -> None:
    every = [run for each in runs.values() for run in each]
    task = every[0].task
    tables = align(task, [run.predictions for run in every])
    outputs = iter([_output(task, table) for table in tables])
    means = [np.mean([next(outputs) for _ in each], axis=0) for each in runs.values()]
    names = [
        name
        for each in runs.values()
        for name in sorted({str(run.metrics["model"]).rpartition(".")[2] for run in each})
    ]
    mean = np.average(means, axis=0, weights=[weights[name] for name in runs])
    config = {
        "ensemble": {name: weights[name] for name in runs},
        "test": test,
        "data": every[0].config.get("data"),
    }
    with atomic_write(folder / "config.yaml") as file:
        file.write(yaml.safe_dump(config, sort_keys=False).encode())
    write_report(
        folder / "test",
        task,
        task.target(tables[0]),
        mean,
        RunInfo(
            split=_split(every),
            model=f"mean of {' and '.join(names)}",
            num_parameters=_total(every, "num_parameters"),
            gflops_per_clip=_total(every, "gflops_per_clip"),
            checkpoint="",
            train_seconds=_total(every, "train_seconds"),
            epochs=0,
            adapted=next((run.adapted for run in every if run.adapted), None),
        ),
        paths=tables[0]["path"].tolist(),
        actors=tables[0]["actor"].tolist(),
    )


def _output(task: Task, table: pd.DataFrame) -> Any:
    """(N, K) log probabilities, or (N, R) numbers."""
    output = task.output(table)
    return log_softmax(output, axis=1) if task.kind == "classes" else output


def _split(runs: Sequence[Run]) -> dict[str, Any]:
    """The record of the first run's split, with the training and validation actors of all."""
    split = dict(runs[0].split)
    for subset in SUBSETS:
        split[subset] = sort_actors({str(actor) for run in runs for actor in run.split[subset]})
    return split


def _total(runs: Sequence[Run], name: str) -> Any:
    values = [run.metrics.get(name) for run in runs]
    return float("nan") if None in values else sum(values)
