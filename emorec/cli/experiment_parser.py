"""The words after fit, validate, test and predict: which there are, in which order they count, what is refused."""

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LightningArgumentParser
from typing_extensions import override

from emorec import checkpoint
from emorec.cli.complaints import Complaint, explain
from emorec.data import (
    AffWild2DataModule,
    ClipDataModule,
    CSVDataModule,
    HACERDataModule,
    IemocapDataModule,
    RavdessDataModule,
)
from emorec.errors import UserError
from emorec.models import ClipNetwork

SHIPPED_DATA = (
    AffWild2DataModule,
    CSVDataModule,
    HACERDataModule,
    IemocapDataModule,
    RavdessDataModule,
)
"""Imported, so that `--data RavdessDataModule` finds them by their short names."""

FAMILIES = {"model": ClipNetwork, "data": ClipDataModule}

FOLLOWERS = {
    "model.num_frames": "data.num_frames",
    "model.image_size": "data.image_size",
    "data.seed": "seed_everything",
}
"""Settings that have no will of their own, and those that they follow."""

_FIRST = (("--ckpt",), ("--config", "-c"), ("--model", "--data"))


class ReadCheckpoint(argparse.Action):
    """`--ckpt FILE`: the checkpoint's own settings stand for a configuration file; what is given beside wins."""

    @override
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: Any,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        said = checkpoint.read(values)
        sections = {"model": said.model, "data": said.data}
        if parser.prog.split()[-1] == "fit":
            sections |= said.settings
        ActionConfigFile.apply_config(parser, namespace, "config", json.dumps(sections))
        setattr(namespace, self.dest, str(values))


class ClassComplaint(argparse.ArgumentError):
    """What the parser of one class's arguments says; it comes back inside a longer complaint.

    Attributes:
        options: The arguments that the class takes.
    """

    def __init__(self, message: str, options: Sequence[str]) -> None:
        super().__init__(None, message)
        self.options = options


class Parser(LightningArgumentParser):
    """An argument parser that takes no abbreviations and whose complaints are one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, allow_abbrev=False, **kwargs)

    @override
    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if not self.exit_on_error:
            raise ClassComplaint(message, _options(self)) from ex
        options = _options(getattr(ex, "subcommand_parser", self))
        classes = {section: list(class_paths(base)) for section, base in FAMILIES.items()}
        raise UserError(explain(Complaint.of(message, ex, options, classes)))


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [
        option.removeprefix("--")
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--")
    ]


def class_paths(base: type[Any]) -> Iterator[str]:
    """The import paths of a class and of all that were made from it, but for those that leave something open."""
    yield checkpoint.class_path(base)
    for derived in base.__subclasses__():
        path, *others = class_paths(derived)
        yield from others if _leaves_something_open(derived) else [path, *others]


def _leaves_something_open(kind: type[Any]) -> bool:
    if getattr(kind, "forward", None) is LightningModule.forward:
        return True
    return any(getattr(getattr(kind, name), "__isabstractmethod__", False) for name in dir(kind))


def in_order(words: Sequence[str]) -> list[str]:
    """A checkpoint first, then configurations, then classes, so that every setting finds what it changes.

    >>> in_order(["--data.root", "clips", "--config=a.yaml", "-c", "b.yaml", "--model", "emorec.models.CNN3D"])
    ['--config=a.yaml', '-c', 'b.yaml', '--model', 'emorec.models.CNN3D', '--data.root', 'clips']
    """
    ranked: list[list[str]] = [[] for _ in range(len(_FIRST) + 1)]
    rest = iter(words)
    for word in rest:
        name, _, value = word.partition("=")
        rank = next((rank for rank, names in enumerate(_FIRST) if name in names), len(_FIRST))
        ranked[rank].append(word)
        if rank < len(_FIRST) and not value:
            ranked[rank] += [value for value in [next(rest, None)] if value is not None]
    return [word for group in ranked for word in group]


def refuse_without_effect(words: Sequence[str]) -> None:
    """Stops at a flag that would be accepted and then not be obeyed.

    Raises:
        UserError: When a setting is given that always follows another one.
    """
    for word in words:
        name = word.partition("=")[0].removeprefix("--").replace(".init_args.", ".")
        if word.startswith("--") and name in FOLLOWERS:
            raise UserError(f"--{name} always is what --{FOLLOWERS[name]} is: give that one")
        if word.startswith("--") and name == "model.num_classes":
            raise UserError("--model.num_classes is what the data says it is: leave it out")


def refuse_unreadable_config(words: Sequence[str]) -> None:
    """Looks at the configuration files before anything is made of them.

    Raises:
        UserError: When one is missing, can't be read, is no YAML, or holds no settings.
    """
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        name, equals, value = word.partition("=")
        if name in ("--config", "-c") and (equals or following):
            _read_config(Path(value if equals else following))


def _read_config(path: Path) -> None:
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"can't read the configuration {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is no text"
        raise UserError(f"{path}{place} is no YAML: {problem}") from None
    if not isinstance(settings, dict):
        raise UserError(f"{path} holds no settings such as `model:` and `data:`")
