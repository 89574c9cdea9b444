"""Parse and instantiate an experiment from config files and flags."""

import argparse
import json
import logging
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from typing_extensions import override

import emorec.data
import emorec.models
from emorec import checkpoint
from emorec.callbacks import BestAndLast, Patience
from emorec.callbacks.checkpointing import AUTO_MONITOR
from emorec.callbacks.loggers import LOGGERS, check_usable, fill_save_dirs
from emorec.data import ClipDataModule
from emorec.errors import UserError
from emorec.io import read_yaml
from emorec.layers.pretrained import skip_pretrained
from emorec.models import ClipNetwork
from emorec.parser import OneLineErrors, causes, first_user_error
from emorec.shipped import with_config_paths

Command = Literal["fit", "validate", "test", "predict"]

LINKED = {
    "model.num_frames": "data.num_frames",
    "model.image_size": "data.image_size",
    "data.seed": "seed_everything",
}
"""Setting -> the setting that it always equals."""

CLASSES = {"data": emorec.data, "model": emorec.models}
"""Section -> the package of the classes to choose from."""

MISSING = {
    "": "no configuration: emorec fit --config NAME --data.root DIR (emorec configs lists the names)",
    "data": "no data set: name one with --config FILE or with --data emorec.data.RavdessDataModule",
    "model": "no network: name one with --config FILE or with --model, as in --model emorec.models.CNNLSTM",
}
"""Section that is not described -> how to do that; "" stands for all of them."""

NETWORK_FLAG = re.compile(r"--model\.(?:init_args\.)?networks\.(\w+)\.(.+)")
"""A flag of one network of a `Fusion`, as in --model.networks.face.hidden_size 64."""

_FIRST = (("--ckpt",), ("--config", "-c"), ("--model", "--data"))

# jsonargparse announces its version 5, which Lightning 2.6 can't use
os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")

for _package in (emorec.data, emorec.models):  # imported, `--model CNNLSTM` is found without a path
    for _name in _package.__all__:
        getattr(_package, _name)


def parse_experiment(
    arguments: Sequence[str], command: Command = "fit", *, ignored: Sequence[str] = ()
) -> "Experiment":
    """Parse the flags of an experiment and the config files and checkpoint that they name.

    Args:
        arguments: Flags as after `emorec fit`, in any order: flags win over config files, those over the checkpoint.
        command: What the experiment is parsed for; `fit` has flags of its own.
        ignored: Top-level sections that are accepted and left alone, such as "trainer".

    Raises:
        UserError: When a config can't be read, a flag is unknown, or a value does not fit.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):  # seeds, devices, advertisements
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.loggers.mlflow").setLevel(logging.ERROR)  # new experiments
    if str(Path.cwd()) not in sys.path:  # `--model my_file.MyNetwork`
        sys.path.append(str(Path.cwd()))
    arguments = with_config_paths(arguments)
    refuse_incomplete(arguments, command, ignored)
    refuse_linked(arguments)
    refuse_unreadable_configs(arguments)
    return Experiment(in_order(arguments), command, ignored)


class Experiment(LightningCLI):
    """A parsed experiment: its settings are checked, its objects are made on demand.

    Args:
        arguments: Flags, those first that others change (see `in_order`).
        command: "fit", "validate", "test" or "predict".
        ignored: Top-level sections that are accepted and left alone.

    Attributes:
        config: The settings, such as `config.data.init_args.root`.
        checkpoint: What `--ckpt` names.
    """

    config: Any

    def __init__(
        self, arguments: Sequence[str], command: Command = "fit", ignored: Sequence[str] = ()
    ) -> None:
        self.command = command
        self.ignored = ignored
        super().__init__(
            ClipNetwork,
            ClipDataModule,
            save_config_callback=None,
            seed_everything_default=0,
            parser_class=ExperimentParser,
            parser_kwargs={"prog": f"emorec {command}"},
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=list(arguments),
            run=False,
        )
        path = self.config.get("ckpt")
        self.checkpoint = checkpoint.read(path) if path else None

    @override
    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        if "trainer" not in self.ignored:
            parser.add_lightning_class_args(self.trainer_class, "trainer")
        for section, base in (("model", ClipNetwork), ("data", ClipDataModule)):
            if section not in self.ignored:
                parser.add_lightning_class_args(base, section, subclass_mode=True)

    @override
    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        for section in self.ignored:
            parser.add_argument(f"--{section}", type=Any, default=None, help=argparse.SUPPRESS)
        for follower, leader in LINKED.items():
            if follower.partition(".")[0] not in self.ignored:
                parser.link_arguments(
                    leader.replace("data.", "data.init_args."), follower.replace(".", ".init_args.")
                )
        if "model" not in self.ignored:
            parser.link_arguments(
                "data.num_classes", "model.init_args.num_classes", apply_on="instantiate"
            )
        if "ckpt" not in self.ignored:
            parser.add_argument("--ckpt", action=ReadCheckpoint, help="a checkpoint of emorec")
        if self.command != "fit":
            _add_evaluation_arguments(parser)
        elif "trainer" not in self.ignored:
            _add_training_arguments(parser)

    @override
    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        of_networks, others = network_flags(args)
        if of_networks:
            without = parser.parse_args(
                [each for each in others if not each.startswith("--print_config")]
            )
            networks = with_network_flags(without.get("model.init_args.networks"), of_networks)
            others = [*others, f"--model.networks={json.dumps(networks)}"]
        self.config = parser.parse_args(others)

    @override
    def instantiate_classes(self) -> None:
        """Postpone it: see `instantiate` and `instantiate_data`."""

    def instantiate(self, *, load_weights: bool = True) -> tuple[ClipNetwork, ClipDataModule]:
        """Create the network and the data module, and the callbacks that the settings name.

        Args:
            load_weights: Start from pretrained weights, if the settings say so and no checkpoint has others.

        Raises:
            UserError: When a setting does not fit, or the checkpoint holds another network.
        """
        skip = self.checkpoint is not None or not load_weights
        config = self.config.clone()
        if "trainer" not in self.ignored:
            check_usable(config.trainer.logger)
            if self.command == "fit":
                # `emorec fit` makes them when it knows the folder of the run
                config.trainer.logger = False
        with skip_pretrained() if skip else nullcontext(), _constructor_errors():
            self.config_init = self.parser.instantiate_classes(config)
        self.model, self.datamodule = self.config_init["model"], self.config_init["data"]
        if type(self.model).forward is LightningModule.forward:  # a base class
            raise UserError(MISSING["model"])
        if self.checkpoint:
            checkpoint.check_same_network(
                self.checkpoint, self.model, resumed=self.command == "fit"
            )
        return self.model, self.datamodule

    @property
    def resumed_folder(self) -> Path | None:
        """The folder of a run that is resumed; `None` for a new one, and where the checkpoint alone was moved."""
        folder = self.checkpoint and self.checkpoint.run_folder
        return folder if folder and (folder / "checkpoints").is_dir() else None

    def instantiate_data(self) -> ClipDataModule:
        """Create the data module alone.

        Raises:
            UserError: When a setting does not fit.
        """
        cls = checkpoint.import_class(self.config.data.class_path)
        with _constructor_errors():
            data: ClipDataModule = cls(**self.config.data.init_args.as_dict())
        return data

    def check_root(self) -> None:
        """Refuse a missing data folder, or none at all: called before pretrained weights are downloaded.

        Raises:
            UserError: As `ClipDataModule.find` does.
        """
        arguments = self.config.data.init_args
        root = arguments.get("root")
        if "root" in arguments and not (root and Path(root).expanduser().exists()):
            self.instantiate_data().find()

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, as a config file holds them."""
        config: dict[str, Any] = yaml.safe_load(
            self.parser.dump(self.config, skip_link_targets=True)
        )
        config.pop("ckpt", None)
        return config


def _add_training_arguments(parser: LightningArgumentParser) -> None:
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


def _add_evaluation_arguments(parser: LightningArgumentParser) -> None:
    parser.add_argument("--views", type=int, default=1, help="average over N views of each clip")
    parser.add_argument(
        "--drop", default=None, help="leave out frames, landmarks, sound or a network of a fusion"
    )
    parser.add_argument(
        "--enrol",
        type=int | None,
        default=None,
        help="adapt each clip by N other unlabelled clips of the person instead of all",
    )
    parser.add_argument(
        "--enrol_classes",
        type=list[str] | None,
        default=None,
        help="with --enrol, only clips of these classes",
    )
    parser.add_argument(
        "--calibrate", action="store_true", help="calibrate by the checkpoint's temperature"
    )


class ReadCheckpoint(argparse.Action):
    """`--ckpt FILE`: the checkpoint's settings stand for a config file; later flags change them."""

    @override
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: Any,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        record = checkpoint.read(values)
        sections = {"model": record.model, "data": record.data}
        if parser.prog == "emorec fit":
            sections |= record.settings
        ActionConfigFile.apply_config(parser, namespace, "config", json.dumps(sections))
        setattr(namespace, self.dest, str(values))


class ExperimentParser(OneLineErrors, LightningArgumentParser):
    """Lightning's parser, without abbreviations and with errors of one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, allow_abbrev=False, **kwargs)

    @override
    def names_for(self, key: str) -> Collection[str]:
        if key == "trainer.logger":
            return [each.__name__ for each in LOGGERS]
        return CLASSES[key].__all__ if key in CLASSES else super().names_for(key)

    @override
    def validate(self, namespace: Any, *args: Any, **kwargs: Any) -> None:
        fill_save_dirs(namespace.get("trainer.logger"))
        super().validate(namespace, *args, **kwargs)


@contextmanager
def _constructor_errors() -> Iterator[None]:
    """Turn a refused value into a `UserError`; raise anything else as the constructor raised it."""
    try:
        yield
    except (ValueError, TypeError) as error:
        # a `UserError` has a cause of its own, such as that of a failed download
        origin = first_user_error(error) or list(causes(error))[-1]
        if isinstance(origin, ValueError):
            raise UserError(" ".join(str(origin).split())) from error
        raise origin from None


@contextmanager
def trainer_errors(settings: Mapping[str, Any]) -> Iterator[None]:
    """Turn settings of the trainer that fit neither each other nor this machine into a `UserError`.

    Args:
        settings: Those of the trainer.

    Raises:
        UserError: When the trainer can't be created with them.
    """
    try:
        yield
    except (MisconfigurationException, ValueError, TypeError, ImportError) as error:
        devices = {name: settings[name] for name in ("accelerator", "devices")}
        named = [f"{name} {value}" for name, value in devices.items() if value != "auto"]
        hint = f" ({', '.join(named)}; auto takes what this machine has)" if named else ""
        raise UserError(f"--trainer: {error}{hint}") from error


def in_order(arguments: Sequence[str]) -> list[str]:
    """Sort a checkpoint first, then configs, then classes, so that a flag changes what it is given beside.

    >>> in_order(["--data.root", "clips", "--config=a.yaml", "-c", "b.yaml", "--model", "emorec.models.CNN3D"])
    ['--config=a.yaml', '-c', 'b.yaml', '--model', 'emorec.models.CNN3D', '--data.root', 'clips']
    """
    ranked: list[list[str]] = [[] for _ in range(len(_FIRST) + 1)]
    rest = iter(arguments)
    for argument in rest:
        name, _, value = argument.partition("=")
        rank = next((rank for rank, names in enumerate(_FIRST) if name in names), len(_FIRST))
        ranked[rank].append(argument)
        if rank < len(_FIRST) and not value:
            ranked[rank] += [value for value in [next(rest, None)] if value is not None]
    return [argument for group in ranked for argument in group]


def network_flags(
    arguments: Sequence[str],
) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Separate the flags of one network of a `Fusion`: jsonargparse replaces the whole network.

    Returns:
        Network, setting and value of each; and the other arguments.

    >>> network_flags(["--model.networks.face.dropout", "0.3", "--model.lr", "1"])
    ([('face', 'dropout', '0.3')], ['--model.lr', '1'])
    """
    flags, others = [], []
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        named = NETWORK_FLAG.fullmatch(name)
        if named is None:
            others.append(argument)
            continue
        if not equals and (value := next(rest, "")).startswith("--"):
            raise UserError(f"{name} needs a value")
        flags.append((named[1], named[2], value))
    return flags, others


def with_network_flags(
    networks: Mapping[str, Mapping[str, Any]] | None, flags: Sequence[tuple[str, str, str]]
) -> dict[str, dict[str, Any]]:
    """Return the networks of a `Fusion` with some of their settings changed.

    Args:
        networks: Each with "class_path" and "init_args".
        flags: Network, setting and value, see `network_flags`.

    Raises:
        UserError: If the network does not exist.

    >>> with_network_flags({"face": {"class_path": "LandmarkRNN"}}, [("face", "dropout", "0.3")])
    {'face': {'class_path': 'LandmarkRNN', 'init_args': {'dropout': 0.3}}}
    """
    changed = {name: {**settings} for name, settings in (networks or {}).items()}
    for name, setting, value in flags:
        if name not in changed:
            raise UserError(
                f"--model.networks.{name}: there is no such network: choose "
                f"{' or '.join(changed) or 'a config of emorec.models.Fusion'}"
            )
        parsed = yaml.safe_load(value)
        with suppress(TypeError, ValueError):  # 1e-3 is a text in YAML
            parsed = float(parsed) if isinstance(parsed, str) else parsed
        if setting == "class_path":
            changed[name] = {"class_path": parsed}
        else:
            own = changed[name].get("init_args") or {}
            changed[name]["init_args"] = {**own, setting.removeprefix("init_args."): parsed}
    return changed


def refuse_incomplete(arguments: Sequence[str], command: Command, ignored: Sequence[str]) -> None:
    """Refuse flags that describe no network or no data set.

    Raises:
        UserError: When there is neither a config, nor a checkpoint, nor `--model` and `--data`.
    """
    flags = {argument.partition("=")[0] for argument in arguments}
    if flags & {"--help", "--ckpt"}:
        return
    if command != "fit":
        raise UserError(missing_checkpoint(command))
    if flags & {"--config", "-c"} or any(".help" in flag for flag in flags):
        return
    missing = [
        name for name in ("data", "model") if name not in ignored and f"--{name}" not in flags
    ]
    if missing:
        flagless = not any(flag.startswith(("--data", "--model")) for flag in flags)
        raise UserError(MISSING["" if flagless else missing[0]])


def missing_checkpoint(command: str) -> str:
    """Return the message of a command that needs a checkpoint.

    >>> missing_checkpoint("test")
    'which network? emorec test --ckpt FILE, as in --ckpt lightning_logs/.../best.ckpt'
    """
    return f"which network? emorec {command} --ckpt FILE, as in --ckpt lightning_logs/.../best.ckpt"


def refuse_linked(arguments: Sequence[str]) -> None:
    """Refuse a flag that would be accepted and then overwritten by another setting.

    Raises:
        UserError: For the first of them.
    """
    for argument in arguments:
        name = argument.partition("=")[0].removeprefix("--").replace(".init_args.", ".")
        if argument.startswith("--") and name in LINKED:
            raise UserError(f"--{name} always equals --{LINKED[name]}: set that one")
        if argument.startswith("--") and name == "model.num_classes":
            raise UserError("--model.num_classes is the data set's: leave it out")


def refuse_unreadable_configs(arguments: Sequence[str]) -> None:
    """Read every config file once, for messages about the file instead of its settings.

    Raises:
        UserError: When one is missing, unreadable, not YAML, or not a mapping.
    """
    for argument, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        name, equals, value = argument.partition("=")
        if name in ("--config", "-c") and (equals or following):
            _refuse_unreadable(Path(value if equals else following))


def _refuse_unreadable(path: Path) -> None:
    if not isinstance(read_yaml(path, "config"), dict):
        raise UserError(f"{path} has no sections such as `model:` and `data:`")
