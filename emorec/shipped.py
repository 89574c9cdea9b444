"""The experiments and studies that come with emorec, found by name."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from emorec.errors import UserError
from emorec.text import did_you_mean

CONFIG_FLAGS = ("--config", "-c")


class ShippedConfig(NamedTuple):
    """An experiment, or a study of several.

    Attributes:
        name: By which `--config`, or `emorec study`, takes it.
        path: Its file.
        summary: What it is, in a sentence.
    """

    name: str
    path: Path
    summary: str


def config_folder() -> Path:
    """Return the folder of the shipped configs: in the installed package, or beside it in a clone."""
    package = Path(__file__).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def list_configs() -> list[ShippedConfig]:
    """Return the shipped experiments, sorted by name."""
    return [ShippedConfig(name, path, _summary(path)) for name, path in _experiments().items()]


def list_studies() -> list[ShippedConfig]:
    """Return the shipped studies, sorted by name."""
    return [ShippedConfig(name, path, _summary(path)) for name, path in _studies().items()]


def find_config(name: str) -> Path:
    """Return the path of an experiment: a path is taken as it is, a name is that of a shipped one.

    Args:
        name: A path, or a name without a suffix.

    Raises:
        UserError: When there is neither such a file nor such a name.

    >>> find_config("cnn_lstm").name, find_config("my/own.yaml").as_posix()
    ('cnn_lstm.yaml', 'my/own.yaml')
    """
    return _find(name, _experiments)


def find_study(name: str) -> Path:
    """Return the path of a study, see `find_config`.

    Raises:
        UserError: When there is neither such a file nor such a name.
    """
    return _find(name, _studies)


def _experiments() -> dict[str, Path]:
    return _by_name(config_folder(), ("*.yaml", "pretrained/*.yaml", "seed/*.yaml"))


def _studies() -> dict[str, Path]:
    return _by_name(config_folder() / "studies", ("*.yaml",))


def _by_name(folder: Path, patterns: Sequence[str]) -> dict[str, Path]:
    """Name -> path of the configs in a folder, sorted."""
    paths = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}


def _find(name: str, shipped: Callable[[], Mapping[str, Path]]) -> Path:
    path = Path(name).expanduser()
    if path.suffix or path.exists():
        return path
    configs = shipped()
    if name not in configs:
        raise UserError(
            f"no config {name}{did_you_mean(name, configs)}: name a file, or one of those that emorec configs lists"
        )
    return configs[name]


def with_config_paths(arguments: Sequence[str]) -> list[str]:
    """Return the flags of an experiment with paths in place of the names of shipped configs.

    Raises:
        UserError: When there is neither such a file nor such a name.

    >>> [Path(each).name for each in with_config_paths(["--config", "cnn_lstm", "--data.root", "cnn_lstm"])]
    ['--config', 'cnn_lstm.yaml', '--data.root', 'cnn_lstm']
    """
    paths = []
    flag = ""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if flag in CONFIG_FLAGS:
            paths.append(str(find_config(argument)))
        elif name in CONFIG_FLAGS and equals:
            paths.append(f"{name}={find_config(value)}")
        else:
            paths.append(argument)
        flag = argument
    return paths


def _summary(path: Path) -> str:
    """The first sentence of the comment below the command in the first line."""
    _, *lines = path.read_text(encoding="utf-8").splitlines()
    comment = []
    for line in lines:
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    sentence, end, _ = re.sub(r"\s+", " ", " ".join(comment)).partition(". ")
    return f"{sentence}." if end else sentence
