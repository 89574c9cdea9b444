"""Workers take runs from the queue of a study, `jobs` at a time, until the study is done.

A run is `emorec fit`, then `emorec test`, each in a process of its own that writes into the run's `run.log`.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Self

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import Trial, TrialState

from emorec.errors import UserError
from emorec.io import TRIAL_RECORD, write_json
from emorec.study.definition import Settings
from emorec.study.locks import HEARTBEAT_SECONDS, FolderLock, Heartbeats, machine_id
from emorec.study.plan import PlannedRun, command_line
from emorec.study.progress import ProgressTable, heartbeat, read_epochs, rows_of
from emorec.study.queue import METRIC, Queue, current_trial

PROGRAM: tuple[str, ...] = (sys.executable, "-m", "emorec")


LOG = "run.log"

MAX_ERROR_LENGTH = 300
"""Characters of an error that is recorded."""

POLL_SECONDS = 0.1

SYNC_SECONDS = 2.0
"""Between two reads of what other workers did."""

OUTAGE_SECONDS = 600.0
"""How long a database may be out of reach while runs continue."""

STOP_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class StopSignals:
    """Counts Ctrl-C, a cluster's SIGTERM and a closed terminal, so that nothing is left half written.

    Attributes:
        count: How many came.
        first: The first one; `None` before.
    """

    def __init__(self) -> None:
        self.count = 0
        self.first: int | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._handlers = {
                number: signal.signal(number, self._record) for number in STOP_SIGNALS
            }
        return self

    def __exit__(self, *raised: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _record(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.count += 1
        self.first = self.first or number


def environments(
    jobs: int,
    gpus: Sequence[str],
    num_cores: int,
    settings: Settings,
    environment: Mapping[str, str],
) -> list[dict[str, str]]:
    """Return the environment variables of each of several concurrent runs: its GPU and its share of the cores.

    Each run has one GPU of its own as long as there are enough, so that a run is the same on a machine with one GPU as
    on one with eight.

    Args:
        jobs: Runs at a time.
        gpus: As CUDA_VISIBLE_DEVICES names them.
        num_cores: Of the CPU.
        settings: Of the runs; with `trainer.devices` they choose their GPUs themselves.
        environment: Of this process.

    >>> environments(2, ["0", "1"], 8, {}, {})
    [{'CUDA_VISIBLE_DEVICES': '0', 'OMP_NUM_THREADS': '4'}, {'CUDA_VISIBLE_DEVICES': '1', 'OMP_NUM_THREADS': '4'}]
    """
    variables: list[dict[str, str]] = [{} for _ in range(jobs)]
    for number, own in enumerate(variables):
        if gpus and "trainer.devices" not in settings:
            own["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
        if jobs > 1 and "OMP_NUM_THREADS" not in environment:
            own["OMP_NUM_THREADS"] = str(max(1, num_cores // jobs))
    return variables


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch  # late: it takes seconds

    count = torch.cuda.device_count()
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return named[:count] if named else [str(number) for number in range(count)]


class RunProcess:
    """The commands of a run that this process has started, one after the other.

    A run that was started before is resumed after its last finished epoch, and a finished command is not repeated.

    Args:
        run: The planned run.
        trial: Its trial.
        lock: Of its folder, held.
        environment: Variables of its processes beside those of this process.

    Attributes:
        run: The planned run.
        trial: Its trial.
        environment: Variables of its processes, which the next run takes over.
        error: Why it failed, once it did.
        ended: Whether its last command has ended, so that its outcome is to be recorded.
        pruned: Whether the search stops it early.
        reported: The last epoch that the search knows of.
        num_beats: Heartbeats so far.
        last_beat: When the last heartbeat was recorded, in monotonic seconds.

    Raises:
        UserError: When its folder holds another run.
        OSError: When its folder can't be written.
    """

    def __init__(
        self, run: PlannedRun, trial: Trial, lock: FolderLock, environment: Mapping[str, str]
    ) -> None:
        self.run = run
        self.trial = trial
        self.environment = environment
        self.error: str | None = None
        self.ended = False
        self.pruned = False
        self.reported = 0
        self.num_beats = 0
        self.last_beat = float("-inf")
        self._lock = lock
        self._log = run.folder / LOG
        self._process: subprocess.Popen[bytes] | None = None
        self._commands: list[list[str]] = []
        _write_record(run)
        if not is_tested(run.folder):
            started = (run.folder / "checkpoints" / "last.ckpt").is_file()
            self._commands = [run.resume if started else run.fit, *([run.test] * run.tested)]

    def advance(self) -> None:
        """Start the next command when the one before has ended; with none left, the run has ended.

        Raises:
            OSError: When the log can't be written.
        """
        if self.is_running:
            return
        if self._process is not None and self._process.returncode != 0:
            log = self._log.read_text(encoding="utf-8", errors="replace")
            self.error = failure(log, self._process.returncode)
            self._commands = []
        if self._commands:
            self._start(self._commands.pop(0))
        else:
            self.ended = True

    def _start(self, arguments: list[str]) -> None:
        inherited = self._lock.descriptor
        with self._log.open("ab") as file:
            file.write(f"$ {command_line(arguments)}\n".encode())
            file.flush()
            self._process = subprocess.Popen(  # noqa: S603 - this program itself
                [*PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                pass_fds=() if inherited is None or sys.platform == "win32" else (inherited,),
                start_new_session=True,  # a terminal's Ctrl-C reaches the study, which stops its runs
            )

    def stop(self) -> None:
        """Ask the command to end between two batches."""
        self._commands = []
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End the command and its loader processes at once."""
        if self._process is not None and self.is_running:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def is_running(self) -> bool:
        """Whether a command runs."""
        return self._process is not None and self._process.poll() is None

    def release(self) -> None:
        """Release the folder's lock."""
        self._lock.release()


def is_tested(folder: Path) -> bool:
    """Return whether a run is complete, its test included."""
    return (folder / "test" / "metrics.json").is_file()


def failure(log: str, code: int) -> str:
    r"""Return why a command failed, in one line.

    Args:
        log: Its output; the last line tells.
        code: Its exit code; if negative, the signal that ended it.

    >>> failure("network ...\nemorec fit: error: out of GPU memory: try less\n", 2)
    'out of GPU memory: try less'
    >>> failure("Traceback (most recent call last):\n  File ...\nKeyError: 'happy'\n", 1)
    "KeyError: 'happy'"
    >>> failure("Epoch 1/3 ...\n", -9)
    'killed by SIGKILL, as happens when memory runs out'
    """
    if code < 0:
        why = ", as happens when memory runs out" if -code == signal.SIGKILL else ""
        return f"killed by {signal.Signals(-code).name}{why}"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if not lines or lines[-1].startswith("$ "):
        return f"exit code {code} without a message"
    before, separator, message = lines[-1].partition(": error: ")
    return (message if separator and before.startswith("emorec ") else lines[-1])[:MAX_ERROR_LENGTH]


def _write_record(run: PlannedRun) -> None:
    """Record in the folder which run it holds, before it starts.

    Raises:
        UserError: When the folder holds a run with different settings.
    """
    path = run.folder / TRIAL_RECORD
    record = {
        "study": run.study,
        "model": run.model,
        "fold": run.fold,
        "seed": run.seed,
        "experiment": run.experiment,
    }
    with suppress(FileNotFoundError, ValueError):
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored != record and (run.folder / "checkpoints").exists():
            raise UserError(
                f"{run.folder} contains a run with different settings: move it or remove it"
            )
    write_json(record, path)


class Worker:
    """Runs the runs of a study in child processes of this process.

    Args:
        queue: Where runs come from.
        runs: All runs of the study by their keys.
        table: Where they are shown.
        environments: Environment variables, one mapping for each concurrent run.
    """

    def __init__(
        self,
        queue: Queue,
        runs: Mapping[str, PlannedRun],
        table: ProgressTable,
        environments: Sequence[Mapping[str, str]],
    ) -> None:
        self._queue = queue
        self._runs = runs
        self._table = table
        self._free = list(environments)[::-1]
        self._active: dict[str, RunProcess] = {}
        self._heartbeats = Heartbeats()

    def work(self, stop: StopSignals) -> None:
        """Return when all runs of the study have ended, also those of other workers, or after a stop signal.

        Raises:
            UserError: When the storage or a folder can't be written any more.
        """
        last_sync = time.monotonic()
        due = 0.0
        try:
            self._queue.fill(retry_failed=True)
            while not stop.count:
                for run in self._active.values():
                    run.advance()
                ended = any(run.ended for run in self._active.values())
                if ended or time.monotonic() >= due:
                    try:
                        if self._sync():
                            return
                        last_sync = time.monotonic()
                    except StorageInternalError as error:
                        if time.monotonic() - last_sync > OUTAGE_SECONDS:
                            raise UserError(f"the storage can't be reached: {error}") from error
                    due = time.monotonic() + SYNC_SECONDS
                time.sleep(POLL_SECONDS)
        finally:
            self._stop_runs(stop)

    def _sync(self) -> bool:
        """Record in the storage what happened here and take what is free; return whether the study is done."""
        for key, run in list(self._active.items()):
            if run.ended:
                self._record(run)
                run.release()
                self._free.append(self._active.pop(key).environment)
            else:
                self._report(run)
        for key, trials in self._queue.trials().items():
            trial = current_trial(trials)
            if (
                trial is not None
                and trial.state is TrialState.RUNNING
                and key not in self._active
                and self._heartbeats.is_abandoned(trial.number, trial.user_attrs)
            ):
                self._queue.pass_on(trial.number)
        self._queue.fill(retry_failed=False)
        self._take()
        beats = {key: heartbeat(read_epochs(run.run.folder)) for key, run in self._active.items()}
        rows = rows_of(self._runs, self._queue, beats)
        self._table.show(rows)
        return all(row.state not in ("running", "waiting") for row in rows.values())

    def _take(self) -> None:
        for key, waiting in self._queue.waiting():
            if not self._free:
                return
            run = self._runs[key]
            # first the folder: a training may have outlived its study
            lock = FolderLock(run.folder)
            if not lock.acquire():
                continue
            trial = self._queue.take(key, waiting)
            if trial is None:
                lock.release()
                continue
            parameters = self._queue.parameters(trial)
            run = run.with_parameters(parameters) if parameters else run
            trial.set_user_attr("folder", str(run.folder.absolute()))
            trial.set_user_attr("machine", machine_id())
            try:
                self._active[key] = RunProcess(run, trial, lock, self._free[-1])
            except UserError as error:
                self._queue.fail(trial, str(error))
                lock.release()
            else:
                self._free.pop()

    def _record(self, run: RunProcess) -> None:
        """Record the outcome of a run."""
        epochs = read_epochs(run.run.folder)
        if epochs:
            with suppress(UpdateFinishedTrialError):  # another worker has it
                run.trial.set_user_attr(METRIC, epochs[-1].metric)
        if run.pruned:
            self._queue.prune(run.trial)
        elif run.error is not None:
            self._queue.fail(run.trial, run.error)
        else:
            self._report(run)
            self._queue.finish(run.trial, epochs[-1].best if epochs else 0.0)

    def _report(self, run: RunProcess) -> None:
        """Record a heartbeat, and let a search decide whether to continue."""
        epochs = read_epochs(run.run.folder)
        try:
            if time.monotonic() - run.last_beat > HEARTBEAT_SECONDS:
                run.num_beats += 1
                run.trial.set_user_attr("beat", {"number": run.num_beats, **heartbeat(epochs)})
                run.last_beat = time.monotonic()
            if run.run.tested or run.pruned:
                return
            for epoch in epochs:
                if epoch.number > run.reported:
                    run.trial.report(epoch.score, epoch.number)
                    run.reported = epoch.number
                    if run.trial.should_prune() and not run.ended:
                        run.pruned = True
                        run.stop()
                        return
        except UpdateFinishedTrialError:  # another machine took this one for dead and has the run
            run.stop()

    def _stop_runs(self, stop: StopSignals) -> None:
        """Stop what still runs and give it back."""
        active = list(self._active.values())
        if not active:
            return
        self._table.print(
            f"stopping {len(active)} run{'s' * (len(active) > 1)} between two batches; "
            "Ctrl-C once more ends them at once"
        )
        count = stop.count
        for run in active:
            run.stop()
        while any(run.is_running for run in active):
            if stop.count > count:
                for run in active:
                    run.kill()
            time.sleep(POLL_SECONDS)
        for run in active:
            run.release()
        # the next start recovers what a full disk or a lost database does not let us record
        with suppress(OSError, StorageInternalError):
            for run in active:
                if run.ended:
                    self._record(run)
                else:
                    self._queue.pass_on(run.trial.number)
            self._active.clear()
            self._table.show(rows_of(self._runs, self._queue))
