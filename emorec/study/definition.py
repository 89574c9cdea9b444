"""A study file and what it says: which networks, in which variants, on which folds, from which seeds."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from emorec.cli.complaints import did_you_mean
from emorec.errors import UserError
from emorec.study.space import Space, parse_space

Value = str | int | float | bool | None
Settings = Mapping[str, Value]
"""Options of `emorec fit` without their hyphens, such as "data.num_frames", and what they are set to."""

KEYS = ("configs", "settings", "overrides", "folds", "seeds", "search", "trials", "prune_after")

GIVEN = {
    "seed_everything": "seeds",
    "data.seed": "seeds",
    "data.fold": "folds",
    "config": "configs",
    "ckpt": None,
    "trainer.logger": None,
    "trainer.default_root_dir": None,
}
"""Options of `emorec fit` that a study gives itself, and the key of a study file that decides them."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network of a study.

    Attributes:
        config: Its experiment file.
        settings: What is changed in it for this network alone.
    """

    config: Path
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a study file says.

    Attributes:
        path: The file.
        configs: Name of a network -> its experiment file and settings of its own.
        settings: What all runs have in common.
        overrides: Name of a variant -> its settings; every network is run in each. Empty for one that has no name.
        folds: Of the split; `(None,)` for a split without folds.
        seeds: Of the runs.
        space: What is searched among; empty for a grid.
        trials: How many settings a search tries.
        prune_after: Epochs that a setting has before a search may give it up.
    """

    path: Path
    configs: Mapping[str, Network]
    settings: Settings
    overrides: Mapping[str, Settings]
    folds: tuple[int | None, ...]
    seeds: tuple[int, ...]
    space: Space
    trials: int
    prune_after: int

    @property
    def name(self) -> str:
        """What the study is called: as its file."""
        return self.path.stem


def read_definition(path: Path) -> Definition:
    """What a study file says.

    Raises:
        UserError: When it can't be read, is no YAML, or has a key or value that means nothing.
    """
    given = _content(path)
    for key in given:
        if key not in KEYS:
            near = did_you_mean(str(key), KEYS)
            raise UserError(f"{path}: a study has no key {key!r}{near or ': ' + ', '.join(KEYS)}")
    configs = {
        name: _network(path, name, said)
        for name, said in _named(path, "configs", given.get("configs")).items()
    }
    if not configs:
        raise UserError(
            f"{path}: configs is missing: name experiments as in CNN-LSTM: ../cnn_lstm.yaml"
        )
    overrides = _named(path, "overrides", given.get("overrides"))
    searches = "search" in given
    definition = Definition(
        path=path,
        configs=configs,
        settings=_settings(path, "settings", given.get("settings") or {}),
        overrides={
            name: _settings(path, f"overrides: {name}", said or {})
            for name, said in overrides.items()
        },
        folds=tuple(_numbers(path, "folds", given["folds"], 1)) if "folds" in given else (None,),
        seeds=tuple(_numbers(path, "seeds", given.get("seeds", [0]), 0)),
        space=parse_space(given["search"], f"{path}: search") if searches else {},
        trials=_number(path, "trials", given.get("trials", 0), 1 if searches else 0),
        prune_after=_number(path, "prune_after", given.get("prune_after", 10), 1),
    )
    _refuse_confusion(definition, given)
    return definition


def _network(path: Path, name: str, given: Any) -> Network:
    """An experiment file, or a mapping of one and the settings of this network."""
    place = f"configs: {name}"
    settings = dict(given) if isinstance(given, dict) else {"config": given}
    config = settings.pop("config", None)
    if not isinstance(config, str):
        raise UserError(
            f"{path}: {place} names no experiment file, as in {{config: ../cnn_lstm.yaml, model.hidden_size: 64}}"
        )
    file = _beside(path, config)
    if not file.is_file():
        raise UserError(f"{path}: {place}: no such file: {file}")
    return Network(file, _settings(path, place, settings))


def _beside(path: Path, file: str) -> Path:
    """A file that a study names from where it stands, as one would type it."""
    beside = Path(os.path.normpath(path.parent / Path(file).expanduser()))
    here = Path.cwd()
    return beside.relative_to(here) if beside.is_relative_to(here) else beside


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"can't read the study {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is no text"
        raise UserError(f"{path}{place} is no YAML: {problem}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no study: it takes {', '.join(KEYS)}")
    if {"model", "data"} & content.keys():
        raise UserError(f"{path} is an experiment, no study: emorec fit --config {path}")
    return content


def _refuse_confusion(definition: Definition, given: Mapping[str, Any]) -> None:
    path = definition.path
    if "search" not in given:
        for key in ("trials", "prune_after"):
            if key in given:
                raise UserError(f"{path}: {key} belongs to a search, and there is no key 'search'")
        return
    for key, values in (
        ("configs", definition.configs),
        ("overrides", definition.overrides),
        ("folds", definition.folds),
        ("seeds", definition.seeds),
    ):
        if len(values) > 1:
            raise UserError(f"{path}: {key}: a search takes one, not {len(values)}")
    (network,) = definition.configs.values()
    variant = next(iter(definition.overrides.values()), {})
    fixed = {**definition.settings, **network.settings, **variant}
    for name in definition.space:
        refuse_given(name, f"{path}: search")
        if name in fixed:
            raise UserError(f"{path}: {name} is set and searched: leave out one of them")


def _named(path: Path, key: str, given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        example = (
            "CNN-LSTM: ../cnn_lstm.yaml" if key == "configs" else "6 frames: {data.num_frames: 6}"
        )
        raise UserError(f"{path}: {key} takes names and what they mean, as in {example}")
    return {str(name): said for name, said in given.items()}


def _settings(path: Path, place: str, given: Any) -> Settings:
    if not isinstance(given, dict):
        raise UserError(f"{path}: {place} takes options of emorec fit, as in data.num_frames: 6")
    for name, value in given.items():
        if not isinstance(value, Value):
            raise UserError(
                f"{path}: {place}: {name} is {value}: "
                "give each option its full name, as in data.num_frames: 6"
            )
        refuse_given(str(name), f"{path}: {place}")
    return {str(name): value for name, value in given.items()}


def refuse_given(name: str, place: str) -> None:
    """Stops at an option that a study gives to each run itself.

    Raises:
        UserError: When the option is such a one.
    """
    for given, key in GIVEN.items():
        if name == given or name.startswith(f"{given}."):
            instead = (
                f"the key '{key}' of the study file decides it" if key else "a study chooses it"
            )
            raise UserError(f"{place}: {name}: {instead}")


def _numbers(path: Path, key: str, given: Any, least: int) -> list[int]:
    if not isinstance(given, list) or not given:
        raise UserError(f"{path}: {key} is {given}: write a list of numbers, as in [1, 2, 3]")
    numbers = [_number(path, key, each, least) for each in given]
    if len(set(numbers)) < len(numbers):
        raise UserError(f"{path}: {key} is {given}: a number is there twice")
    return numbers


def _number(path: Path, key: str, given: Any, least: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < least:
        raise UserError(f"{path}: {key} is {given}: it takes whole numbers from {least} on")
    return given
