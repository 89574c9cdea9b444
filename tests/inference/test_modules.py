"""A prediction imports few modules; those for plots and videos only on demand."""

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


def loaded_modules(network: Path, video: Path) -> tuple[list[str], list[str]]:
    """Modules of emorec, and other heavy packages, that a process imports for a prediction."""
    program = PROGRAM.format(network=str(network), video=str(video))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    own_modules, other_packages = done.stdout.split("\n")[:2]
    return own_modules.split(), other_packages.split()


@pytest.mark.slow
def test_an_exported_network_predicts_with_few_modules_and_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "best.onnx"
    path.write_bytes(to_bytes(*made("EarlyFusionCNN"), "onnx"))
    own_modules, other_packages = loaded_modules(path, videos.write_video(tmp_path / "a.mp4", 15))
    assert len(own_modules) <= MAX_MODULES, own_modules
    assert other_packages == []


@pytest.mark.slow
@pytest.mark.parametrize("network", ["EarlyFusionCNN", "CNNLSTM"])
def test_a_checkpoint_predicts_with_few_modules_and_without_plots(
    network: str, tmp_path: Path
) -> None:
    path = saved(tmp_path / "best.ckpt", made(network)[0])
    own_modules, _ = loaded_modules(path, videos.write_video(tmp_path / "a.mp4", 15))
    assert len(own_modules) <= MAX_MODULES, own_modules
    assert not {"emorec.inference.plot", "emorec.inference.overlay"} & {*own_modules}
