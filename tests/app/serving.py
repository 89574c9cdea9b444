"""A page in a process of its own, as people start it, and programs that ask it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

ROOT = Path(__file__).parents[2]

PROGRAM = """
import contextlib
from emorec.app.handler import Limits
from emorec.app.server import Server, bind, create_app
from emorec.app.sessions import Sessions
from tests.app.fakes import SPEC, predict

with contextlib.closing(bind("127.0.0.1", 0)) as listener, Sessions() as sessions:
    app = create_app(predict, SPEC, sessions, Limits(megabytes=1))
    print(f"open http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    Server(app, sessions).run(sockets=[listener])
print("stopped")
"""
"""The page before something that only pretends to look."""


@dataclass
class Page:
    """A page that is served.

    Attributes:
        address: Without a slash at its end.
        process: That serves it.
        folder: In which it makes its own.
        log: What it says.
    """

    address: str
    process: subprocess.Popen[str]
    folder: Path
    log: Path

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """How it ended, and what it said last."""
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=30)
        return self.process.returncode, said.strip().rpartition("\n")[2]


@contextmanager
def serving(folder: Path, command: list[str] | None = None) -> Iterator[Page]:
    """A page that is served meanwhile; without a command, the one that only pretends."""
    log = folder / "log.txt"
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    with log.open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, *(command or ["-c", PROGRAM])],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            assert words, log.read_text()
            page = Page(words[1], process, folder, log)
            assert soon(lambda: _answers(page.address))
            yield page
        finally:
            process.kill()
            process.communicate()


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=10).ok
    except requests.ConnectionError:
        return False


def soon(what: Callable[[], object], seconds: float = 30.0) -> bool:
    """Whether something becomes true."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.05)
    return False


def send(address: str, content: bytes, name: str = "a.mp4") -> str:
    """Where a film lies that was uploaded."""
    files = {"files": (name, content)}
    [path] = requests.post(f"{address}/gradio_api/upload", files=files, timeout=10).json()
    return str(path)


def ask(address: str, path: str, session: str) -> str:
    """The number of a question about a file."""
    call = {
        "data": [{"path": path, "meta": {"_type": "gradio.FileData"}}],
        "session_hash": session,
    }
    told = requests.post(f"{address}/gradio_api/call/predict", json=call, timeout=10)
    return str(told.json()["event_id"])


def answer(address: str, path: str, session: str) -> tuple[str, str]:
    """What the page shows of a file, and the address of the annotated video; what went wrong where there is none."""
    event = ask(address, path, session)
    events = requests.get(f"{address}/gradio_api/call/predict/{event}", timeout=60)
    kind, data = events.content.decode().strip().rpartition("event: ")[2].split("\ndata: ")
    if kind != "complete":
        return f"{kind} {data}", ""
    html, _, video, *_ = json.loads(data)
    return str(html), f"{address}/gradio_api/file={video['path']}" if video else ""
