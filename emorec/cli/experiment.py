"""fit, validate, test and predict: LightningCLI, taught to take a checkpoint's word for what it is."""

import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import yaml
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, LearningRateMonitor
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from typing_extensions import override

from emorec import checkpoint
from emorec.callbacks import (
    BestAndLast,
    DistributedShutdown,
    EpochLines,
    EpochSeed,
    EvaluationReport,
    ModalityAblation,
    Patience,
    Pictures,
    ProgressBar,
    RunRecord,
    StopBetweenBatches,
    Throughput,
)
from emorec.callbacks.checkpointing import AUTO_MONITOR, AtomicCheckpointIO
from emorec.checkpoint import Checkpoint
from emorec.cli.closing_words import closing_words, farewell, nothing_to_do
from emorec.cli.complaints import MISSING, which_network
from emorec.cli.experiment_parser import (
    FOLLOWERS,
    Parser,
    ReadCheckpoint,
    in_order,
    refuse_unreadable_config,
    refuse_without_effect,
)
from emorec.cli.help import EXPERIMENTS, usage
from emorec.cli.mishaps import explained, explained_while_made
from emorec.cli.quiet import quiet
from emorec.cli.run_folder import concerns, discard
from emorec.data import ClipDataModule
from emorec.errors import UserError
from emorec.layers.pretrained import skip_pretrained
from emorec.models import ClipClassifier, ClipNetwork, ClipRegressor

FLUSH_SECONDS = 5
"""How far TensorBoard lags."""


class ExperimentCLI(LightningCLI):
    """One of Lightning's four commands, with the callbacks that make a run of it.

    Args:
        command: "fit", "validate", "test" or "predict".
        arguments: The words after it.
    """

    def __init__(self, command: str, arguments: Sequence[str]) -> None:
        self.command = command
        self.said: Checkpoint | None = None
        self._new_folder: Path | None = None
        self._together = DistributedShutdown()
        super().__init__(
            ClipNetwork,
            ClipDataModule,
            save_config_callback=None,
            seed_everything_default=0,
            parser_class=Parser,
            parser_kwargs={command: {"usage": usage(command), "description": EXPERIMENTS[command]}},
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=[command, *arguments],
        )

    @override
    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """The chosen command alone: building the options of one takes a quarter of the time."""
        arguments = {
            "model",
            "datamodule",
            "ckpt_path",
            "weights_only",
            "return_predictions",
            "verbose",
        }
        loaders = (
            {"train_dataloaders", "val_dataloaders"} if self.command == "fit" else {"dataloaders"}
        )
        return {self.command: arguments | loaders}

    @override
    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--ckpt", action=ReadCheckpoint, help="a checkpoint of emorec")
        for follower, leader in FOLLOWERS.items():
            parser.link_arguments(
                leader.replace("data.", "data.init_args."), follower.replace(".", ".init_args.")
            )
        parser.link_arguments(
            "data.num_classes", "model.init_args.num_classes", apply_on="instantiate"
        )
        if self.command != "fit":
            parser.add_argument(
                "--views", type=int, default=1, help="average over so many views of each clip"
            )
            parser.add_argument("--drop", default=None, help="do without video or audio")
            parser.add_argument(
                "--calibrate", action="store_true", help="calibrate by the checkpoint's temperature"
            )
        else:
            parser.add_lightning_class_args(BestAndLast, "checkpoint")
            parser.add_lightning_class_args(Patience, "early_stopping")
            parser.set_defaults(
                {
                    "checkpoint.monitor": AUTO_MONITOR,
                    "checkpoint.mode": "max",
                    "checkpoint.filename": "best",
                    "checkpoint.save_last": True,
                    "checkpoint.save_on_train_epoch_end": True,
                    "checkpoint.enable_version_counter": False,
                    "early_stopping.monitor": AUTO_MONITOR,
                    "early_stopping.mode": "max",
                    "early_stopping.patience": 20,
                }
            )

    @override
    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        self.config = parser.parse_args(args)

    @override
    def instantiate_classes(self) -> None:
        path = self._get(self.config, "ckpt")
        self.said = checkpoint.read(path) if path else None
        if self.said is None and self.command != "fit":
            raise UserError(which_network(self.command))
        try:
            with skip_pretrained() if self.said else nullcontext():
                super().instantiate_classes()
        except (ValueError, TypeError) as error:
            raise explained_while_made(error) from None
        if type(self.model) in (
            ClipNetwork,
            ClipClassifier,
            ClipRegressor,
        ):  # settings of a network, but no network
            raise UserError(MISSING["model"])
        if self.said:
            checkpoint.check_same_network(self.said, self.model)

    @override
    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        trainer = self._get(self.config_init, "trainer")
        given = trainer["plugins"] or []
        kwargs["plugins"] = [*(given if isinstance(given, list) else [given]), AtomicCheckpointIO()]
        kwargs["callbacks"] = [*(trainer["callbacks"] or []), *self._callbacks()]
        if trainer["logger"] in (None, True):
            kwargs["logger"] = (
                self._logger(trainer["default_root_dir"]) if self.command == "fit" else False
            )
        kwargs["enable_progress_bar"] = trainer["enable_progress_bar"] is not False and bool(_bar())
        kwargs["enable_model_summary"] = False  # RunRecord says it in one line
        if self.command != "fit":
            kwargs["enable_checkpointing"] = False
        try:
            return super().instantiate_trainer(**kwargs)
        except (MisconfigurationException, ValueError, TypeError) as error:
            raise UserError(f"--trainer: {error}") from error

    def _callbacks(self) -> list[Callback]:
        if self.command != "fit":
            assert self.said is not None
            drop = self._get(self.config, "drop")
            report = EvaluationReport(
                self.said,
                self.command,
                num_views=self._get(self.config, "views"),
                calibrate=self._get(self.config, "calibrate"),
                without=drop,
            )
            without = [ModalityAblation(drop)] if drop else []
            return [self._together, StopBetweenBatches(), *_bar(), *without, report]
        config = yaml.safe_load(
            self._parser("fit").dump(self.config["fit"], skip_link_targets=True)
        )
        config.pop("ckpt", None)
        seed = self.config["fit"]["seed_everything"]
        callbacks: list[Callback] = [
            self._together,
            StopBetweenBatches(),
            EpochSeed(seed),
            Throughput(),
            RunRecord(config),
            *(_bar() or [EpochLines()]),
        ]
        if self._get(self.config_init, "trainer")["logger"] is not False:
            callbacks += [LearningRateMonitor(), Pictures()]
        return callbacks

    def _logger(self, root: str | None) -> TensorBoardLogger:
        """A resumed run goes on in its own folder, a new one gets the next number."""
        if self.said and (self.said.run_folder / "checkpoints").is_dir():
            folder = self.said.run_folder
            return TensorBoardLogger(
                folder.parent.parent,
                folder.parent.name,
                folder.name,
                default_hp_metric=False,
                flush_secs=FLUSH_SECONDS,
            )
        logger = TensorBoardLogger(
            Path(root or ".", "lightning_logs"),
            type(self.model).__name__,
            default_hp_metric=False,
            flush_secs=FLUSH_SECONDS,
        )
        self._new_folder = Path(logger.log_dir)
        return logger

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        try:
            self._run_or_leave_no_trace(subcommand)
        except (SystemExit, KeyboardInterrupt, RuntimeError) as stopped:
            # a cluster's SIGTERM reaches the loader processes too, whose end is then a RuntimeError
            if self.trainer.received_sigterm or self._together.received_sigterm:
                code = 128 + signal.SIGTERM
            elif not isinstance(stopped, RuntimeError):  # Lightning makes a SystemExit of Ctrl-C
                code = 128 + signal.SIGINT
            else:
                raise
            if self.trainer.is_global_zero:
                print(farewell(self.trainer), file=sys.stderr)
            raise SystemExit(code) from None

    def _run_or_leave_no_trace(self, subcommand: str) -> None:
        """A new run that ends before its first step leaves no folder behind."""
        folder = self._new_folder
        try:
            super()._run_subcommand(subcommand)
        except BaseException as error:
            if folder and self.trainer.is_global_zero and self.trainer.global_step == 0:
                discard(folder)
            if folder and isinstance(error, OSError) and concerns(error.filename, folder):
                raise UserError(
                    f"can't write the run into {folder}: {error.strerror}; "
                    "choose another place with --trainer.default_root_dir"
                ) from error
            raise

    def after_fit(self) -> None:
        """Says how it went and what to do next."""
        if self.trainer.is_global_zero:
            progress: Any = self.trainer.fit_loop.epoch_progress
            epochs = progress.current.processed
            had_ended = self.said is not None and self.said.epochs == epochs
            print(nothing_to_do(epochs) if had_ended else closing_words(self.trainer))

    @override
    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        path = None if self.said is None else self.said.path
        given = super()._prepare_subcommand_kwargs(subcommand)
        silent = {"verbose": False} if subcommand in {"validate", "test"} else {}
        return {**given, **silent, "ckpt_path": path, "weights_only": True}


def _bar() -> list[Callback]:
    """A progress bar where somebody looks."""
    return [ProgressBar()] if sys.stdout.isatty() else []


def run(command: str, arguments: Sequence[str]) -> None:
    """Runs one of Lightning's commands to its end, or to where a signal stopped it.

    Raises:
        UserError: For a mistake of the user.
    """
    quiet()
    sys.path.append(
        str(Path.cwd())
    )  # `--model my_file.MyNetwork`, as `python -m emorec` would find it
    refuse_without_effect(arguments)
    refuse_unreadable_config(arguments)
    words = ["--help" if word == "--help-all" else word for word in in_order(arguments)]
    try:
        ExperimentCLI(command, words)
    except Exception as error:
        mishap = explained(error)
        if mishap is None:
            raise
        raise mishap from error
