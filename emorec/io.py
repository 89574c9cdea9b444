"""Files: written atomically, listed, hashed, and checked for room and permissions beforehand; the cache, the cores."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from emorec.errors import UserError

VALIDATION_LOG = "validation.jsonl"
"""File in a run folder: the validation score of each epoch."""

CSV_METRICS = "metrics.csv"
"""File in a run folder: what a `CSVLogger` logged."""

TRIAL_RECORD = "trial.json"
"""File in the folder of a run of a study: its place in the study."""

FLUSH_SECONDS = 5
"""How far the files of TensorBoard lag behind a run."""

MAX_NAME_BYTES = 255
"""Of a file, in the file systems of Linux, macOS and Windows."""

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class DiskFullError(UserError):
    """The disk is full, or the user's quota is used up; concurrent writers will fail as well."""


def unfinished_path(path: Path) -> Path:
    """Return the hidden file beside a file in which it is written; its name fits wherever the file's own does.

    >>> unfinished_path(Path("runs/best.ckpt")).as_posix()
    'runs/.best.ckpt.unfinished'
    """
    name = f".{path.name}.unfinished"
    if len(os.fsencode(name)) > MAX_NAME_BYTES:
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()}.unfinished"
    return path.with_name(name)


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that takes its name only once it is complete and synced to the disk.

    A full disk, an exception or a kill in between leaves the former file as it was. Single writer at a time.

    Raises:
        OSError: When the folder or the file can't be written.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp(), "new", "numbers.txt")
    >>> with atomic_write(target) as file:
    ...     _ = file.write(b"1 2 3")
    >>> target.read_text()
    '1 2 3'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = unfinished_path(path)
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(content: Any, path: Path, **options: Any) -> None:
    """Write plain values as indented JSON, atomically; `options` are those of `json.dumps`.

    Raises:
        OSError: When it can't be written.
        ValueError: When the content can't be JSON.
    """
    text = json.dumps(content, indent=2, **options)
    with atomic_write(path) as file:
        # names that are not valid UTF-8 are escaped as JSON does
        file.write(f"{text}\n".encode(errors="backslashreplace"))


def list_files(folder: Path, on_error: Callable[[OSError], None] | None = None) -> list[Path]:
    """Return all files below a folder, sorted folder by folder, without hidden ones; links are followed.

    A folder that several links lead to is listed once, so that circular links do no harm.

    Args:
        folder: The root.
        on_error: Called with the error of a folder that can't be read; by default such a folder is passed over.

    >>> import tempfile
    >>> top = Path(tempfile.mkdtemp(), "top")
    >>> for path in (top / "a" / "1.mp4", top / ".hidden" / "2.mp4"):
    ...     path.parent.mkdir(parents=True)
    ...     path.touch()
    >>> (top / "a" / "again").symlink_to(top)
    >>> [path.relative_to(top).as_posix() for path in list_files(top)]
    ['a/1.mp4']
    """
    files: list[Path] = []
    visited: set[str] = set()
    for current, folders, names in os.walk(folder, onerror=on_error, followlinks=True):
        if (real := os.path.realpath(current)) in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += (Path(current, name) for name in sorted(names) if not name.startswith("."))
    return files


def is_file(path: Path) -> bool:
    """Return whether a path is a file; unlike `Path.is_file`, also of a name too long for the file system.

    >>> is_file(Path("a" * 1000))
    False
    """
    return os.path.isfile(path)  # noqa: PTH113


def raise_unreadable(error: OSError) -> None:
    """Refuse an unreadable folder: the `on_error` of `list_files` where every file counts.

    Raises:
        UserError: Always.
    """
    raise UserError(f"can't read {error.filename}: {error.strerror} (change its permissions)")


def sha256(path: Path) -> str:
    """Return the SHA-256 digest of a file, 64 hexadecimal digits.

    Raises:
        OSError: When it can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_identity(path: Path) -> dict[str, float]:
    """Return what changes when a file is written anew: its size in bytes and its time of modification.

    The time is in seconds since 1970.

    Raises:
        OSError: When the file does not exist.
    """
    status = path.stat()
    return {"bytes": status.st_size, "modified": status.st_mtime}


def num_cores() -> int:
    """Return the cores that this process may use: fewer than there are in a container or under a batch system."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cache_folder() -> Path:
    """Return `EMOREC_CACHE`, else `emorec` in the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`).

    >>> os.environ["EMOREC_CACHE"] = "/fast/disk"
    >>> cache_folder().as_posix()
    '/fast/disk'
    >>> del os.environ["EMOREC_CACHE"]
    """
    chosen = os.environ.get("EMOREC_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "emorec")
    except RuntimeError:  # a container whose user has no home
        return Path(tempfile.gettempdir(), "emorec")


def free_bytes(folder: Path) -> int:
    """Return the free disk space where a folder lies or will lie.

    Raises:
        OSError: When no part of the path exists, as with a disk that is not mounted.

    >>> free_bytes(Path.cwd() / "not" / "made" / "yet") > 0
    True
    """
    return shutil.disk_usage(existing_parent(folder)).free


def existing_parent(path: Path) -> Path:
    """Return the path itself, or the closest parent that exists."""
    path = path.absolute()
    return next((parent for parent in (path, *path.parents) if parent.exists()), path)


def check_writable(path: Path, option: str) -> None:
    """Refuse a file or folder that could not be written, before the work whose result it will hold.

    Args:
        path: What will be written; parents that don't exist yet will be made.
        option: The flag that names another place, such as `--out`.

    Raises:
        UserError: When the closest existing parent is not a folder or may not be written to.
    """
    parent = existing_parent(path if path.is_dir() else path.parent)
    if not parent.is_dir():
        raise UserError(
            f"can't write {path}: {parent} is not a folder; choose another with {option}"
        )
    if not os.access(parent, os.W_OK):
        raise UserError(
            f"can't write {path}: no permission to write to {parent}; choose another with {option}"
        )


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into one line for the user.

    Args:
        place: The file or folder to name where the error names none.

    Raises:
        DiskFullError: When the disk is full or the user's quota is used up.
        UserError: When a file can't be read or written for another reason.
    """
    try:
        yield
    except OSError as error:
        where = error.filename or place
        if error.errno in DISK_FULL:
            raise DiskFullError(
                f"the disk is full: can't write {where}; make room and run the same command again"
            ) from error
        raise UserError(
            f"can't use {where}: {error.strerror or error} (choose another folder or repair it)"
        ) from error


def read_yaml(path: Path, kind: str) -> Any:
    """Return the content of a YAML file.

    Args:
        path: The file.
        kind: What it should be, such as "config", for the error message.

    Raises:
        UserError: When it can't be read, or is not valid YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"can't read the {kind} {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not a text file"
        raise UserError(f"{path}{line} is not valid YAML: {problem}") from None
