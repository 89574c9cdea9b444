"""The runs of a study: each with a name, a folder of its own and the arguments of its `emorec fit`."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from emorec.errors import UserError
from emorec.io import FLUSH_SECONDS
from emorec.study.definition import Definition, Settings, Value

STUDIES = Path("lightning_logs", "studies")

MACHINE_SETTINGS = (
    "data.root",
    "data.cache",
    "data.num_workers",
    "data.decoder",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.enable_progress_bar",
)
"""Settings that may differ from machine to machine, as no result is meant to depend on them."""

TEST_TRAINER_SETTINGS = ("trainer.accelerator", "trainer.devices", "trainer.precision")
"""The trainer's settings that a test takes from the command line and not from its checkpoint."""

LOGGER = "lightning.pytorch.loggers.TensorBoardLogger"


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A run of a study: a training and, in a grid, its test.

    Attributes:
        study: Name of the study.
        key: Name of the run within the study, and its folder below the study's.
        model: Its name in a comparison; the same for runs that differ in fold and seed alone.
        config: The experiment file.
        settings: Changes to it.
        fold: Of the split, from 1.
        seed: Of everything.
        common: Settings from the command line, for every run.
        tested: Whether the test actors are evaluated.
    """

    study: str
    key: str
    model: str
    config: Path
    settings: Settings
    fold: int | None
    seed: int
    common: Settings = field(default_factory=dict)
    tested: bool = True

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return STUDIES / self.study / self.key

    @property
    def title(self) -> str:
        """The run's name in tables and messages."""
        fold = "" if self.fold is None else f", fold {self.fold}"
        return f"{self.model}{fold}, seed {self.seed}"

    def with_parameters(self, parameters: Mapping[str, Any]) -> "PlannedRun":
        """Return the same run with the settings that a search has chosen."""
        chosen = ", ".join(
            f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {flag_value(value)}"
            for name, value in parameters.items()
        )
        return replace(
            self, model=f"{self.model}, {chosen}", settings={**self.settings, **parameters}
        )

    @property
    def experiment(self) -> list[str]:
        """The arguments of `emorec fit` that decide the result."""
        fold = {} if self.fold is None else {"data.fold": self.fold}
        return [
            *("--config", str(self.config)),
            *flags({**self.settings, **result_settings(self.common)}),
            *flags({**fold, "seed_everything": self.seed}),
        ]

    @property
    def standalone(self) -> list[str]:
        """The same training as a command outside of the study."""
        return ["fit", *self.experiment, *flags(machine_settings(self.common))]

    @property
    def fit(self) -> list[str]:
        """The command of a training from its beginning."""
        return [*self.standalone, *self._logger_flags()]

    @property
    def resume(self) -> list[str]:
        """The command of a training from its last finished epoch."""
        last = self.folder / "checkpoints" / "last.ckpt"
        machine = flags(machine_settings(self.common))
        return ["fit", "--ckpt", str(last), *machine, *self._logger_flags()]

    @property
    def test(self) -> list[str]:
        """The command of its test."""
        best = self.folder / "checkpoints" / "best.ckpt"
        taken = {
            name: value
            for name, value in {**self.settings, **self.common}.items()
            if name in TEST_TRAINER_SETTINGS
            or (name in MACHINE_SETTINGS and name.startswith("data."))
        }
        return ["test", "--ckpt", str(best), *flags(taken)]

    def _logger_flags(self) -> list[str]:
        return flags(
            {
                "trainer.logger": LOGGER,
                "trainer.logger.save_dir": str(self.folder.parent),
                "trainer.logger.name": "",
                "trainer.logger.version": self.folder.name,
                "trainer.logger.default_hp_metric": False,
                "trainer.logger.flush_secs": FLUSH_SECONDS,
            }
        )


def planned_runs(definition: Definition, common: Settings) -> dict[str, PlannedRun]:
    """Return all runs of a study by their keys, in the order in which they start: seed by seed, fold by fold.

    So a study that is stopped early has compared all networks on something.

    Args:
        definition: The study file.
        common: Settings from the command line.

    Raises:
        UserError: When two runs would have the same folder.
    """
    runs: dict[str, PlannedRun] = {}
    for run in _search(definition, common) if definition.search else _grid(definition, common):
        if run.key in runs:
            raise UserError(
                f"{definition.path}: {run.model!r} and {runs[run.key].model!r} would have the same folder "
                f"{run.folder}: choose other names"
            )
        runs[run.key] = run
    return runs


def _grid(definition: Definition, common: Settings) -> Iterator[PlannedRun]:
    for seed in definition.seeds:
        for fold in definition.folds or [None]:
            for name, network in definition.networks.items():
                for variant, settings in definition.variants.items():
                    model = ", ".join(filter(None, (name, variant)))
                    prefix = "" if fold is None else f"fold_{fold}_"
                    yield PlannedRun(
                        study=definition.name,
                        key=f"{folder_name(model)}/{prefix}seed_{seed}",
                        model=model,
                        config=network.config,
                        settings={**definition.settings, **network.settings, **settings},
                        fold=fold,
                        seed=seed,
                        common=common,
                    )


def _search(definition: Definition, common: Settings) -> Iterator[PlannedRun]:
    ((name, network),) = definition.networks.items()
    (variant,) = definition.variants.values()
    for number in range(definition.trials):
        yield PlannedRun(
            study=definition.name,
            key=f"trial_{number:03d}",
            model=f"{name}, trial {number}",
            config=network.config,
            settings={**definition.settings, **network.settings, **variant},
            fold=None if definition.folds is None else definition.folds[0],
            seed=definition.seeds[0],
            common=common,
            tested=False,
        )


def folder_name(model: str) -> str:
    """Return a model's name as a folder that needs no quotes in a shell.

    >>> folder_name("Early fusion, 6 frames, augmented")
    'Early_fusion_6_frames_augmented'
    """
    return re.sub(r"[^\w.+-]+", "_", model).strip("_.")


def flags(settings: Settings) -> list[str]:
    """Return settings as arguments of a command line.

    >>> flags({"data.augment": False, "model.lr": 1e-3, "data.fold": None, "data.root": "my clips"})
    ['--data.augment=false', '--model.lr=0.001', '--data.fold=null', '--data.root=my clips']
    """
    return [f"--{name}={flag_value(value)}" for name, value in settings.items()]


def flag_value(value: Value) -> str:
    """Return a value as `emorec fit` parses it."""
    return value if isinstance(value, str) else json.dumps(value)


def machine_settings(settings: Settings) -> dict[str, Value]:
    """Select the settings that may differ from machine to machine."""
    return {name: value for name, value in settings.items() if name in MACHINE_SETTINGS}


def result_settings(settings: Settings) -> dict[str, Value]:
    """Select the settings that decide a result."""
    return {name: value for name, value in settings.items() if name not in MACHINE_SETTINGS}


def command_line(arguments: Sequence[str]) -> str:
    """Return a command as one would type it.

    >>> command_line(["fit", "--config", "configs/demo.yaml", "--data.root=my clips"])
    "emorec fit --config configs/demo.yaml '--data.root=my clips'"
    """
    return shlex.join(["emorec", *arguments])


def fingerprint(definition: Definition, common: Settings) -> dict[str, Any]:
    """Return everything that decides the results of a study as plain values, the experiment files' content included.

    Args:
        definition: The study file.
        common: Settings from the command line; those of the machine don't count.
    """
    return {
        "configs": {
            name: {**_experiment(network.config), **network.settings}
            for name, network in definition.networks.items()
        },
        "settings": definition.settings,
        "overrides": {name: settings or {} for name, settings in definition.overrides.items()},
        "folds": definition.folds or [None],
        "seeds": definition.seeds,
        "search": {name: repr(each) for name, each in definition.space.items()},
        "trials": definition.trials,
        "prune_after": definition.prune_after,
        "command line": result_settings(common),
    }


def _experiment(path: Path) -> Mapping[str, Any]:
    """Return an experiment file with the files that it refers to; empty when it is none, as `emorec fit` reports."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        return {}
    return {
        section: _experiment(path.parent / value)
        if isinstance(value, str) and (path.parent / value).is_file()
        else value
        for section, value in content.items()
    }


def first_difference(stored: Mapping[str, Any], current: Mapping[str, Any]) -> str | None:
    """Return in which value two fingerprints differ first; `None` when they are equal.

    >>> first_difference({"seeds": [0], "settings": {}}, {"seeds": [0, 1], "settings": {}})
    'seeds [0] there, [0, 1] here'
    >>> first_difference({"settings": {"model.lr": 0.1}}, {"settings": {}})
    'settings: model.lr 0.1 there, not set here'
    """
    there, here = dict(_flat(stored)), dict(_flat(current))
    for name in [*there, *here]:
        values = [side.get(name, "not set") for side in (there, here)]
        if values[0] != values[1]:
            return f"{name} {values[0]} there, {values[1]} here"
    return None


def _flat(plain: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(plain, Mapping):
        for key, inner in plain.items():
            yield from _flat(inner, f"{name}: {key}" if name else str(key))
    else:
        yield name, plain
