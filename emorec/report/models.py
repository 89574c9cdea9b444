"""Runs grouped into models, over folds and seeds, and aligned on the clips that all were tested on."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import pandas as pd
import yaml

from emorec.data.split import SUBSETS
from emorec.errors import UserError
from emorec.evaluation.predictions import pool
from emorec.report.runs import Run, format_actors
from emorec.text import first_few

PER_RUN = (("seed_everything",), ("data", "init_args", "fold"), ("data", "init_args", "seed"))
"""Settings in which the runs of one model may differ."""

MAX_SETTINGS_IN_NAME = 4

Clip = tuple[Hashable, ...]
"""File name, actor, label, and a number to distinguish clips that are equal in these."""


@dataclass(frozen=True, eq=False)
class Model:
    """The runs of one model.

    Attributes:
        name: Unique in a comparison.
        seeds: For each seed its runs, which together test all clips: one run, or one a fold.
    """

    name: str
    seeds: tuple[tuple[Run, ...], ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs, seed by seed."""
        return tuple(run for seed in self.seeds for run in seed)

    @property
    def leaks(self) -> tuple[str, ...]:
        """A line for each two subsets with common actors."""
        return tuple(dict.fromkeys(leak for run in self.runs for leak in run.leaks))

    @property
    def folds(self) -> tuple[int, ...]:
        """The tested folds, empty for a split without folds."""
        return tuple(sorted({run.fold for run in self.runs if run.fold is not None}))


@dataclass(frozen=True, eq=False)
class Predictions:
    """A model's predictions of the clips that all models were tested on.

    Attributes:
        pooled: For each seed the clips of all folds, in the same order for all models.
        by_fold: Fold -> for each seed its clips; empty for a split without folds.
    """

    pooled: tuple[pd.DataFrame, ...]
    by_fold: Mapping[int, tuple[pd.DataFrame, ...]]


def group_runs(runs: Sequence[Run]) -> list[Model]:
    """Group runs into models, in the order of their first runs.

    Runs of a study are one model when study and model are equal; others when their configurations are, except for
    fold and seed. A run without either is a model by itself.
    """
    groups: dict[Hashable, list[Run]] = defaultdict(list)
    for run in runs:
        groups[_model_key(run)].append(run)
    names = name_models(list(groups.values()))
    return [
        Model(name, _by_seed(group)) for name, group in zip(names, groups.values(), strict=True)
    ]


def _model_key(run: Run) -> Hashable:
    if run.trial:
        return "trial", run.trial.study, run.trial.model
    if run.config:
        subsets = run.split if run.fold is None else {}
        actors = tuple(
            str(subsets.get(subset)) for subset in SUBSETS
        )  # other actors make another model
        return "config", actors, tuple(sorted(flat_settings(run.config).items()))
    return "folder", run.folder.resolve()


def flat_settings(config: Mapping[str, Any]) -> dict[str, str]:
    """Return dotted names of the settings that define a model, each with its value as text.

    >>> flat_settings({"seed_everything": 1, "data": {"init_args": {"fold": 2, "num_frames": 10}}})
    {'data.num_frames': '10'}
    """

    def leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        if isinstance(value, Mapping) and value:
            for key, inner in value.items():
                yield from leaves(inner, (*path, str(key)))
        else:
            yield path, value

    return {
        ".".join(part for part in path if part != "init_args"): yaml.safe_dump(
            value, default_flow_style=True
        )
        .removesuffix("...\n")
        .strip()
        for path, value in leaves(config, ())
        if path not in PER_RUN
    }


def name_models(groups: Sequence[Sequence[Run]]) -> list[str]:
    """Return a unique name for each group of runs: that of the study or the network, with more only where needed."""
    first = [group[0] for group in groups]
    names = [
        run.trial.model if run.trial else str(run.metrics["model"]).rpartition(".")[2]
        for run in first
    ]
    for add_detail in (_add_study, _add_settings, _add_folder):
        for name, times in Counter(names).items():
            if times > 1:
                same = [number for number, other in enumerate(names) if other == name]
                detailed = add_detail(name, [first[number] for number in same])
                for number, better in zip(same, detailed, strict=True):
                    names[number] = better
    numbers = {name: count(1) for name, times in Counter(names).items() if times > 1}
    numbered = [f"{name} ({next(numbers[name])})" if name in numbers else name for name in names]
    return [
        f"{name} [adapted]" if run.adapted else name
        for name, run in zip(numbered, first, strict=True)
    ]


def _add_study(name: str, runs: Sequence[Run]) -> list[str]:
    return [f"{run.trial.study}: {name}" if run.trial else name for run in runs]


def _add_settings(name: str, runs: Sequence[Run]) -> list[str]:
    settings = [flat_settings(run.config) for run in runs]
    keys = dict.fromkeys(key for each in settings for key in each)
    differing = [key for key in keys if len({each.get(key) for each in settings}) > 1]
    if not differing or len(differing) > MAX_SETTINGS_IN_NAME or not all(settings):
        return [name] * len(runs)
    return [
        ", ".join(
            [name, *(f"{key.rpartition('.')[2]} {each.get(key, 'unset')}" for key in differing)]
        )
        for each in settings
    ]


def _add_folder(name: str, runs: Sequence[Run]) -> list[str]:
    short = [run.folder.resolve().name for run in runs]
    unique = len(set(short)) == len(short)
    return [
        f"{name} ({folder if unique else run.folder})"
        for run, folder in zip(runs, short, strict=True)
    ]


def _by_seed(runs: Sequence[Run]) -> tuple[tuple[Run, ...], ...]:
    """The runs of a model, seed by seed.

    Where all folds have equally many runs, the first of each belong together, then the second; else equal seeds do.
    """
    folds: dict[Hashable, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.fold or 0, run.seed or 0, str(run.folder))):
        folds[run.split["name"], run.fold].append(run)
    if len({len(fold) for fold in folds.values()}) == 1:
        return tuple(zip(*folds.values(), strict=True))
    seeds: dict[Hashable, list[Run]] = defaultdict(list)
    for fold in folds.values():
        repeats = Counter[int | None]()
        for run in fold:
            seeds[run.seed, repeats[run.seed]].append(run)
            repeats[run.seed] += 1
    return tuple(map(tuple, seeds.values()))


def check_same_task(runs: Sequence[Run]) -> None:
    """Refuse runs that do not all predict the same classes or numbers.

    Raises:
        UserError: When they don't.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.task.kind != first.task.kind:
            folders = {
                kind: [str(each.folder) for each in runs if each.task.kind == kind]
                for kind in ("classes", "numbers")
            }
            raise UserError(
                f"{first_few(folders['classes'], 3)} predict classes, {first_few(folders['numbers'], 3)} numbers: "
                "compare them separately"
            )
        if run.task.names != first.task.names:
            raise UserError(
                f"{run.folder} {run.task.description} and {first.folder} {first.task.description}: "
                f"runs of different {run.task.kind} can't be compared"
            )


def split_by_test_clips(runs: Sequence[Run]) -> list[list[Run]]:
    """Group runs by the task and the clips they were tested on, in the order of their first runs.

    The runs of one seed over all folds of a cross-validation are tested together.

    Raises:
        UserError: When a clip is tested in two folds.
    """
    groups: dict[Hashable, list[Run]] = defaultdict(list)
    for model in group_runs(runs):
        for seed in model.seeds:
            groups[seed[0].task, frozenset(_tested_clips(model.name, seed))] += seed
    return list(groups.values())


def align_models(
    models: Sequence[Model], *, intersect: bool = False
) -> tuple[list[Predictions], int]:
    """Return each model's predictions of the clips on which every seed of every model was tested.

    Args:
        models: At least one.
        intersect: Leave out clips that are not common to all, instead of refusing.

    Returns:
        The predictions of each model, and the number of clips that were left out.

    Raises:
        UserError: When the classes differ, a clip is tested in two folds, the clips differ (unless `intersect`), or
            no clip is common to all.
    """
    check_same_task([run for model in models for run in model.runs])
    tests = [
        (model, number, _tested_clips(model.name, runs))
        for model in models
        for number, runs in enumerate(model.seeds)
    ]
    common = set.intersection(*(clips for *_, clips in tests))
    others = set.union(*(clips for *_, clips in tests)) - common
    if not common or (others and not intersect):
        raise UserError(_describe_difference(tests, common, others))
    return [_restrict(model, others) for model in models], len(others)


def _tested_clips(name: str, runs: Sequence[Run]) -> set[Clip]:
    tested_in: dict[Clip, Run] = {}
    for run in runs:
        for clip in run.predictions.index:
            if clip in tested_in:
                raise UserError(
                    f"{name}: {clip[0]} of actor {clip[1]} is tested in {tested_in[clip].folder} and in "
                    f"{run.folder}: a clip may be in one fold only"
                )
            tested_in[clip] = run
    return set(tested_in)


def _restrict(model: Model, others: set[Clip]) -> Predictions:
    """Return the predictions of a model without those of other clips."""
    tables = {
        run: run.predictions[[clip not in others for clip in run.predictions.index]]
        if others
        else run.predictions
        for run in model.runs
    }
    by_fold = {
        fold: tuple(table for run, table in tables.items() if run.fold == fold and not table.empty)
        for fold in model.folds
    }
    task = model.runs[0].task
    return Predictions(
        pooled=tuple(pool(task, [tables[run] for run in seed]) for seed in model.seeds),
        by_fold={fold: seeds for fold, seeds in by_fold.items() if seeds},
    )


def _describe_difference(
    tests: Sequence[tuple[Model, int, set[Clip]]], common: set[Clip], others: set[Clip]
) -> str:
    """Name the models by the clips they were tested on, and the first clip that is not common to all."""
    groups: dict[frozenset[Clip], list[str]] = {}
    for model, number, clips in tests:
        alike = all(clips == of_seed for other, _, of_seed in tests if other is model)
        name = model.name if alike else f"{model.name}, {_seed_name(model, number)}"
        names = groups.setdefault(frozenset(clips), [])
        if name not in names:
            names.append(name)
    parts = [
        f"{first_few(names, 3, ' / ')}: {len(clips)} clips of actors "
        f"{format_actors({str(actor) for _, actor, *_ in clips})}"
        for clips, names in groups.items()
    ]
    listed = first_few(parts, 4, "; ")
    if not common:
        return f"the {len(tests)} tests have no clip in common: {listed}"
    name, actor = min((str(clip[0]), str(clip[1])) for clip in others)
    return (
        f"the test clips differ: {listed}; {len(common)} are common to all and {len(others)} are not, "
        f"such as {name} of actor {actor}; --intersect compares the common ones"
    )


def _seed_name(model: Model, number: int) -> str:
    seeds = {run.seed for run in model.seeds[number]}
    return f"seed {seeds.pop()}" if len(seeds) == 1 and None not in seeds else f"run {number + 1}"
