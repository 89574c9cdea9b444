"""Ctrl-C and a cluster's SIGTERM stop a run cleanly, and it can go on."""

import os
import shlex
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from emorec import checkpoint
from emorec.cli import main
from tests.program import PATIENCE_SECONDS, SMALL, started, wait_for

pytestmark = pytest.mark.slow

WAYS = {
    "Ctrl-C": (signal.SIGINT, os.killpg),
    "SIGINT to the main process": (signal.SIGINT, os.kill),
    "SIGTERM to all processes": (signal.SIGTERM, os.killpg),
    "SIGTERM to the main process": (signal.SIGTERM, os.kill),
}
"""A terminal signals the whole process group; clusters and people do one or the other."""


@dataclass(frozen=True)
class Stopped:
    """How a process ended that a signal reached in its second epoch or later."""

    folder: Path
    code: int
    errors: str
    seconds: float
    left: bool


@pytest.fixture(scope="module")
def stopped(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stopped]:
    """A run for each way to stop one, two at a time."""
    data = ("--data.root", str(drawn_clips), "--data.num_workers", "2")
    endless = ("--trainer.max_epochs", "-1", "--early_stopping.patience", "100000")

    def stop(way: str) -> Stopped:
        number, send = WAYS[way]
        folder = tmp_path_factory.mktemp("stopped")
        with started("fit", *SMALL, *data, *endless, cwd=folder) as process:
            wait_for(lambda: list(folder.rglob("last.ckpt")), process)
            begin = time.monotonic()
            send(process.pid, number)
            _, errors = process.communicate(timeout=PATIENCE_SECONDS)
            seconds = time.monotonic() - begin
            return Stopped(folder, process.returncode, errors, seconds, alive(process.pid))

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(WAYS, pool.map(stop, WAYS), strict=True))


def alive(group: int) -> bool:
    """Whether any process of the group is there."""
    with suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False


@pytest.mark.parametrize("way", WAYS)
def test_a_signal_ends_the_run_soon_with_its_own_code_and_one_line(
    stopped: dict[str, Stopped], way: str
) -> None:
    end = stopped[way]
    (checkpoint_file,) = end.folder.rglob("last.ckpt")
    path = checkpoint_file.relative_to(end.folder)
    assert end.errors == f"stopped; go on with: emorec fit --ckpt {path}\n"
    assert end.code == 128 + WAYS[way][0]
    assert end.seconds < 20


@pytest.mark.parametrize("way", WAYS)
def test_no_process_is_left(stopped: dict[str, Stopped], way: str) -> None:
    assert not stopped[way].left


@pytest.mark.parametrize("way", ["Ctrl-C", "SIGTERM to all processes"])
def test_the_line_it_leaves_goes_on_with_the_run(
    stopped: dict[str, Stopped],
    way: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = stopped[way]
    (last,) = end.folder.rglob("last.ckpt")
    epochs = checkpoint.read(last).epochs
    monkeypatch.chdir(end.folder)
    words = shlex.split(end.errors.partition("emorec ")[2])
    main([*words, "--trainer.max_epochs", str(epochs + 1), "--data.num_workers", "0"])
    assert f"Epoch {epochs + 1}/{epochs + 1} " in capsys.readouterr().out
    assert checkpoint.read(last).epochs == epochs + 1
