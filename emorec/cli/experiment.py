"""fit, validate, test and predict: an experiment with the callbacks that make a run of it."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from emorec.callbacks import (
    DistributedShutdown,
    EpochLines,
    EpochSeed,
    EvaluationReport,
    ModalityAblation,
    PersonEnrolment,
    Pictures,
    ProgressBar,
    RunRecord,
    StopBetweenBatches,
    Throughput,
    ValidationLog,
)
from emorec.callbacks.checkpointing import AtomicCheckpointIO
from emorec.callbacks.loggers import (
    FILE_LOGGERS,
    RUNS,
    continue_metrics,
    make_loggers,
    next_version,
    run_folder,
    viewing_hint,
)
from emorec.checkpoint import PLAIN_SUFFIX
from emorec.console import make_console
from emorec.errors import UserError
from emorec.experiment import Command, Experiment, parse_experiment, trainer_errors
from emorec.io import CSV_METRICS
from emorec.models.base import ClipNetwork, DivergedError
from emorec.text import plural, relative_path

WRITTEN_AT_START = {"config.yaml", "hparams.yaml", "network.md", "split.md", CSV_METRICS}


def run_experiment(command: str, arguments: Sequence[str]) -> None:
    """Run one of Lightning's commands to its end, or to where a signal stopped it.

    Raises:
        UserError: For a mistake of the user.
        SystemExit: When a signal stopped the run.
    """
    arguments = ["--help" if argument == "--help-all" else argument for argument in arguments]
    experiment = parse_experiment(arguments, cast("Command", command))
    is_fit = command == "fit"
    if is_fit:
        experiment.check_root()
    model, data = experiment.instantiate()
    shutdown = DistributedShutdown()
    record = experiment.checkpoint
    if is_fit and record and record.path.suffix == PLAIN_SUFFIX:
        raise UserError(
            f"{record.name} has the weights of a network and not the state of its training: a run goes on with its own "
            "last.ckpt"
        )
    callbacks = fit_callbacks(experiment) if is_fit else evaluation_callbacks(experiment)
    trainer = make_trainer(experiment, [shutdown, StopBetweenBatches(), *callbacks])
    options: dict[str, Any] = {"verbose": False} if command in ("validate", "test") else {}
    with (
        report_once(trainer),
        exit_on_signal(trainer, shutdown),
        discard_empty_run(trainer, resumed=bool(record)),
    ):
        getattr(trainer, command)(
            model,
            datamodule=data,
            ckpt_path=record.path if record else None,
            weights_only=True,
            **options,
        )
    if is_fit and trainer.is_global_zero:
        progress: Any = trainer.fit_loop.epoch_progress
        epochs = progress.current.processed
        ended_before = record is not None and record.epochs == epochs
        print(nothing_to_do(epochs) if ended_before else fit_summary(trainer))


def fit_callbacks(experiment: Experiment) -> list[Callback]:
    """Return the callbacks of a training, beside those that the settings name."""
    callbacks: list[Callback] = [
        EpochSeed(experiment.config.seed_everything),
        Throughput(),
        RunRecord(experiment.to_dict()),
        ValidationLog(),
        *(bar := progress_bar()),
        *([] if bar and sys.stdout.isatty() else [EpochLines()]),
    ]
    if experiment.config.trainer.logger is not False:
        callbacks += [LearningRateMonitor(), Pictures()]
    return callbacks


def evaluation_callbacks(experiment: Experiment) -> list[Callback]:
    """Return the callbacks of a measurement, beside those that the settings name."""
    config = experiment.config
    assert experiment.checkpoint is not None
    if config.enrol_classes and config.enrol is None:
        raise UserError("--enrol_classes is for --enrol: say how many clips with --enrol N")
    variants: dict[str, Callback] = {}
    if config.drop:
        variants[f"without_{config.drop}"] = ModalityAblation(config.drop)
    if config.enrol is not None:
        classes = config.enrol_classes or []
        variants["_".join(["enrol", str(config.enrol), *classes])] = PersonEnrolment(
            config.enrol, classes, config.seed_everything or 0
        )
    report = EvaluationReport(
        experiment.checkpoint,
        experiment.command,
        num_views=config.views,
        calibrate=config.calibrate,
        variant="_".join(variants),
    )
    return [*progress_bar(), *variants.values(), report]


def make_trainer(experiment: Experiment, callbacks: Sequence[Callback]) -> Trainer:
    """Create the trainer: atomic checkpoints, a logger for trainings alone, no model summary.

    Raises:
        UserError: When a setting of the trainer does not fit.
    """
    is_fit = experiment.command == "fit"
    settings = experiment.config_init["trainer"]
    plugins = settings["plugins"] or []
    options: dict[str, Any] = {
        "plugins": [*(plugins if isinstance(plugins, list) else [plugins]), AtomicCheckpointIO()],
        "callbacks": [*(settings["callbacks"] or []), *callbacks],
        "enable_progress_bar": settings["enable_progress_bar"] is not False
        and bool(progress_bar()),
        "enable_model_summary": False,  # RunRecord prints one line
    }
    if is_fit:
        options |= logger_options(experiment)
    else:
        options["enable_checkpointing"] = False
        if settings["logger"] in (None, True):
            options["logger"] = False
    with trainer_errors(settings):
        trainer = experiment.instantiate_trainer(**options)
    for logger in trainer.loggers if is_fit and experiment.resumed_folder else ():
        if isinstance(logger, CSVLogger):
            continue_metrics(logger)
    return trainer


def logger_options(experiment: Experiment) -> dict[str, Any]:
    """Return the trainer's arguments about loggers: a resumed run goes on in its own folder, a new one in the next."""
    settings = experiment.config.trainer
    root = Path(settings.default_root_dir or ".")
    folder = experiment.resumed_folder
    folder = folder or next_version(root / RUNS / type(experiment.model).__name__)
    loggers = make_loggers(settings.logger, root, folder)
    if not loggers or any(isinstance(each, FILE_LOGGERS) for each in loggers):
        return {"logger": loggers}
    return {"logger": loggers, "default_root_dir": str(folder)}


def progress_bar() -> list[Callback]:
    """Return a progress bar if standard error is a terminal."""
    return [ProgressBar()] if make_console(stderr=True).is_interactive else []


@contextmanager
def report_once(trainer: Trainer) -> Iterator[None]:
    """Add to the error of a diverged training how to resume it; of several processes the first one reports it.

    Raises:
        UserError: In the first process.
        SystemExit: In the others.
    """
    try:
        yield
    except DivergedError as error:
        if not trainer.is_global_zero:
            raise SystemExit(1) from None
        raise UserError(f"{error}{smaller_lr_hint(trainer, error)}") from None


@contextmanager
def exit_on_signal(trainer: Trainer, shutdown: DistributedShutdown) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into one line that says how to resume, and the exit code 128 + signal.

    Raises:
        SystemExit: When a signal stopped the run.
    """
    try:
        yield
    except (SystemExit, KeyboardInterrupt, RuntimeError) as stopped:
        # a cluster's SIGTERM reaches the loader processes too, whose end is then a RuntimeError
        if trainer.received_sigterm or shutdown.received_sigterm:
            code = 128 + signal.SIGTERM
        elif not isinstance(stopped, RuntimeError):  # Lightning makes a SystemExit of Ctrl-C
            code = 128 + signal.SIGINT
        else:
            raise
        if trainer.is_global_zero:
            print(resume_hint(trainer), file=sys.stderr)
        raise SystemExit(code) from None


@contextmanager
def discard_empty_run(trainer: Trainer, *, resumed: bool) -> Iterator[None]:
    """Remove the folder of a new run that ends before its first step.

    Raises:
        UserError: When the folder can't be written to.
    """
    folder = run_folder(trainer)
    try:
        yield
    except BaseException as error:
        if folder is None or resumed:
            raise
        if trainer.is_global_zero and trainer.global_step == 0:
            remove_run_folder(folder)
        if isinstance(error, OSError) and overlaps(error.filename, folder):
            raise UserError(
                f"can't write the run into {folder}: {error.strerror}; "
                "choose another place with --trainer.default_root_dir"
            ) from error
        raise


def remove_run_folder(folder: Path) -> None:
    """Remove a run's folder, and the folders above it that are empty then.

    A folder that another process writes to as well, because both took the same number, stays.
    """
    own = f".{os.getpid()}."  # part of the name of TensorBoard's file
    files = [path for path in folder.rglob("*") if path.is_file()]
    if all(
        path.name in WRITTEN_AT_START or own in path.name or path.is_relative_to(folder / "images")
        for path in files
    ):
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # other runs are in them
            folder.parent.rmdir()
            folder.parent.parent.rmdir()


def overlaps(path: str | None, folder: Path) -> bool:
    """Whether a path is the folder, in it, or above it.

    >>> overlaps("/runs", Path("/runs/version_0")), overlaps("/clips/a.mp4", Path("/runs/version_0"))
    (True, False)
    """
    if not path:
        return False
    one, other = Path(path).absolute(), folder.absolute()
    return one.is_relative_to(other) or other.is_relative_to(one)


def fit_summary(trainer: Trainer) -> str:
    """Return the last lines of a training: its best score, and the commands that come next."""
    finished = f"finished after {plural(trainer.current_epoch, 'epoch')}"
    saved = trainer.checkpoint_callback
    if not isinstance(saved, ModelCheckpoint) or not saved.best_model_path:
        return f"{finished}; nothing was saved"
    split = getattr(getattr(trainer, "datamodule", None), "split", None)
    best = relative_path(saved.best_model_path)
    if split and not split.holds_out:
        lines = [
            f"{finished}; everybody trained, so it can't be measured: cross-validate its recipe with emorec study",
            f"use it: emorec predict --ckpt {best} VIDEO",
        ]
    else:
        people = "" if split and split.shares_people else " on unseen actors"
        score = saved.best_model_score
        lines = [
            finished if score is None else f"{finished}, best {saved.monitor} {float(score):.3f}",
            f"measure it{people}: emorec test --ckpt {best}",
        ]
    for hint in filter(None, map(viewing_hint, trainer.loggers)):
        lines.append(f"curves and pictures: {hint}")
    return "\n".join(lines)


def nothing_to_do(epochs: int) -> str:
    """Return the last line of a run that had ended before, after so many epochs."""
    return (
        f"nothing to do: this run ended after {plural(epochs, 'epoch')}; "
        "a higher --trainer.max_epochs or --early_stopping.patience lets it go on"
    )


def resume_hint(trainer: Trainer) -> str:
    """Return the last line of a stopped run."""
    last = last_checkpoint(trainer)
    if last:
        return f"stopped; go on with: emorec fit --ckpt {relative_path(last)}"
    return "stopped before the end of the first epoch" if trainer.checkpoint_callback else "stopped"


def smaller_lr_hint(trainer: Trainer, error: DivergedError) -> str:
    """Return how to resume a diverged training; empty where its last checkpoint holds the diverged weights."""
    last = last_checkpoint(trainer)
    if not last or not error.num_updates:
        return ""
    lr = ClipNetwork.of(trainer.lightning_module).lr / 10
    return f", such as in: emorec fit --ckpt {relative_path(last)} --model.lr {lr:g}"


def last_checkpoint(trainer: Trainer) -> str | None:
    """Return the path of the run's `last.ckpt`; `None` where there is none."""
    path: str = getattr(trainer.checkpoint_callback, "last_model_path", "")
    return path if path and Path(path).is_file() else None
