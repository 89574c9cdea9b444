"""What a checkpoint says about its own model and data, read without running anything that it holds."""

import importlib
import pickle
import platform
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import LightningDataModule, LightningModule
from typing_extensions import override

from emorec import __version__
from emorec.errors import UserError
from emorec.files import whole_file

RECORD = "emorec"
"""The checkpoint's section that this package writes; the others are Lightning's."""


RETIRED_DATA_ARGUMENTS = frozenset({"resident", "augment_on"})
"""Arguments of data modules that checkpoints of older versions hold and that no longer exist."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint's own account of what it is.

    Attributes:
        path: The file.
        model: The network's `class_path` and `init_args`.
        data: The data module's `class_path` and `init_args`.
        settings: The other settings of its run (`trainer`, `seed_everything`, ...), empty for a run from Python.
        class_names: The K classes in label order.
        split: Who trained, validated and was to test (see `ClipDataModule.split_record`).
        epochs: Finished epochs.
        train_seconds: Time spent on them.
        train_clips_per_second: Training clips a second, loading included and validation not.
        peak_memory_bytes: The most that the training's first process took, of the GPU's memory where it had one.
        trained_on: What that device is called.
        temperatures: Views of a clip -> what the logits are divided by when so many are averaged, fitted on the
            validation clips. Empty when nobody fitted one, as in checkpoints of older versions.
        clip_seconds: How long its training clips were, their median.
        environment: What wrote it: package -> version, and the system.
    """

    path: Path
    model: dict[str, Any]
    data: dict[str, Any]
    settings: dict[str, Any]
    class_names: tuple[str, ...]
    split: dict[str, Any]
    epochs: int
    train_seconds: float
    train_clips_per_second: float | None = None
    peak_memory_bytes: int | None = None
    trained_on: str | None = None
    temperatures: Mapping[int, float] = field(default_factory=dict)
    clip_seconds: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def run_folder(self) -> Path:
        """The run's folder, or the folder the file was moved to."""
        folder = self.path.absolute().parent
        return folder.parent if folder.name == "checkpoints" else folder


def class_path(cls: type) -> str:
    """The shortest import path of a class, so that files can move without breaking checkpoints.

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


def imported(said: Checkpoint, path: str) -> Any:
    """The class that a checkpoint names.

    Args:
        said: The checkpoint.
        path: The import path of its network's or its data module's class.

    Raises:
        UserError: When it can't be imported.
    """
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        raise UserError(
            f"{said.path} is made of {path}, which can't be imported: run where its file lies"
        ) from None


def record(
    model: LightningModule,
    data: LightningDataModule,
    *,
    settings: Mapping[str, Any],
    class_names: tuple[str, ...],
    split: Mapping[str, Any],
    epochs: int,
    train_seconds: float,
    train_clips_per_second: float | None,
    peak_memory_bytes: int | None,
    trained_on: str,
    temperatures: Mapping[int, float],
    clip_seconds: float | None,
) -> dict[str, Any]:
    """The section a run writes into its checkpoints: plain values, so that `weights_only` reading takes them."""
    return {
        "version": __version__,
        "environment": environment(),
        "model": class_path(type(model)),
        "data": class_path(type(data)),
        "settings": dict(settings),
        "class_names": list(class_names),
        "split": dict(split),
        "epochs": epochs,
        "train_seconds": train_seconds,
        "train_clips_per_second": train_clips_per_second,
        "peak_memory_bytes": peak_memory_bytes,
        "trained_on": trained_on,
        "temperatures": dict(temperatures),
        "clip_seconds": clip_seconds,
    }


def environment() -> dict[str, str]:
    """What a run is made by: Python, torch, Lightning and the kind of system, each with its version.

    >>> sorted(environment())
    ['lightning', 'python', 'system', 'torch', 'torchvision']
    """
    packages = {name: version(name) for name in ("lightning", "torch", "torchvision")}
    system = f"{platform.system()} {platform.machine()}"
    return {"python": platform.python_version(), "system": system, **packages}


def read(path: str | Path) -> Checkpoint:
    """What a checkpoint file says of itself.

    Raises:
        UserError: When there is no such file, it is cut off, it is no checkpoint of emorec, or it holds Python
            objects that would have to be run.
    """
    path = Path(path).expanduser()
    content = load(
        path, mmap=True
    )  # the weights stay on the disk: only what is said of them is wanted
    said = content.get(RECORD)
    missing = {"state_dict", "hyper_parameters", "datamodule_hyper_parameters"} - content.keys()
    if missing or not isinstance(said, dict):
        raise UserError(
            f"{path} is no checkpoint of emorec: it holds no {', '.join(sorted(missing)) or RECORD}"
        )
    try:
        return Checkpoint(
            path=path,
            model={"class_path": said["model"], "init_args": dict(content["hyper_parameters"])},
            data={
                "class_path": said["data"],
                "init_args": {
                    name: value
                    for name, value in content["datamodule_hyper_parameters"].items()
                    if name not in RETIRED_DATA_ARGUMENTS
                },
            },
            settings=said["settings"],
            class_names=tuple(said["class_names"]),
            split=said["split"],
            epochs=said["epochs"],
            train_seconds=said["train_seconds"],
            # what older versions did not say
            train_clips_per_second=said.get("train_clips_per_second"),
            peak_memory_bytes=said.get("peak_memory_bytes"),
            trained_on=said.get("trained_on"),
            temperatures=said.get("temperatures", {}),
            clip_seconds=said.get("clip_seconds"),
            environment={"emorec": said["version"], **said.get("environment", {})},
        )
    except KeyError as missing:
        raise UserError(
            f"{path} was written by emorec {said.get('version')}, this is {__version__}: it says no {missing}"
        ) from None


def load(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """The content of a checkpoint file: tensors and plain values, on the CPU, nothing run.

    Args:
        path: The file.
        mmap: Leave the tensors on the disk until they are used.

    Raises:
        UserError: When the file is missing, unreadable, cut off, no checkpoint, or would run code.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the file, such as {path / 'best.ckpt'}")
    unusable = f"{path} is cut off or no checkpoint: use another one, such as last.ckpt"
    try:
        # what torch writes is a zip archive, and its end comes last
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
            f"{path} holds Python objects that would have to be run; "
            "only tensors and plain values are loaded"
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError):
        raise UserError(unusable) from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is no checkpoint of emorec: it holds a {type(content).__name__}")
    return content


def refuse_other_network(said: Checkpoint, model: LightningModule) -> None:
    """Stops when the flags ask for another network than the one in the checkpoint.

    Raises:
        UserError: When the class or an argument differs; it would be ignored or could not be filled.
    """
    asked = class_path(type(model))
    if asked != said.model["class_path"]:
        raise UserError(
            f"{said.path} holds {said.model['class_path']}, not {asked}: leave that out"
        )
    for name, value in said.model["init_args"].items():
        if model.hparams[name] != value:
            raise UserError(
                f"{said.path} holds a network with {name} {value}, not {model.hparams[name]}: "
                "what a checkpoint says of its network can't be changed, leave that out"
            )


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, to the disk, and only then takes the old file's place.

    A full disk or a kill while writing leaves the former checkpoint as it was.
    """

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        target = Path(path)
        try:
            with whole_file(target) as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:
            # torch's zip writer turns a failed write into a RuntimeError
            kept = "; the former one is kept" if target.exists() else ""
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise UserError(
                f"can't write {target}: {reason}{kept}; make room or choose another folder"
            ) from error

    @override
    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return load(Path(path))


def keep_temperature(path: Path, num_views: int, temperature: float) -> None:
    """Adds a temperature to a checkpoint file, whole or not at all; the rest of it stays as it is.

    Raises:
        UserError: When the file can't be read or written.
    """
    content = load(path)
    said = content[RECORD]
    said["temperatures"] = {**said.get("temperatures", {}), num_views: temperature}
    AtomicCheckpointIO().save_checkpoint(content, path)
