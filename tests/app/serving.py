"""The app's server in a subprocess, and an HTTP client for it."""

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
from emorec.app.page import model_info
from tests.app.fakes import SPEC, predict

with contextlib.closing(bind("127.0.0.1", 0)) as listener, Sessions() as sessions:
    app = create_app(predict, model_info(SPEC), sessions, Limits(megabytes=1))
    print(f"open http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    Server(app, sessions).run(sockets=[listener])
print("stopped")
"""
"""The app with a fake predictor."""


@dataclass
class Page:
    """A running server.

    Attributes:
        address: Without a slash at its end.
        process: The server's process.
        folder: The parent of its session folder.
        log: Its standard error.
    """

    address: str
    process: subprocess.Popen[str]
    folder: Path
    log: Path

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Stop the server; return its exit code and the last line of its output."""
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=30)
        return self.process.returncode, output.strip().rpartition("\n")[2]


@contextmanager
def serving(folder: Path, command: list[str] | None = None) -> Iterator[Page]:
    """Run a server in a subprocess; without a command, the one with the fake predictor."""
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
            fields = process.stdout.readline().split()
            assert fields, log.read_text()
            page = Page(fields[1], process, folder, log)
            assert eventually(lambda: _responds(page.address))
            yield page
        finally:
            process.kill()
            process.communicate()


def _responds(address: str) -> bool:
    try:
        return requests.get(address, timeout=10).ok
    except requests.ConnectionError:
        return False


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> bool:
    """Return whether a condition becomes true in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False


def send(address: str, content: bytes, name: str = "a.mp4") -> str:
    """Upload a video; return its path on the server."""
    files = {"files": (name, content)}
    [path] = requests.post(f"{address}/gradio_api/upload", files=files, timeout=10).json()
    return str(path)


def start_prediction(address: str, path: str, session: str) -> str:
    """Request the prediction of a file; return the id of the event."""
    call = {
        "data": [{"path": path, "meta": {"_type": "gradio.FileData"}}],
        "session_hash": session,
    }
    response = requests.post(f"{address}/gradio_api/call/predict", json=call, timeout=10)
    return str(response.json()["event_id"])


def answer(address: str, path: str, session: str) -> tuple[str, str]:
    """Return the page's HTML for a file and the URL of the annotated video, or the error."""
    event = start_prediction(address, path, session)
    events = requests.get(f"{address}/gradio_api/call/predict/{event}", timeout=60)
    kind, data = events.content.decode().strip().rpartition("event: ")[2].split("\ndata: ")
    if kind != "complete":
        return f"{kind} {data}", ""
    html, _, annotated, *_ = json.loads(data)
    video = annotated and annotated["value"]
    return str(html), f"{address}/gradio_api/file={video['path']}" if video else ""
