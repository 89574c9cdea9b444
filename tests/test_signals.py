"""Ctrl-C and SIGTERM of a cluster stop a run cleanly, and it can be resumed."""

import os
import shlex
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from emorec import checkpoint
from emorec.cli import main
from tests.program import PATIENCE_SECONDS, SMALL, start_emorec, wait_for

pytestmark = pytest.mark.slow

SIGNALS = {
    "Ctrl-C": (signal.SIGINT, os.killpg),
    "SIGINT to the main process": (signal.SIGINT, os.kill),
    "SIGTERM to all processes": (signal.SIGTERM, os.killpg),
    "SIGTERM to the main process": (signal.SIGTERM, os.kill),
}
"""Terminals signal the process group; clusters signal all processes or the main one."""

BY_NIGHT = frozenset(SIGNALS) - {"Ctrl-C"}


@dataclass(frozen=True)
class Stopped:
    """Result of a process that was signalled after its first epoch."""

    folder: Path
    number: int
    code: int
    errors: str
    still_running: bool


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.nightly] if name in BY_NIGHT else [])
        for name in SIGNALS
    ],
)
def stopped(
    request: pytest.FixtureRequest, drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory
) -> Stopped:
    """A run that a signal stopped."""
    data = ("--data.root", str(drawn_clips), "--data.num_workers", "2")
    endless = ("--trainer.max_epochs", "-1", "--early_stopping.patience", "100000")
    number, send = SIGNALS[request.param]
    folder = tmp_path_factory.mktemp("stopped")
    with start_emorec("fit", *SMALL, *data, *endless, cwd=folder) as process:
        wait_for(lambda: list(folder.rglob("last.ckpt")), process)
        send(process.pid, number)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        return Stopped(folder, number, process.returncode, errors, is_running(process.pid))


def is_running(group: int) -> bool:
    """Return whether any process of the group exists."""
    with suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False


def test_a_signal_stops_the_run_with_its_exit_code_and_one_line(stopped: Stopped) -> None:
    (checkpoint_file,) = stopped.folder.rglob("last.ckpt")
    path = checkpoint_file.relative_to(stopped.folder)
    assert stopped.errors == f"stopped; go on with: emorec fit --ckpt {path}\n"
    assert stopped.code == 128 + stopped.number


def test_no_process_remains(stopped: Stopped) -> None:
    assert not stopped.still_running


def test_the_printed_command_resumes_the_run(
    stopped: Stopped, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (last,) = stopped.folder.rglob("last.ckpt")
    epochs = checkpoint.read(last).epochs
    monkeypatch.chdir(stopped.folder)
    arguments = shlex.split(stopped.errors.partition("emorec ")[2])
    main([*arguments, "--trainer.max_epochs", str(epochs + 1), "--data.num_workers", "0"])
    assert f"Epoch {epochs + 1}/{epochs + 1} " in capsys.readouterr().out
    assert checkpoint.read(last).epochs == epochs + 1
