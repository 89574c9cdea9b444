"""A prediction loads few modules, and those of a plot or a video only where it writes one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emorec.inference.export import to_bytes
from tests import videos
from tests.inference.networks import made, saved

MAX_MODULES = 45

PROGRAM = """
import sys
import emorec
emorec.load({network!r}, device="cpu").predict({video!r})
print(*[name for name in sys.modules if name.partition(".")[0] == "emorec"])
print(*[name for name in ("matplotlib", "torch", "lightning", "PIL") if name in sys.modules])
"""


def loaded(network: Path, video: Path) -> tuple[list[str], list[str]]:
    """Modules of emorec, and other packages, that a process has loaded after a prediction."""
    program = PROGRAM.format(network=str(network), video=str(video))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    own, others = done.stdout.split("\n")[:2]
    return own.split(), others.split()


@pytest.mark.slow
def test_an_exported_network_predicts_with_few_modules_and_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "best.onnx"
    path.write_bytes(to_bytes(*made("EarlyFusionCNN"), "onnx"))
    own, others = loaded(path, videos.write_video(tmp_path / "a.mp4", 15))
    assert len(own) <= MAX_MODULES, own
    assert others == []


@pytest.mark.slow
@pytest.mark.parametrize("network", ["EarlyFusionCNN", "CNNLSTM"])
def test_a_checkpoint_predicts_with_few_modules_and_without_plots(
    network: str, tmp_path: Path
) -> None:
    path = saved(tmp_path / "best.ckpt", made(network)[0])
    own, _ = loaded(path, videos.write_video(tmp_path / "a.mp4", 15))
    assert len(own) <= MAX_MODULES, own
    assert not {"emorec.inference.plot", "emorec.inference.overlay"} & {*own}
