"""What somebody else needs to do it again: commands, settings, versions."""

import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import yaml

from emorec.comparison.model import Model
from emorec.comparison.run import CONFIG, Run
from emorec.diagnosis.packages import SHOWN

MADE_THE_FIGURES = ("numpy", "scipy", "matplotlib", "tensorboard")

BASELINE = "classifier"
"""The setting by which the configuration of a baseline is known, which is not made by `emorec fit`."""


def commands_of(run: Run) -> list[str]:
    """The commands that make and test a run again; none for a run from Python.

    A run of a study has its own folder in its configuration; the repetition takes a new one.
    """
    if not run.config:
        return []
    config = str(run.folder / CONFIG)
    if BASELINE in run.config:
        return [shlex.join(["emorec", "baseline", "--config", config])]
    trainer = run.config.get("trainer")
    logger = trainer.get("logger") if isinstance(trainer, dict) else None
    fit = ["emorec", "fit", "--config", config]
    if isinstance(logger, dict | list):
        fit += ["--trainer.logger", "true"]
    test = ["emorec", "test", "--ckpt", run.checkpoint or "best.ckpt"]
    views = run.metrics.get("views")
    if isinstance(views, int) and views > 1:
        test += ["--views", str(views)]
    return [shlex.join(fit), shlex.join(test)]


def settings_of(model: Model) -> str:
    """The configuration that the runs of a model share, as YAML; empty when none is known.

    Fold, seed and the place of the run folder are left out: they are the runs' own.
    """
    config = model.runs[0].config
    if not config:
        return ""
    shared: dict[str, Any] = {
        key: value for key, value in config.items() if key != "seed_everything"
    }
    shared["data"] = _without(shared.get("data"), "fold", "seed")
    shared["trainer"] = _without(shared.get("trainer"), "logger")
    plain = {key: value for key, value in shared.items() if value not in (None, {})}
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def _without(section: Any, *keys: str) -> Any:
    if not isinstance(section, Mapping):
        return section
    left = {key: value for key, value in section.items() if key not in keys}
    if isinstance(left.get("init_args"), Mapping):
        left["init_args"] = {k: v for k, v in left["init_args"].items() if k not in keys}
    return left


def again(run: Run) -> str:
    """The command that repeats a run from the settings of its model alone, saved as `config.yaml`."""
    command = "baseline" if BASELINE in run.config else "fit"
    fold = [] if run.fold is None else ["--data.fold", str(run.fold)]
    seed = [] if run.seed is None else ["--seed_everything", str(run.seed)]
    return shlex.join(["emorec", command, "--config", "config.yaml", *fold, *seed])


def versions(packages: Sequence[str] = (*SHOWN, *MADE_THE_FIGURES)) -> dict[str, str]:
    """Package -> version, those that are installed here; and Python's, and the system's."""
    found = {"Python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found | {"system": f"{platform.system()} {platform.machine()}"}
