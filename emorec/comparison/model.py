"""Runs become models: what belongs together over folds and seeds, under the name that tells it from the others."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from emorec.comparison.run import Run
from emorec.data.split import SIDES

PER_RUN = (("seed_everything",), ("data", "init_args", "fold"), ("data", "init_args", "seed"))
"""Settings in which the runs of one model may differ."""

MAX_SETTINGS_IN_NAME = 4


@dataclass(frozen=True, eq=False)
class Model:
    """The runs that are one model.

    Attributes:
        name: What it is called, unlike any other's name.
        seeds: For each seed its runs, which together are tested on all clips: one run, or one a fold.
    """

    name: str
    seeds: tuple[tuple[Run, ...], ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """All its runs, seed by seed."""
        return tuple(run for seed in self.seeds for run in seed)

    @property
    def leaks(self) -> tuple[str, ...]:
        """What people know each other's side, each line once."""
        return tuple(dict.fromkeys(leak for run in self.runs for leak in run.leaks))

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that were tested, empty for a split without folds."""
        return tuple(sorted({run.fold for run in self.runs if run.fold is not None}))


def models_of(runs: Sequence[Run]) -> list[Model]:
    """Puts together the runs of each model, in the order of their first runs.

    Runs of a study are one model when study and model are equal; others when their configurations are, but for fold
    and seed. A run without either is a model by itself.
    """
    groups: dict[Hashable, list[Run]] = defaultdict(list)
    for run in runs:
        groups[_identity(run)].append(run)
    names = names_of(list(groups.values()))
    return [
        Model(name, _by_seed(group)) for name, group in zip(names, groups.values(), strict=True)
    ]


def _identity(run: Run) -> Hashable:
    if run.trial:
        return "trial", run.trial.study, run.trial.model
    if run.config:
        sides = run.split if run.fold is None else {}
        actors = tuple(str(sides.get(side)) for side in SIDES)  # other people make another model
        return "config", actors, tuple(sorted(_settings(run.config).items()))
    return "folder", run.folder.resolve()


def _settings(config: Mapping[str, Any]) -> dict[str, str]:
    """Dotted names of the settings that make a model what it is, each with its value as text.

    >>> _settings({"seed_everything": 1, "data": {"init_args": {"fold": 2, "num_frames": 10}}})
    {'data.num_frames': '10'}
    """

    def flat(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        if isinstance(value, Mapping) and value:
            for key, inner in value.items():
                yield from flat(inner, (*path, str(key)))
        else:
            yield path, value

    return {
        ".".join(part for part in path if part != "init_args"): yaml.safe_dump(
            value, default_flow_style=True
        )
        .removesuffix("...\n")
        .strip()
        for path, value in flat(config, ())
        if path not in PER_RUN
    }


def names_of(groups: Sequence[Sequence[Run]]) -> list[str]:
    """A name for each group of runs, no two alike."""
    names = [group[0].trial.model if group[0].trial else group[0].network for group in groups]
    for tell in (_told_by_study, _told_by_settings, _told_by_folder):
        times = Counter(names)
        for name in [name for name, number in times.items() if number > 1]:
            alike = [place for place, other in enumerate(names) if other == name]
            for place, better in zip(
                alike, tell(name, [groups[place] for place in alike]), strict=True
            ):
                names[place] = better
    return [
        name if times == 1 else f"{name} ({number})" for name, number, times in _numbered(names)
    ]


def _told_by_study(name: str, groups: Sequence[Sequence[Run]]) -> list[str]:
    return [f"{group[0].trial.study}: {name}" if group[0].trial else name for group in groups]


def _told_by_settings(name: str, groups: Sequence[Sequence[Run]]) -> list[str]:
    settings = [_settings(group[0].config) for group in groups]
    keys = dict.fromkeys(key for each in settings for key in each)
    differ = [key for key in keys if len({each.get(key) for each in settings}) > 1]
    if not differ or len(differ) > MAX_SETTINGS_IN_NAME or not all(settings):
        return [name] * len(groups)
    return [
        ", ".join([name, *(f"{key.rpartition('.')[2]} {each.get(key, 'unset')}" for key in differ)])
        for each in settings
    ]


def _told_by_folder(name: str, groups: Sequence[Sequence[Run]]) -> list[str]:
    folders = [group[0].folder for group in groups]
    short = [folder.resolve().name for folder in folders]
    shown: Sequence[str | Path] = short if len(set(short)) == len(short) else folders
    return [f"{name} ({folder})" for folder in shown]


def _numbered(names: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    times, seen = Counter(names), Counter[str]()
    for name in names:
        seen[name] += 1
        yield name, seen[name], times[name]


def _by_seed(runs: Sequence[Run]) -> tuple[tuple[Run, ...], ...]:
    """The runs of a model, seed by seed, each with all the folds there are of it.

    Where all folds have as many runs, the first of each belong together, then the second; else equal seeds do.
    """
    folds: dict[Hashable, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.fold or 0, run.seed or 0, str(run.folder))):
        folds[run.split["name"], run.fold].append(run)
    if len({len(fold) for fold in folds.values()}) == 1:
        return tuple(zip(*folds.values(), strict=True))
    seeds: dict[Hashable, list[Run]] = defaultdict(list)
    for fold in folds.values():
        seen = Counter[int | None]()
        for run in fold:
            seeds[run.seed, seen[run.seed]].append(run)
            seen[run.seed] += 1
    return tuple(map(tuple, seeds.values()))
