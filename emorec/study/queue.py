"""The queue of a study's runs in Optuna's storage: a file, or a database that several machines share.

Every run is one trial that waits in the storage; a worker takes one by setting it running, which the storage grants to
one worker alone. (Optuna's grid sampler may hand out the same point to two workers that ask at the same time, as its
documentation says.) A run whose worker died or was stopped is marked failed and waits once more as a new trial, as
Optuna itself does after lost heartbeats.

Several workers may enqueue the same run at the same time. So of all trials of a run the first that has not failed
counts, and a worker that takes a later one drops it. Failed trials stay failed and numbers only grow, so all workers
agree.
"""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from emorec.errors import UserError
from emorec.study.definition import Definition
from emorec.study.locks import JournalLock
from emorec.study.plan import first_difference

RUN = "run"
"""Attribute of a trial: the key of its run."""

ERROR = "error"
"""Attribute of a failed trial: why. One without it was passed on to another worker."""

DROPPED = "dropped"
"""Attribute of a failed trial: its run has an earlier trial."""

METRIC = "figure"
"""Attribute of a trial: what its value is, such as "CCC"; UAR by default."""

FINGERPRINT = "definition"
"""Attribute of a study: everything that decides its results."""

STARTUP_TRIALS = 5
"""Random trials of a search before it stops any early."""

CONNECT_TRIES = 5
"""Attempts to create the tables of a new database, a second apart."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Where a study is stored.

    Attributes:
        optuna: Optuna's storage.
        name: The file or URL, without a password.
        exclusive: Entered while a trial is taken or ended; servers lock a trial's row themselves.
    """

    optuna: BaseStorage
    name: str
    exclusive: AbstractContextManager[object]


def is_url(storage: str) -> bool:
    """Return whether a storage is a database and not a file.

    >>> is_url("postgresql://me@host/studies"), is_url("runs/study.journal")
    (True, False)
    """
    return "://" in storage


def open_storage(storage: str) -> Storage:
    """Open a storage, and create it when it does not exist.

    Args:
        storage: A file, or the URL of a database.

    Raises:
        UserError: When it can't be reached, read or created.
    """
    return _open_database(storage) if is_url(storage) else _open_file(Path(storage).expanduser())


def _open_file(path: Path) -> Storage:
    with storage_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        backend = JournalFileBackend(str(path), lock_obj=JournalLock(path))
        try:
            return Storage(JournalStorage(backend), str(path), nullcontext())
        except (ValueError, KeyError, AttributeError, TypeError):
            raise UserError(f"{path} is not the storage of a study: choose another file") from None


def _open_database(url: str) -> Storage:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    name = "--storage"
    try:
        parsed = make_url(url)
        name = parsed.render_as_string(hide_password=True)
        # SQLite has no row locks: two processes could get the same trial
        file = parsed.database if parsed.get_backend_name() == "sqlite" else None
        exclusive = FileLock(f"{file}.lock") if file else nullcontext()
        with exclusive:
            return Storage(_connect(url), name, exclusive)
    except ArgumentError:
        raise UserError(
            "--storage is not the URL of a database: write postgresql://USER@HOST/NAME"
        ) from None
    except ImportError as error:
        raise UserError(f"--storage {name}: install its driver ({error})") from None
    except (SQLAlchemyError, StorageInternalError, RuntimeError, OSError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise UserError(f"can't reach the storage {name}: {reason}") from None


def _connect(url: str) -> RDBStorage:
    """Return a database with Optuna's tables, which another machine may be creating at this moment."""
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    for _ in range(CONNECT_TRIES):
        with suppress(IntegrityError, ProgrammingError):
            return RDBStorage(url)
        time.sleep(1)
    return RDBStorage(url)


@contextmanager
def storage_errors(storage: str) -> Iterator[None]:
    """Turn an `OSError` of the block, such as of a full disk, into one line for the user.

    Raises:
        UserError: Instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise UserError(
            f"can't write {error.filename or storage}: {error.strerror or error}; nothing is lost: "
            "run the same command again when that is repaired"
        ) from error


class Queue:
    """The runs of a study, handed out one by one.

    Args:
        storage: Where the study is stored.
        definition: The study file.
        fingerprint: Everything that decides its results, see `emorec.study.plan.fingerprint`.
        keys: The keys of its runs, in the order in which they start.

    Raises:
        UserError: When the storage holds another study of that name.
    """

    def __init__(
        self,
        storage: Storage,
        definition: Definition,
        fingerprint: Mapping[str, Any],
        keys: Sequence[str],
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._storage = storage
        self._space = definition.space
        self._seed = definition.seeds[0]
        self._keys = keys
        self.study = optuna.create_study(
            storage=storage.optuna,
            study_name=definition.name,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(
                n_startup_trials=STARTUP_TRIALS, n_warmup_steps=definition.prune_after
            ),
            load_if_exists=True,
        )
        stored = self.study.user_attrs.get(FINGERPRINT)
        if stored is None:
            self.study.set_user_attr(FINGERPRINT, fingerprint)
        elif difference := first_difference(stored, fingerprint):
            raise UserError(
                f"{storage.name} holds another study {definition.name!r}: {difference}; "
                "give the study file another name, choose another --storage, or remove that study"
            )

    def trials(self) -> dict[str, list[FrozenTrial]]:
        """Return the trials of each run, the first one first."""
        by_run: dict[str, list[FrozenTrial]] = {key: [] for key in self._keys}
        for trial in self.study.get_trials(deepcopy=False):
            by_run.setdefault(trial.user_attrs.get(RUN, ""), []).append(trial)
        return {key: by_run[key] for key in self._keys}

    def fill(self, *, retry_failed: bool) -> None:
        """Enqueue every run that has no trial: new ones, and those that were passed on.

        Args:
            retry_failed: Also those that failed.
        """
        for key, trials in self.trials().items():
            if current_trial(trials) is None and (retry_failed or last_error(trials) is None):
                parameters = trials[-1].params if trials else {}
                self.study.enqueue_trial(parameters, user_attrs={RUN: key})

    def waiting(self) -> Iterator[tuple[str, FrozenTrial]]:
        """Return the runs that wait and their trials."""
        for key, trials in self.trials().items():
            trial = current_trial(trials)
            if trial is not None and trial.state is TrialState.WAITING:
                yield key, trial

    def take(self, key: str, waiting: FrozenTrial) -> Trial | None:
        """Take a waiting trial; `None` when another worker has taken it or the run has another trial."""
        with self._storage.exclusive:
            try:
                taken = self._storage.optuna.set_trial_state_values(
                    waiting._trial_id, TrialState.RUNNING
                )
            except UpdateFinishedTrialError:
                return None
        if not taken:
            return None
        first = current_trial(self.trials()[key])
        # as each trial has a seed of its own, a search that was stopped draws what an undisturbed one would
        self.study.sampler = _sampler(self._seed + 1000 * self._keys.index(key))
        trial = Trial(self.study, waiting._trial_id)
        if first is None or first.number != waiting.number:
            trial.set_user_attr(DROPPED, True)
            self._end(waiting.number, TrialState.FAIL)
            return None
        return trial

    def parameters(self, trial: Trial) -> dict[str, Any]:
        """Return what the search chooses for a trial; empty in a grid."""
        return {name: _suggest(trial, name, each) for name, each in self._space.items()}

    def finish(self, trial: Trial, value: float) -> None:
        """Record a run that was completed, with its best validation score."""
        self._end(trial.number, TrialState.COMPLETE, value)

    def prune(self, trial: Trial) -> None:
        """Record a run that the search stopped early."""
        self._end(trial.number, TrialState.PRUNED)

    def fail(self, trial: Trial, error: str) -> None:
        """Record why a run failed."""
        with suppress(UpdateFinishedTrialError):
            trial.set_user_attr(ERROR, error)
            self._end(trial.number, TrialState.FAIL)

    def pass_on(self, number: int) -> None:
        """Give a running trial back; its run waits for another worker."""
        self._end(number, TrialState.FAIL)
        self.fill(retry_failed=False)

    def _end(self, number: int, state: TrialState, value: float | None = None) -> None:
        with self._storage.exclusive:
            try:
                self.study.tell(number, value, state)
            except (ValueError, UpdateFinishedTrialError):
                # another worker took this one for dead and has passed the run on
                if self.study.get_trials(deepcopy=False)[number].state is TrialState.RUNNING:
                    raise


def current_trial(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """Return the trial of a run that counts: the first that has not failed."""
    return next((trial for trial in trials if trial.state is not TrialState.FAIL), None)


def last_error(trials: Sequence[FrozenTrial]) -> str | None:
    """Return why the last attempt at a run failed; `None` when it did not fail."""
    tried = [trial for trial in trials if DROPPED not in trial.user_attrs]
    error: str | None = tried[-1].user_attrs.get(ERROR) if tried else None
    return error


def _sampler(seed: int) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        # settings that others are trying right now count as bad ones, so that workers don't all try the same
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=STARTUP_TRIALS, constant_liar=True
        )


def _suggest(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    choice: Any = distribution
    if isinstance(distribution, FloatDistribution):
        return trial.suggest_float(name, choice.low, choice.high, step=choice.step, log=choice.log)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, choice.low, choice.high, step=choice.step, log=choice.log)
    return trial.suggest_categorical(name, choice.choices)
