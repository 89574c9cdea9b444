"""Nothing leaves the machine: no address is looked up or connected to, and no identifier is stored."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import videos
from tests.inference.networks import made, saved

pytest.importorskip("onnxruntime")
pytest.importorskip("gradio")

ROOT = Path(__file__).parents[1]

PROGRAM = """
import sys
watched = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo")
watched += ("socket.gethostbyname", "urllib.Request", "http.client.connect")
sys.addaudithook(lambda event, values: event in watched and print("OUTSIDE", event, values))

import emorec
from emorec.cli import main

main(["export", "--ckpt", "best.ckpt", "--to", "best.onnx", "--clips", "clips"])
main(["predict", "--model", "best.onnx", "clips/a.mp4", "--out", "out"])
emorec.load("best.onnx").predict("clips/a.mp4")

from emorec.app import server, sessions
from emorec.app.handler import Limits

class Started(server.Server):
    def run(self, sockets):
        import gradio, huggingface_hub.constants, time
        assert huggingface_hub.constants.HF_HUB_OFFLINE
        time.sleep(1)  # reports are sent in the background
        print("STARTED")

server.Server = Started
main(["app", "--ckpt", "best.onnx", "--port", "0"])
"""


@pytest.mark.nightly
def test_nothing_leaves_the_machine(tmp_path: Path) -> None:
    saved(tmp_path / "best.ckpt", made("EarlyFusionCNN")[0])
    (tmp_path / "clips").mkdir()
    videos.write_video(tmp_path / "clips" / "a.mp4", 12)
    home = tmp_path / "home"
    switches = ("CI", "ORT_", "GRADIO_", "HF_", "NO_ALBUMENTATIONS")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(switches)}
    environ |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(ROOT)}
    program = subprocess.run(  # noqa: PLW1510 - its error is shown
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert program.returncode == 0, program.stderr
    assert "STARTED" in program.stdout
    assert "OUTSIDE" not in program.stdout
    assert not [path for path in home.rglob("*") if "icrosoft" in str(path)]
