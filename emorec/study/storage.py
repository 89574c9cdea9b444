"""Where a study is kept: a file, or a database that several machines reach."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from typing_extensions import override

from emorec.errors import UserError

if TYPE_CHECKING:
    from filelock import BaseFileLock

FILE = "study.journal"

DRIVERS = {
    "psycopg": "'psycopg[binary]'",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
}
"""Module -> what pip calls it."""

TRIES = 5
"""How often the tables of a new database are asked for, a second apart."""


@dataclass(frozen=True, slots=True)
class Place:
    """A storage and what belongs to it.

    Attributes:
        storage: Optuna's.
        shown: The place as people name it, without a password.
        alone: Entered where nobody else may change the storage; servers lock a trial's row by themselves.
    """

    storage: BaseStorage
    shown: str
    alone: AbstractContextManager[object]


def is_url(place: str) -> bool:
    """Whether it names a database.

    >>> is_url("postgresql://me@host/studies"), is_url("runs/study.journal")
    (True, False)
    """
    return "://" in place


def open_storage(place: str) -> Place:
    """The storage at a place, made when it is not there.

    Args:
        place: A file, or the URL of a database.

    Raises:
        UserError: When it can't be reached, read or made.
    """
    return _database(place) if is_url(place) else _file(Path(place).expanduser())


def _file(path: Path) -> Place:
    with explained_storage(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        backend = JournalFileBackend(str(path), lock_obj=WholeLinesLock(path))
        try:
            return Place(JournalStorage(backend), str(path), nullcontext())
        except (ValueError, KeyError, AttributeError, TypeError):
            raise UserError(f"{path} is no storage of a study: name another file") from None


def _database(url: str) -> Place:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    shown = "--storage"
    try:
        parsed = make_url(url)
        shown = parsed.render_as_string(hide_password=True)
        # SQLite knows no locks of rows: of two processes both would be given the same trial
        file = parsed.database if parsed.get_backend_name() == "sqlite" else None
        alone = FileLock(f"{file}.lock") if file else nullcontext()
        with alone:
            return Place(_with_tables(url), shown, alone)
    except ArgumentError:
        raise UserError(
            "--storage: no URL of a database: write postgresql://USER@HOST/NAME"
        ) from None
    except ImportError as error:
        raise UserError(f"--storage {shown}: its driver is missing: {_install(error)}") from None
    except (SQLAlchemyError, StorageInternalError, RuntimeError, OSError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise UserError(f"can't reach the storage {shown}: {reason}") from None


def _install(error: ImportError) -> str:
    """The command that brings a driver: Optuna wraps what SQLAlchemy could not import."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ModuleNotFoundError):
        cause = cause.__cause__ or cause.__context__
    module = (cause.name if cause else None) or "the driver that SQLAlchemy names for it"
    return f"pip install {DRIVERS.get(module, module)}"


def _with_tables(url: str) -> RDBStorage:
    """A database with Optuna's tables in it; another machine may be making them at this moment."""
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    for _ in range(TRIES):
        with suppress(IntegrityError, ProgrammingError):
            return RDBStorage(url)
        time.sleep(1)
    return RDBStorage(url)


def study_names(place: Place) -> list[str]:
    """The studies of a storage."""
    return [study.study_name for study in place.storage.get_all_studies()]


class WholeLinesLock(JournalFileOpenLock):
    """A lock of a journal that a kill sets free at once; whoever takes it first mends the journal's end.

    Optuna's own locks are files, which a kill leaves behind: half a minute of waiting. And a full disk or a power cut
    may leave half a line, which would spoil what is written after it.

    Args:
        path: The journal.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._lock: BaseFileLock = FileLock(path.with_name(f".{path.name}.lock"))

    @override
    def acquire(self) -> bool:
        self._lock.acquire()
        try:
            cut_to_whole_lines(self._path)
        except BaseException:
            self._lock.release()
            raise
        return True

    @override
    def release(self) -> None:
        self._lock.release()


def cut_to_whole_lines(path: Path) -> None:
    """Removes what stands after the last line break of a file.

    Raises:
        OSError: When the file can't be read or written.
    """
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        if end == 0:
            return
        file.seek(end - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


@contextmanager
def explained_storage(shown: str) -> Iterator[None]:
    """Within it, a disk that is full or may not be written is a user's mistake.

    Raises:
        UserError: Instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise UserError(
            f"can't write {error.filename or shown}: {error.strerror or error}; nothing is lost: "
            "the same command goes on when that is mended"
        ) from error
