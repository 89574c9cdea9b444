"""A run at work: `emorec fit`, then `emorec test`, each in a process of its own that writes into the run's log."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from emorec.errors import UserError
from emorec.files import whole_file
from emorec.study import log
from emorec.study.alive import FolderLock
from emorec.study.plan import PlannedRun, typed

PROGRAM: tuple[str, ...] = (sys.executable, "-m", "emorec")

RECORD = "trial.json"

LOG = "run.log"


class RunProcess:
    """The commands of a run, one after the other.

    A run that was begun before goes on from its last finished epoch, and what it has finished is not repeated.

    Args:
        run: What is to be done.
        lock: Of its folder, held.
        environment: What its processes find in their environment beside what is there.

    Attributes:
        run: What is done.
        error: Why it failed, once it did.

    Raises:
        UserError: When its folder holds another run.
        OSError: When its folder can't be written.
    """

    def __init__(self, run: PlannedRun, lock: FolderLock, environment: Mapping[str, str]) -> None:
        self.run = run
        self.error: str | None = None
        self._lock = lock
        self._environment = {**os.environ, **environment}
        self._log = run.folder / LOG
        _write_record(run)
        self._to_do = [self._fit_words(), *([run.test] if run.tested else [])]
        self._process: subprocess.Popen[bytes] | None = None
        self._begins_at = 0
        if is_tested(run.folder):
            self._to_do = []

    def _fit_words(self) -> list[str]:
        last = self.run.folder / "checkpoints" / "last.ckpt"
        return self.run.go_on if last.is_file() else self.run.fit

    def go_on(self) -> bool:
        """Starts the next command when the one before has ended; says whether there is more to wait for.

        Raises:
            OSError: When the log can't be written.
        """
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return True
            self._process = None
            if code != 0:
                self.error = log.reason(self.said()[self._begins_at :], code)
                self._to_do = []
        if not self._to_do:
            return False
        self._start(self._to_do.pop(0))
        return True

    def _start(self, words: list[str]) -> None:
        held = self._lock.descriptor
        with self._log.open("ab") as file:
            _line(file, f"$ {typed(words)}")
            self._begins_at = len(self.said())
            self._process = subprocess.Popen(  # noqa: S603 - this program itself
                [*PROGRAM, *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self._environment,
                pass_fds=() if held is None or sys.platform == "win32" else (held,),
                start_new_session=True,  # a terminal's Ctrl-C reaches the study, which stops its runs
            )

    def said(self) -> str:
        """The log so far."""
        try:
            return self._log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def epochs(self) -> list[log.Epoch]:
        """The finished epochs."""
        return log.epochs(self.said())

    def stop(self) -> None:
        """Asks the command to end between two batches."""
        self._to_do = []
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Ends the command and its loader processes at once."""
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def runs(self) -> bool:
        """Whether a command is at work."""
        return self._process is not None and self._process.poll() is None

    def release(self) -> None:
        """Lets others into the folder."""
        self._lock.release()


def is_tested(folder: Path) -> bool:
    """Whether a run went to its end, the figures of its test included."""
    return (folder / "test" / "metrics.json").is_file()


def _write_record(run: PlannedRun) -> None:
    """Says in the folder what the run is, before it starts.

    Raises:
        UserError: When the folder holds a run of other settings.
    """
    path = run.folder / RECORD
    record = {
        "study": run.study,
        "model": run.model,
        "fold": run.fold,
        "seed": run.seed,
        "experiment": run.experiment,
    }
    with suppress(FileNotFoundError, ValueError):
        before = json.loads(path.read_text(encoding="utf-8"))
        if before != record and (run.folder / "checkpoints").exists():
            raise UserError(f"{run.folder} holds a run of other settings: move it or remove it")
    with whole_file(path) as file:
        file.write(f"{json.dumps(record, indent=2)}\n".encode())


def _line(file: IO[bytes], text: str) -> None:
    file.write(f"{text}\n".encode())
    file.flush()
