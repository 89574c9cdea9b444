"""A study file: which networks are trained, in which variants, on which folds, from which seeds."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentError, ArgumentParser
from jsonargparse.typing import NonNegativeInt, PositiveInt

from emorec.errors import UserError
from emorec.io import read_yaml
from emorec.text import did_you_mean

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = str | bool | int | float | None
Settings = Mapping[str, Value]
"""Options of `emorec fit` without their hyphens, such as "data.num_frames", and their values."""

SET_BY_STUDY = {
    "seed_everything": "seeds",
    "data.seed": "seeds",
    "data.fold": "folds",
    "config": "configs",
    "ckpt": None,
    "trainer.logger": None,
    "trainer.default_root_dir": None,
}
"""Options of `emorec fit` that a study sets itself, and the key of the study file that decides them."""

EXAMPLES = {
    "configs": "names and experiment files, as in {CNN-LSTM: ../cnn_lstm.yaml} or "
    "{Wide: {config: ../cnn_lstm.yaml, model.hidden_size: 64}}",
    "settings": "options of emorec fit by their full names, as in {data.num_frames: 6}",
    "overrides": "names and options of emorec fit by their full names, as in {6 frames: {data.num_frames: 6}}",
    "folds": "a list of different whole numbers from 1 on, as in [1, 2, 3]",
    "seeds": "a list of different whole numbers from 0 on, as in [0, 1, 2]",
    "search": "options of emorec fit, each with a list of values or a range, as in "
    "{model.lr: {low: 1.0e-5, high: 1.0e-3, log: true}}",
    "trials": "a whole number from 1 on",
    "prune_after": "a whole number from 1 on",
}
"""Key of a study file -> what it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers among which a search chooses.

    Attributes:
        low: Lowest value.
        high: Highest value, included.
        log: Draw from the logarithms.
        step: Distance between values; 1 for whole numbers, none for others by default.
    """

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    def distribution(self) -> "BaseDistribution":
        """Return the range as Optuna takes it: of whole numbers when both ends are.

        Raises:
            ValueError: When the range is empty, or `log` and `step` don't fit it.
        """
        from optuna.distributions import FloatDistribution, IntDistribution  # late: slow to import

        step: Any = self.step
        if isinstance(self.low, int) and isinstance(self.high, int):
            return IntDistribution(self.low, self.high, log=self.log, step=step or 1)
        return FloatDistribution(float(self.low), float(self.high), log=self.log, step=step)


@dataclass(frozen=True, slots=True)
class Network:
    """A network of a study.

    Attributes:
        config: Its experiment file.
        settings: Changes to it for this network alone.
    """

    config: Path
    settings: Settings


@dataclass(frozen=True, kw_only=True)
class Definition:
    """The content of a study file; every key but `path` is one of the file.

    Attributes:
        path: The file.
        configs: Name of a network -> its experiment file, relative to the study file, or a mapping of that file
            (`config`) and settings of its own.
        settings: Settings of all runs.
        overrides: Name of a variant -> its settings; every network is run in each.
        folds: Of the split, from 1; `None` for a split without folds.
        seeds: Of the runs.
        search: Setting -> values or range to choose from, instead of a grid; empty for a grid.
        trials: How many settings a search tries.
        prune_after: Epochs of each setting before a search may stop it early.
    """

    path: Path
    configs: dict[str, str | dict[str, Value]]
    settings: dict[str, Value] = field(default_factory=dict)
    overrides: dict[str, dict[str, Value] | None] = field(default_factory=dict)
    folds: list[PositiveInt] | None = None
    seeds: list[NonNegativeInt] = field(default_factory=lambda: [0])
    search: dict[str, list[Value] | Range] = field(default_factory=dict)
    trials: PositiveInt = 0
    prune_after: PositiveInt = 10

    def __post_init__(self) -> None:
        for key, numbers in (("folds", self.folds), ("seeds", self.seeds)):
            if numbers is not None and len({*numbers}) < len(numbers):
                raise _invalid(self.path, key, numbers)
        for name, network in self.networks.items():
            if not network.config.is_file():
                raise UserError(f"{self.path}: configs: {name}: no such file: {network.config}")
            _check_settings(network.settings, f"{self.path}: configs: {name}")
        _check_settings(self.settings, f"{self.path}: settings")
        for name, settings in self.variants.items():
            _check_settings(settings, f"{self.path}: overrides: {name}")
        if self.search:
            self._check_search()

    def _check_search(self) -> None:
        if not self.trials:
            raise _invalid(self.path, "trials", self.trials)
        for key in ("configs", "overrides", "folds", "seeds"):
            values = getattr(self, key)
            if values is not None and len(values) > 1:
                raise UserError(f"{self.path}: {key}: a search takes one, not {len(values)}")
        _check_settings(self.search, f"{self.path}: search")
        (network,) = self.networks.values()
        (variant,) = self.variants.values()
        for name in self.search:
            if name in {**self.settings, **network.settings, **variant}:
                raise UserError(
                    f"{self.path}: {name} is in search and in settings: remove one of them"
                )
        _ = self.space

    @property
    def name(self) -> str:
        """The study's name: that of its file."""
        return self.path.stem

    @property
    def networks(self) -> dict[str, Network]:
        """Name -> network, with the experiment file as one would type it here."""
        networks = {}
        for name, content in self.configs.items():
            settings = {"config": content} if isinstance(content, str) else dict(content)
            config = settings.pop("config", None)
            if not isinstance(config, str):
                raise _invalid(self.path, "configs", self.configs)
            file = Path(os.path.normpath(self.path.parent / Path(config).expanduser()))
            here = Path.cwd()
            networks[name] = Network(
                file.relative_to(here) if file.is_relative_to(here) else file, settings
            )
        return networks

    @property
    def variants(self) -> dict[str, Settings]:
        """Name -> settings; one without a name where there are no overrides."""
        return {name: settings or {} for name, settings in self.overrides.items()} or {"": {}}

    @property
    def space(self) -> dict[str, "BaseDistribution"]:
        """What a search chooses among; empty for a grid.

        Raises:
            UserError: When a range makes no sense.
        """
        if not self.search:
            return {}
        from optuna.distributions import CategoricalDistribution  # late: slow to import

        space: dict[str, BaseDistribution] = {}
        for name, choice in self.search.items():
            try:
                space[name] = (
                    choice.distribution()
                    if isinstance(choice, Range)
                    else CategoricalDistribution(choice)
                )
            except (ValueError, TypeError) as error:
                raise UserError(
                    f"{self.path}: search: {name} is {choice}: {' '.join(str(error).split())}"
                ) from None
        return space


def read_definition(path: Path) -> Definition:
    """Read a study file.

    Raises:
        UserError: When it can't be read, is not YAML, or has an unknown key or an invalid value.
    """
    content = _read_study(path)
    types = {each.name: each.type for each in fields(Definition) if each.name != "path"}
    values: dict[str, Any] = {}
    for key, value in content.items():
        if key not in types:
            raise UserError(
                f"{path}: a study has no key {key!r}"
                f"{did_you_mean(str(key), types) or ': ' + ', '.join(types)}"
            )
        if value is None and key != "configs":
            continue
        parser = ArgumentParser(exit_on_error=False)
        parser.add_argument(f"--{key}", type=types[key])
        try:
            values[key] = parser.instantiate(parser.parse_object({key: value}))[key]
        except ArgumentError:
            raise _invalid(path, key, value) from None
        if not value and key in ("configs", "folds", "seeds", "search"):
            raise _invalid(path, key, value)
    if "configs" not in values:
        raise UserError(f"{path}: configs is missing: it takes {EXAMPLES['configs']}")
    for key in ("trials", "prune_after"):
        if key in values and "search" not in values:
            raise UserError(f"{path}: {key} needs the key 'search'")
    return Definition(path=path, **values)


def _read_study(path: Path) -> dict[str, Any]:
    content = read_yaml(path, "study")
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a study: a study has the keys {', '.join(EXAMPLES)}")
    if {"model", "data"} & content.keys():
        raise UserError(f"{path} is an experiment, not a study: emorec fit --config {path}")
    return content


def _invalid(path: Path, key: str, value: object) -> UserError:
    return UserError(f"{path}: {key} is {value}: it takes {EXAMPLES[key]}")


def _check_settings(settings: Mapping[str, object], place: str) -> None:
    for name in settings:
        check_setting(name, place)


def check_setting(name: str, place: str) -> None:
    """Refuse an option that a study sets for each run itself.

    Args:
        name: Of the option, without hyphens.
        place: What the message starts with.

    Raises:
        UserError: When it is such an option.
    """
    for option, key in SET_BY_STUDY.items():
        if name == option or name.startswith(f"{option}."):
            instead = f"use the key '{key}' of the study file" if key else "a study sets it itself"
            raise UserError(f"{place}: {name}: {instead}")
