"""Loggers: how pictures, texts and settings reach each of them, and where the folder of the run lies."""

import argparse
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from csv import DictReader
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import (
    CSVLogger,
    Logger,
    MLFlowLogger,
    TensorBoardLogger,
    WandbLogger,
)
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.image import imsave
from numpy.typing import NDArray
from torch.utils.tensorboard.summary import hparams as hparams_summaries
from typing_extensions import override

from emorec.checkpoint import import_class
from emorec.errors import UserError
from emorec.io import CSV_METRICS, FLUSH_SECONDS, atomic_write
from emorec.text import relative_path

log = logging.getLogger(__name__)

RUNS = "lightning_logs"
"""Folder of all runs, and `save_dir` of a logger for which none was chosen."""

FILE_LOGGERS = (TensorBoardLogger, CSVLogger)
"""Loggers whose files lie in the folder of the run."""

LOGGERS = (*FILE_LOGGERS, WandbLogger, MLFlowLogger)
"""Loggers that get pictures and texts beside curves."""

PACKAGES = {WandbLogger: ("wandb",), MLFlowLogger: ("mlflow", "sqlalchemy", "alembic")}
"""Logger -> the packages that it needs; the first is also the extra that has them."""

NO_REPORTS = {"MLFLOW_DISABLE_TELEMETRY": "true", "WANDB_ERROR_REPORTING": "false"}
"""Environment of the packages, which would otherwise report their use and errors to their makers."""

NOT_COMPARED = frozenset({"root", "num_workers", "on_error", "allow_missing_actors", "compile"})
"""Settings that change where and how fast a run trains, not what it learns."""


def run_folder(trainer: Trainer) -> Path | None:
    """Return the folder of the run; `None` without a logger.

    It is that of the first `TensorBoardLogger` or `CSVLogger`, and with other loggers alone `default_root_dir`, which
    `emorec fit` then makes the folder of the run. In several processes the first one decides: broadcast it.
    """
    folders = [each.log_dir for each in trainer.loggers if isinstance(each, FILE_LOGGERS)]
    if folders:
        return Path(folders[0])
    fast_dev_run: bool = trainer.fast_dev_run  # type: ignore[attr-defined]
    return Path(trainer.default_root_dir) if trainer.loggers and not fast_dev_run else None


def takes_images(trainer: Trainer) -> bool:
    """Return whether pictures drawn in this process reach a logger."""
    return trainer.is_global_zero and any(isinstance(each, LOGGERS) for each in trainer.loggers)


def log_image(logger: Logger, tag: str, image: NDArray[np.uint8], step: int) -> None:
    """Log a picture; `CSVLogger` and MLflow get a PNG file in `images/` of the run's folder or artifacts.

    Args:
        logger: Any logger; those that are none of `LOGGERS` get no pictures.
        tag: Such as "val/confusion_matrix".
        image: (H, W, 3).
        step: The global step.
    """
    name = f"images/{tag}_step_{step:06}.png"
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(tag, image, step, dataformats="HWC")
    elif isinstance(logger, CSVLogger):
        with atomic_write(Path(logger.log_dir, name)) as file:
            imsave(file, image, format="png")
    elif isinstance(logger, WandbLogger):
        logger.log_image(tag, [image], step)
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_image(logger.run_id, image, name)


def log_text(logger: Logger, tag: str, text: str, step: int) -> None:
    """Log Markdown; a `CSVLogger` gets a file of this name in the folder of the run, wandb a table of one cell."""
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_text(tag, text, step)
    elif isinstance(logger, CSVLogger):
        with atomic_write(Path(logger.log_dir, f"{tag}.md")) as file:
            file.write(text.encode())
    elif isinstance(logger, WandbLogger):
        logger.log_text(tag, columns=[tag], data=[[text]], step=step)
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_text(logger.run_id, text, f"{tag}.md")


def log_settings(logger: Logger, settings: Mapping[str, Any]) -> None:
    """Log what runs are compared by; TensorBoard shows it in its HPARAMS tab, beside the scores `best/...`."""
    if isinstance(logger, TensorBoardLogger):
        # TensorBoard unites the columns of all runs, differing ones first; `add_hparams` would fix them for all.
        _, start, _ = hparams_summaries(hparams_row(settings), {})  # type: ignore[no-untyped-call]
        logger.experiment.file_writer.add_summary(start)
    elif isinstance(logger, LOGGERS):
        logger.log_hyperparams(dict(settings))


def log_success(logger: Logger) -> None:
    """Mark a run as finished in TensorBoard's HPARAMS tab; the other loggers do so themselves."""
    if isinstance(logger, TensorBoardLogger):
        _, _, end = hparams_summaries({}, {})  # type: ignore[no-untyped-call]
        logger.experiment.file_writer.add_summary(end)


def hparams_row(settings: Mapping[str, Any]) -> dict[str, float | str]:
    """Return settings as TensorBoard's HPARAMS tab shows them: numbers and texts, without those that are not set.

    >>> hparams_row({"lr": 0.001, "augment": False, "blocks": [3, 4], "fold": None, "num_workers": 8})
    {'lr': 0.001, 'augment': 'false', 'blocks': '3, 4'}
    """
    return {
        name: _cell(value)
        for name, value in settings.items()
        if value is not None and name not in NOT_COMPARED
    }


def _cell(value: Any) -> float | str:
    if isinstance(value, bool):  # as in YAML; TensorBoard would show 0 and 1 beside texts
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(str(_cell(part)) for part in value)
    return value if isinstance(value, int | float) else str(value)


def viewing_hint(logger: Logger) -> str | None:
    """Return how to look at what a logger recorded; `None` for wandb, which prints that itself, and for others."""
    if isinstance(logger, TensorBoardLogger):
        return f"tensorboard --logdir {relative_path(Path(logger.log_dir).parents[1])}"
    if isinstance(logger, CSVLogger):
        folder = Path(relative_path(logger.log_dir))
        return f"{folder / CSV_METRICS} and {folder / 'images'}"
    if isinstance(logger, MLFlowLogger):
        uri: str = logger.experiment.tracking_uri
        return f"mlflow ui --backend-store-uri {uri}" if uri.startswith("sqlite:") else uri
    return None


class ResumableMLFlowLogger(MLFlowLogger):
    """Lightning's `MLFlowLogger`, which can go on with a run although some settings have changed."""

    _has_warned = False

    @override
    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | argparse.Namespace) -> None:
        from mlflow.exceptions import MlflowException

        try:
            super().log_hyperparams(params)
        except MlflowException as error:
            if "Changing param values is not allowed" not in str(error):
                raise
            if not self._has_warned:
                log.warning("MLflow can't change settings: the run shows those it began with")
            self._has_warned = True


def described(chosen: Any) -> Iterator[Namespace]:
    """Yield the settings of each logger, `class_path` and `init_args`, from a value of `trainer.logger`."""
    for each in _as_list(chosen):
        if isinstance(each, Namespace) and "class_path" in each:
            yield each


def _as_list(chosen: Any) -> list[Any]:
    return chosen if isinstance(chosen, list) else [chosen]


def fill_save_dirs(chosen: Any) -> None:
    """Fill in the `save_dir` of each `TensorBoardLogger` and `CSVLogger` that has none: Lightning demands one.

    Args:
        chosen: The value of `trainer.logger`; changed.
    """
    for each in described(chosen):
        logger, options = import_class(each.class_path), each.get("init_args")
        if options is None or not issubclass(logger, FILE_LOGGERS) or options.save_dir is not None:
            continue
        options.save_dir = RUNS
        if issubclass(logger, TensorBoardLogger):
            options.default_hp_metric = False  # a column of -1 in the HPARAMS tab


def check_usable(chosen: Any) -> None:
    """Check that the packages of the loggers are installed, and that wandb knows an account where it needs one.

    To be called before these are imported: none of them reports its use to its makers then.

    Args:
        chosen: The value of `trainer.logger`.

    Raises:
        UserError: When a package is missing, or wandb's server doesn't accept or answer.
    """
    for name, value in NO_REPORTS.items():
        os.environ.setdefault(name, value)
    for each in described(chosen):
        logger = import_class(each.class_path)
        for base, packages in PACKAGES.items():
            missing = [name for name in packages if issubclass(logger, base) and not _exists(name)]
            if missing:
                raise UserError(
                    f"--trainer.logger {base.__name__} needs {', '.join(missing)}, not installed: "
                    f"pip install 'emorec[{packages[0]}]'"
                )
        if issubclass(logger, WandbLogger) and not each.init_args.offline:
            _log_in_to_wandb()


def _exists(package: str) -> bool:
    spec = find_spec(package)
    return spec is not None and spec.origin is not None  # else the folder `wandb` of earlier runs


@rank_zero_only
def _log_in_to_wandb() -> None:
    """Fail in seconds, before clips are decoded, where the start of a run would fail in minutes."""
    import wandb

    try:
        wandb.login()
    except wandb.Error as error:
        message = " ".join(str(error).split())
        raise UserError(
            f"wandb: {message} (--trainer.logger.offline true records the run in files)"
        ) from error


def make_loggers(chosen: Any, root: Path, folder: Path) -> list[Logger]:
    """Create the loggers of a training; without a choice TensorBoard's. A place or name that the user chose stays.

    Args:
        chosen: The value of `trainer.logger`.
        root: Where wandb and MLflow write, whose files runs share.
        folder: Of the run: all other loggers write there, and these two know the run by its name.
    """
    if chosen in (None, True):
        options = {"default_hp_metric": False, "flush_secs": FLUSH_SECONDS, **_in_folder(folder)}
        return [TensorBoardLogger(**options)]
    return [_make_logger(each, root, folder) for each in described(chosen)]


def _in_folder(folder: Path) -> dict[str, Any]:
    """Return the arguments of a logger whose files lie in this folder."""
    run = folder.parent
    return {"save_dir": str(run.parent), "name": run.name, "version": folder.name}


def _make_logger(settings: Namespace, root: Path, folder: Path) -> Logger:
    cls, options = import_class(settings.class_path), settings.init_args.as_dict()
    title = f"{folder.parent.name}/{folder.name}"
    if issubclass(cls, FILE_LOGGERS):
        if (options["save_dir"], options["name"], options["version"]) == (RUNS, RUNS, None):
            options |= _in_folder(folder)
    elif issubclass(cls, WandbLogger):
        options["name"] = options["name"] or title
        if options["save_dir"] == ".":
            options["save_dir"] = str(root)
    elif issubclass(cls, MLFlowLogger):
        options["run_name"] = options["run_name"] or title
        if options["tracking_uri"] is None and options["save_dir"] == "./mlruns":
            # Lightning's default is a store of files, which MLflow refuses by now
            options["tracking_uri"] = f"sqlite:///{(root / 'mlflow.db').as_posix()}"
            options["artifact_location"] = str((root / "mlruns").absolute())
        cls = ResumableMLFlowLogger if cls is MLFlowLogger else cls
    logger: Logger = cls(**options)
    return logger


def next_version(parent: Path) -> Path:
    """Return the folder of a new run in a folder of runs."""
    names = [path.name.removeprefix("version_") for path in parent.glob("version_*")]
    last = max((int(name) for name in names if name.isdecimal()), default=-1)
    return parent / f"version_{last + 1}"


@rank_zero_only
def continue_metrics(logger: CSVLogger) -> None:
    """Let a `CSVLogger` append to the `metrics.csv` of a resumed run, which it would replace.

    As in TensorBoard, an epoch that is repeated after a kill is there twice; the later one counts.
    """
    path = Path(logger.log_dir, CSV_METRICS)
    if not path.is_file():
        return
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(DictReader(file))
    writer: Any = logger.experiment  # it removes the file
    writer.metrics = [{name: value for name, value in row.items() if value} for row in rows]
    logger.save()


def with_run_ids(settings: Mapping[str, Any], loggers: Sequence[Logger]) -> dict[str, Any]:
    """Return the settings of a run with its identifiers in wandb and MLflow, by which it is resumed there.

    Args:
        settings: Plain values, as a config file holds them.
        loggers: Those of the trainer, in the order of the settings.
    """
    changed = deepcopy(dict(settings))
    chosen = changed.get("trainer", {}).get("logger")
    described = [each for each in _as_list(chosen) if isinstance(each, dict)]
    for each, logger in zip(described, loggers, strict=False):
        options = each.setdefault("init_args", {})
        if isinstance(logger, WandbLogger):
            options["version"] = logger.version
        elif isinstance(logger, MLFlowLogger):
            options["run_id"] = logger.run_id
    return changed
