"""Ctrl-C and SIGTERM of a cluster stop a run cleanly, and it can be resumed."""

import os
import shlex
import signal
from concurrent.futures import ThreadPoolExecutor
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


@dataclass(frozen=True)
class Stopped:
    """Result of a process that was signalled after its first epoch."""

    folder: Path
    code: int
    errors: str
    still_running: bool


@pytest.fixture(scope="module")
def stopped(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stopped]:
    """One run per signal, two at a time."""
    data = ("--data.root", str(drawn_clips), "--data.num_workers", "2")
    endless = ("--trainer.max_epochs", "-1", "--early_stopping.patience", "100000")

    def stop(name: str) -> Stopped:
        number, send = SIGNALS[name]
        folder = tmp_path_factory.mktemp("stopped")
        with start_emorec("fit", *SMALL, *data, *endless, cwd=folder) as process:
            wait_for(lambda: list(folder.rglob("last.ckpt")), process)
            send(process.pid, number)
            _, errors = process.communicate(timeout=PATIENCE_SECONDS)
            return Stopped(folder, process.returncode, errors, is_running(process.pid))

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(SIGNALS, pool.map(stop, SIGNALS), strict=True))


def is_running(group: int) -> bool:
    """Return whether any process of the group exists."""
    with suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_stops_the_run_with_its_exit_code_and_one_line(
    stopped: dict[str, Stopped], name: str
) -> None:
    result = stopped[name]
    (checkpoint_file,) = result.folder.rglob("last.ckpt")
    path = checkpoint_file.relative_to(result.folder)
    assert result.errors == f"stopped; go on with: emorec fit --ckpt {path}\n"
    assert result.code == 128 + SIGNALS[name][0]


@pytest.mark.parametrize("name", SIGNALS)
def test_no_process_remains(stopped: dict[str, Stopped], name: str) -> None:
    assert not stopped[name].still_running


@pytest.mark.parametrize("name", ["Ctrl-C", "SIGTERM to all processes"])
def test_the_printed_command_resumes_the_run(
    stopped: dict[str, Stopped],
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = stopped[name]
    (last,) = result.folder.rglob("last.ckpt")
    epochs = checkpoint.read(last).epochs
    monkeypatch.chdir(result.folder)
    arguments = shlex.split(result.errors.partition("emorec ")[2])
    main([*arguments, "--trainer.max_epochs", str(epochs + 1), "--data.num_workers", "0"])
    assert f"Epoch {epochs + 1}/{epochs + 1} " in capsys.readouterr().out
    assert checkpoint.read(last).epochs == epochs + 1
