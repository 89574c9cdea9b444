"""What a checkpoint records of its run, read without executing anything in it; its plain form, tensors beside JSON.

Importing torch takes seconds, and the record of the plain form needs none of it.
"""

import hashlib
import importlib
import json
import pickle
import platform
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from emorec import __version__, hub, pretrained
from emorec.errors import UserError
from emorec.io import atomic_write, sha256
from emorec.pretrained import BUILT_IN, is_built_in, weights_file
from emorec.text import did_you_mean, plural

RECORD = "emorec"
"""The section of a checkpoint that this package writes; the others are Lightning's."""

PLAIN_SUFFIX = ".safetensors"
"""Of a file of tensors; a JSON file of the same name has the other sections of the checkpoint."""

PLAIN_SECTIONS = (
    "hyper_parameters",
    "datamodule_hyper_parameters",
    "pytorch-lightning_version",
    RECORD,
)

OF_A_MACHINE = {
    "datamodule_hyper_parameters": ("root", "cache", "num_workers"),
    "trainer": ("logger", "default_root_dir"),
}
"""Section -> its settings that say nothing about a network: the plain form leaves them out."""

MODEL_ARGUMENTS = ("embedding", "sound_embedding")
"""Arguments that may be the name of a speech model, or its folder."""

PATH_ARGUMENTS = ("root", "cache", "weights", "features", "face_detector")
"""Arguments that may be paths of a private machine; the plain form and cards have their last part only."""

RETIRED_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "datamodule_hyper_parameters": ("resident", "augment_on"),
}
"""Arguments of data modules that no longer exist: dropped from older checkpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """What a training records in its checkpoints.

    Attributes:
        settings: Settings of the run besides model and data (`trainer`, `seed_everything`, ...); empty from Python.
        class_names: The K classes in label order.
        split: Training, validation and test people (see `ClipDataModule.split_record`).
        epochs: Finished epochs.
        train_seconds: Time spent on them.
        train_clips_per_second: Training clips a second, loading included and validation excluded.
        peak_memory_bytes: Peak memory of the first training process; GPU memory where it had one.
        trained_on: Name of that device.
        temperatures: Number of test-time views -> temperature of the logits averaged over them, fitted on the
            validation clips.
        clip_seconds: Median duration of the training clips.
        network: Size and input of the network, see `emorec.models.flops.network_record`; empty in older checkpoints.
    """

    settings: Mapping[str, Any]
    class_names: tuple[str, ...]
    split: Mapping[str, Any]
    epochs: int
    train_seconds: float
    train_clips_per_second: float | None = None
    peak_memory_bytes: int | None = None
    trained_on: str | None = None
    temperatures: Mapping[int, float] = field(default_factory=dict)
    clip_seconds: float | None = None
    network: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint(TrainingRecord):
    """A checkpoint file: its network, its data, and the record of its training.

    Attributes:
        path: The file.
        model: The network's `class_path` and `init_args`.
        data: The data module's `class_path` and `init_args`.
        environment: Package -> version of the training, and the system.
        address: Where the file was fetched from, with the commit; `None` for a file of this machine.
    """

    path: Path
    model: dict[str, Any]
    data: dict[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)
    address: hub.Address | None = None

    @property
    def is_built_in(self) -> bool:
        """Whether the network comes with the package."""
        return self.path.parent == Path(pretrained.__file__).parent

    @property
    def is_shared(self) -> bool:
        """Whether the file is that of a package or of the Hub's cache, in whose folder nothing may be written."""
        return self.is_built_in or self.address is not None

    @property
    def name(self) -> str:
        """What `--ckpt` takes: the path, the address, or the name of a built-in network."""
        return self.path.stem if self.is_built_in else str(self.address or self.path)

    @property
    def run_folder(self) -> Path:
        """The folder of the run, or the one that the file was moved to; of a shared network one of its name here."""
        if self.is_shared:
            return Path.cwd() / (self.address.name if self.address else self.path.stem)
        folder = self.path.absolute().parent
        return folder.parent if folder.name == "checkpoints" else folder

    def import_class(self, section: Literal["model", "data"]) -> Any:
        """Import the class of the network or of the data module.

        Raises:
            UserError: When it can't be imported.
        """
        class_path = getattr(self, section)["class_path"]
        try:
            return import_class(class_path)
        except ImportError:
            raise UserError(
                f"{self.path} needs {class_path}, which can't be imported: run in the folder of its file"
            ) from None


def class_path(cls: type) -> str:
    """Return the shortest import path of a class, so that files can move without breaking checkpoints.

    >>> from lightning.pytorch import Trainer
    >>> class_path(Trainer)
    'lightning.Trainer'
    """
    parts = cls.__module__.split(".")
    for length in range(1, len(parts)):
        package = ".".join(parts[:length])
        if getattr(importlib.import_module(package), cls.__name__, None) is cls:
            return f"{package}.{cls.__name__}"
    return f"{cls.__module__}.{cls.__name__}"


def import_class(path: str) -> Any:
    """Return the class of an import path.

    Raises:
        ImportError: When there is no such class.

    >>> import_class("lightning.Trainer").__name__
    'Trainer'
    """
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (AttributeError, ValueError) as error:
        raise ImportError(f"no class {path}") from error


def record(model: type, data: type, training: TrainingRecord) -> dict[str, Any]:
    """Return the section that a run writes into its checkpoints: plain values, as `weights_only` loading needs.

    Args:
        model: Class of the network.
        data: Class of the data module.
        training: The record of the training.
    """
    return {
        "version": __version__,
        "environment": environment(),
        "model": class_path(model),
        "data": class_path(data),
        **asdict(training),
        "class_names": list(training.class_names),
    }


def environment() -> dict[str, str]:
    """Return the versions of Python, torch, torchvision and Lightning, and the system.

    >>> sorted(environment())
    ['lightning', 'python', 'system', 'torch', 'torchvision']
    """
    packages = {name: version(name) for name in ("lightning", "torch", "torchvision")}
    system = f"{platform.system()} {platform.machine()}"
    return {"python": platform.python_version(), "system": system, **packages}


def read(path: str | Path) -> Checkpoint:
    """Return what a checkpoint file records of itself; its weights stay on the disk.

    Args:
        path: The file, the folder of a run, for its best checkpoint, or the address of a network on the Hub.

    Raises:
        UserError: When there is no such file, it is truncated, it is not a checkpoint of emorec, or it holds Python
            objects.
    """
    address, path = hub.parse_address(path), find_file(path)
    if address:
        address = address._replace(revision=path.parent.name)
    is_plain = path.suffix == PLAIN_SUFFIX
    content = _load_plain(path, names_only=True) if is_plain else load(path, mmap=True)
    section = content.get(RECORD)
    missing = {"state_dict", "hyper_parameters", "datamodule_hyper_parameters"} - content.keys()
    if missing or not isinstance(section, dict):
        raise UserError(
            f"{path} is not a checkpoint of emorec: it has no {', '.join(sorted(missing)) or RECORD}"
        )
    names = {each.name for each in fields(TrainingRecord)}
    try:
        training = {name: value for name, value in section.items() if name in names}
        return Checkpoint(
            path=path,
            model={"class_path": section["model"], "init_args": content["hyper_parameters"]},
            data={
                "class_path": section["data"],
                "init_args": content["datamodule_hyper_parameters"],
            },
            environment={"emorec": section["version"], **section["environment"]},
            address=address,
            **{**training, "class_names": tuple(section["class_names"])},
        )
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} was written by emorec {section.get('version')}, this is {__version__}: incomplete record ({error})"
        ) from None


def find_file(path: str | Path) -> Path:
    """Return a checkpoint's file: what is not a folder itself, and of a run's folder the best checkpoint.

    A file wins over the name of a built-in network. A network of the Hub is fetched; a folder of such files is taken.

    Raises:
        UserError: When a folder has no best checkpoint, a file does not exist, or a network can't be fetched.
    """
    if address := hub.parse_address(path):
        return hub.fetch(address)
    path = Path(path).expanduser()
    if is_built_in(path):
        weights_file(f"{path}.json")
        return weights_file(f"{path}{PLAIN_SUFFIX}")
    if path.is_dir():
        folders = (path, path / "checkpoints")
        files = [folder / name for name in ("best.ckpt", "last.ckpt") for folder in folders]
        file = next((file for file in files if file.is_file()), None)
        if file is not None and file.name == "best.ckpt":
            return file
        if (path / hub.RECORD).is_file() and (path / hub.WEIGHTS).is_file():
            return path / hub.WEIGHTS
        missing = f"{path} is a folder without best.ckpt"
    elif path.exists():
        return path
    else:
        missing = f"no such checkpoint: {path}{did_you_mean(str(path), BUILT_IN)}"
        file = path.with_name("last.ckpt")
    if file is not None and file.is_file():
        raise UserError(
            f"{missing}: the run has no best epoch so far; it goes on with emorec fit --ckpt {file}"
        )
    runs = sorted(path.glob("**/checkpoints/best.ckpt"))
    if runs:
        raise UserError(
            f"{missing}, but of {plural(len(runs), 'run')}: name one, such as {runs[0]}"
        )
    if path.is_dir():
        missing += ": it is not the folder of a run, or the run ended before its first epoch did"
    raise UserError(missing)


def load(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """Load a checkpoint file on the CPU with `weights_only=True`, without its retired arguments; or its plain form.

    Args:
        path: The file, or that of the tensors.
        mmap: Leave the tensors on the disk until they are used.

    Raises:
        UserError: When the file is missing, unreadable, truncated, not a checkpoint, or holds Python objects.
    """
    if path.suffix == PLAIN_SUFFIX:
        return _load_plain(path)
    import torch

    unusable = f"{path} is truncated or not a checkpoint: use another one, such as last.ckpt"
    try:
        # torch writes a zip archive, whose directory comes last
        if not zipfile.is_zipfile(path):
            path.open("rb").close()
            raise UserError(unusable)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except FileNotFoundError:
        raise UserError(f"no such checkpoint: {path}") from None
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from None
    except pickle.UnpicklingError:
        raise UserError(
            f"{path} holds Python objects, which are never executed: only tensors and plain values are loaded"
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError):
        raise UserError(unusable) from None
    if not isinstance(content, dict):
        raise UserError(
            f"{path} is not a checkpoint of emorec: it holds a {type(content).__name__}"
        )
    for section, names in RETIRED_ARGUMENTS.items():
        for name in names:
            content.get(section, {}).pop(name, None)
    return content


def _load_plain(path: Path, *, names_only: bool = False) -> dict[str, Any]:
    """Load what `save_plain` wrote.

    Args:
        path: Of the tensors.
        names_only: Leave the tensors on the disk: `None` in place of each, without importing torch.

    Raises:
        UserError: When one of the files is missing or unreadable, or they belong to something else.
    """
    from safetensors import SafetensorError, safe_open

    record = path.with_suffix(".json")
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        digest = content.pop(hub.DIGEST, None)  # older ones have none
        # JSON has texts for keys
        temperatures = content[RECORD].get("temperatures", {})
        content[RECORD]["temperatures"] = {int(views): it for views, it in temperatures.items()}
        state_dict: dict[str, Any]
        if names_only:
            with safe_open(path, framework="numpy") as file:
                state_dict = dict.fromkeys(file.keys())
        else:
            from safetensors.torch import load_file

            state_dict = load_file(path)
    except FileNotFoundError as error:
        raise UserError(f"no such file: {error.filename or path}") from None
    except OSError as error:
        raise UserError(f"can't read {error.filename or path}: {error.strerror}") from None
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{path} or {record} is truncated, or was not written by emorec export --format safetensors"
        ) from None
    if digest is not None and sha256(path) != digest:
        raise UserError(
            f"{path} is damaged, or not the one that {record} is about: its SHA-256 is another"
        )
    return {**content, "state_dict": state_dict}


def save_plain(content: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint as tensors beside JSON, without the state of its training and the folders of its machine.

    Args:
        content: Of the checkpoint file.
        path: Of the tensors, ending in `PLAIN_SUFFIX`; the JSON file lies beside it.

    Raises:
        UserError: When a file can't be written.
    """
    from safetensors.torch import save as to_bytes

    sections = without_folders({name: content[name] for name in PLAIN_SECTIONS if name in content})
    settings = sections[RECORD].get("settings", {})
    for section, where in (("datamodule_hyper_parameters", sections), ("trainer", settings)):
        for name in OF_A_MACHINE[section]:
            where.get(section, {}).pop(name, None)
    tensors = to_bytes({name: it.contiguous() for name, it in content["state_dict"].items()})
    sections[hub.DIGEST] = hashlib.sha256(tensors).hexdigest()
    record = json.dumps(sections, indent=1, sort_keys=True) + "\n"
    for file_path, data in ((path, tensors), (path.with_suffix(".json"), record.encode())):
        try:
            with atomic_write(file_path) as file:
                file.write(data)
        except OSError as error:
            raise UserError(f"can't write {file_path}: {error.strerror}") from error


def without_folders(value: Any, name: str = "") -> Any:
    """Return plain values with the last part of paths alone: their folders tell of a person and not of a network.

    The folder of a speech model, without which a network does not run, stays.

    Args:
        value: A value, or mappings and lists of them.
        name: The setting that has it.

    >>> without_folders({"weights": "../ann/a.pth", "callbacks": [{"dirpath": "/home/ann/runs"}], "lr": 0.1})
    {'weights': 'a.pth', 'callbacks': [{'dirpath': 'runs'}], 'lr': 0.1}
    """
    if isinstance(value, Mapping):
        return {key: without_folders(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(each, name) for each in value]
    is_path = isinstance(value, str) and (
        name in PATH_ARGUMENTS
        or (name not in MODEL_ARGUMENTS and re.match(r"[/\\~]|[A-Za-z]:[/\\]", value))
    )
    return value.replace("\\", "/").rstrip("/").rpartition("/")[2] if is_path else value


def save(content: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint file atomically: a full disk or a kill leaves the former one as it was.

    Raises:
        UserError: When it can't be written.
    """
    import torch

    try:
        with atomic_write(path) as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:
        # torch's zip writer turns a failed write into a RuntimeError
        kept = "; the former one is kept" if path.exists() else ""
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UserError(
            f"can't write {path}: {reason}{kept}; make room or choose another folder"
        ) from error


def add_temperature(path: Path, num_views: int, temperature: float) -> None:
    """Add the temperature for a number of views to a checkpoint file, atomically.

    Raises:
        UserError: When the file can't be read or written.
    """
    content = load(path)
    section = content[RECORD]
    section["temperatures"] = {**section.get("temperatures", {}), num_views: temperature}
    (save_plain if path.suffix == PLAIN_SUFFIX else save)(content, path)


def check_same_network(checkpoint: Checkpoint, model: Any, *, resumed: bool = False) -> None:
    """Refuse flags that ask for another network than the one in the checkpoint.

    Args:
        checkpoint: The checkpoint.
        model: The network made from the checkpoint's settings and the flags.
        resumed: Whether its training is resumed, which may change the learning rate.

    Raises:
        UserError: When the class or an argument differs.
    """
    requested = class_path(type(model))
    if requested != checkpoint.model["class_path"]:
        raise UserError(
            f"{checkpoint.path} holds {checkpoint.model['class_path']}, not {requested}: leave that out"
        )
    for name, value in checkpoint.model["init_args"].items():
        # JSON knows no tuples
        if _with_lists(model.hparams[name]) != _with_lists(value) and not (
            resumed and name == "lr"
        ):
            raise UserError(
                f"{checkpoint.path} holds a network with {name} {value}, not {model.hparams[name]}: "
                "arguments of a trained network can't be changed, leave that out"
            )


def _with_lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _with_lists(each) for name, each in value.items()}
    return [_with_lists(each) for each in value] if isinstance(value, list | tuple) else value
