"""A definition becomes runs: each with a name, a folder of its own and the words of its `emorec fit`."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emorec.errors import UserError
from emorec.study.definition import Definition, Settings, Value

STUDIES = Path("lightning_logs", "studies")

OF_THE_MACHINE = (
    "data.root",
    "data.cache",
    "data.num_workers",
    "data.decoder",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.enable_progress_bar",
)
"""Settings that may differ from machine to machine: no run's result is meant to depend on them."""

OBEYED_BY_TEST = ("trainer.accelerator", "trainer.devices", "trainer.precision")
"""Of the trainer's settings those that a checkpoint does not bring along and that a test obeys."""

LOGGER = "lightning.pytorch.loggers.TensorBoardLogger"

FLUSH_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One run of a study: a training, and for a grid its test.

    Attributes:
        study: The study's name.
        key: The run's name in its study, which is also its place in the study's folder.
        model: What a comparison calls it; runs that differ in fold and seed alone have the same.
        config: The experiment file.
        settings: What is changed in it.
        fold: Of the split, from 1.
        seed: Of everything.
        everywhere: The settings from the command line.
        tested: Whether its test actors are to be looked at.
    """

    study: str
    key: str
    model: str
    config: Path
    settings: Settings
    fold: int | None
    seed: int
    everywhere: Settings = field(default_factory=dict)
    tested: bool = True

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return STUDIES / self.study / self.key

    @property
    def title(self) -> str:
        """What the run is called on the screen."""
        fold = "" if self.fold is None else f", fold {self.fold}"
        return f"{self.model}{fold}, seed {self.seed}"

    def with_parameters(self, parameters: Mapping[str, Any]) -> "PlannedRun":
        """The same run with settings that a search has chosen."""
        chosen = ", ".join(f"{name} {rounded(value)}" for name, value in parameters.items())
        return replace(
            self, model=f"{self.model}, {chosen}", settings={**self.settings, **parameters}
        )

    @property
    def experiment(self) -> list[str]:
        """The words of `emorec fit` that decide its result."""
        fold = {} if self.fold is None else {"data.fold": self.fold}
        return [
            *("--config", str(self.config)),
            *flags({**self.settings, **result_settings(self.everywhere)}),
            *flags({**fold, "seed_everything": self.seed}),
        ]

    @property
    def by_hand(self) -> list[str]:
        """The words of the same training outside its study."""
        return ["fit", *self.experiment, *flags(machine_settings(self.everywhere))]

    @property
    def fit(self) -> list[str]:
        """The words of a training from its beginning."""
        return [*self.by_hand, *self._place()]

    @property
    def go_on(self) -> list[str]:
        """The words of a training that goes on from its last finished epoch."""
        last = self.folder / "checkpoints" / "last.ckpt"
        here = flags(machine_settings(self.everywhere))
        return ["fit", "--ckpt", str(last), *here, *self._place()]

    @property
    def test(self) -> list[str]:
        """The words of its test."""
        best = self.folder / "checkpoints" / "best.ckpt"
        everything = {**self.settings, **self.everywhere}
        obeyed = {
            name: value
            for name, value in everything.items()
            if name in OBEYED_BY_TEST or (name in OF_THE_MACHINE and name.startswith("data."))
        }
        return ["test", "--ckpt", str(best), *flags(obeyed)]

    def _place(self) -> list[str]:
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


def planned_runs(definition: Definition, everywhere: Settings) -> dict[str, PlannedRun]:
    """All runs of a study by their keys, in the order in which they are started: seed by seed, fold by fold.

    So a study that is stopped early has compared all networks on something.

    Args:
        definition: What the study file says.
        everywhere: The settings from the command line.

    Raises:
        UserError: When two runs would have the same folder.
    """
    runs: dict[str, PlannedRun] = {}
    for run in (
        _search(definition, everywhere) if definition.space else _grid(definition, everywhere)
    ):
        if run.key in runs:
            raise UserError(
                f"{definition.path}: {run.model!r} and {runs[run.key].model!r} would have the same folder "
                f"{run.folder}: choose other names"
            )
        runs[run.key] = run
    return runs


def _grid(definition: Definition, everywhere: Settings) -> Iterator[PlannedRun]:
    variants = definition.overrides or {"": {}}
    for seed in definition.seeds:
        for fold in definition.folds:
            for name, network in definition.configs.items():
                for variant, settings in variants.items():
                    model = ", ".join(filter(None, (name, variant)))
                    of_fold = "" if fold is None else f"fold_{fold}_"
                    yield PlannedRun(
                        study=definition.name,
                        key=f"{folder_name(model)}/{of_fold}seed_{seed}",
                        model=model,
                        config=network.config,
                        settings={**definition.settings, **network.settings, **settings},
                        fold=fold,
                        seed=seed,
                        everywhere=everywhere,
                    )


def _search(definition: Definition, everywhere: Settings) -> Iterator[PlannedRun]:
    ((name, network),) = definition.configs.items()
    settings = next(iter(definition.overrides.values()), {})
    for number in range(definition.trials):
        yield PlannedRun(
            study=definition.name,
            key=f"trial_{number:03d}",
            model=f"{name}, trial {number}",
            config=network.config,
            settings={**definition.settings, **network.settings, **settings},
            fold=definition.folds[0],
            seed=definition.seeds[0],
            everywhere=everywhere,
            tested=False,
        )


def folder_name(model: str) -> str:
    """A model's name as a folder that needs no quotes in a shell.

    >>> folder_name("Early fusion, 6 frames, augmented")
    'Early_fusion_6_frames_augmented'
    """
    return re.sub(r"[^\w.+-]+", "_", model).strip("_.")


def flags(settings: Settings) -> list[str]:
    """Settings as words of a command line.

    >>> flags({"data.augment": False, "model.lr": 1e-3, "data.fold": None, "data.root": "my clips"})
    ['--data.augment=false', '--model.lr=0.001', '--data.fold=null', '--data.root=my clips']
    """
    return [f"--{name}={shown(value)}" for name, value in settings.items()]


def shown(value: Value) -> str:
    """A value as `emorec fit` reads it."""
    return value if isinstance(value, str) else json.dumps(value)


def rounded(value: Value) -> str:
    """A value in a name.

    >>> rounded(0.000123456), rounded(256)
    ('0.000123', '256')
    """
    return f"{value:.3g}" if isinstance(value, float) else shown(value)


def machine_settings(settings: Settings) -> dict[str, Value]:
    """Those that belong to a machine."""
    return {name: value for name, value in settings.items() if name in OF_THE_MACHINE}


def result_settings(settings: Settings) -> dict[str, Value]:
    """Those that decide a result."""
    return {name: value for name, value in settings.items() if name not in OF_THE_MACHINE}


def typed(words: Sequence[str]) -> str:
    """A command as one would type it.

    >>> typed(["fit", "--config", "configs/demo.yaml", "--data.root=my clips"])
    "emorec fit --config configs/demo.yaml '--data.root=my clips'"
    """
    return shlex.join(["emorec", *words])
