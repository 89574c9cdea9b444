"""A prediction imports few modules; those for plots and videos only on demand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emorec.inference.export import to_bytes
from tests import videos
from tests.inference.networks import made, saved

MAX_MODULES = 50

PROGRAM = """
import json, sys
from pathlib import Path

def modules(run, *arguments):
    for name in [name for name in sys.modules if name.partition(".")[0] == "emorec"]:
        del sys.modules[name]
    run(*arguments)
    others = ("matplotlib", "torch", "lightning", "PIL")
    own = [name for name in sys.modules if name.partition(".")[0] == "emorec"]
    return own, [name for name in others if name in sys.modules]

def load_and_predict(path):
    import emorec
    emorec.load(path, device="cpu").predict("a.mp4")

def command(path):
    from emorec.cli import main
    main(["predict", "--ckpt", path, "--device", "cpu", "a.mp4"])

paths = sys.argv[1:]
loaded = {path: modules(load_and_predict, path) for path in paths}
loaded |= {f"command {path}": modules(command, path) for path in paths}
Path("loaded.json").write_text(json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[str], list[str]]]:
    """Modules of emorec, and other large packages, that each prediction imports; the first without torch before it.

    One process for all: importing torch takes seconds.
    """
    folder = tmp_path_factory.mktemp("predictions")
    videos.write_video(folder / "a.mp4", 15, sound=True)
    (folder / "EarlyFusionCNN.onnx").write_bytes(to_bytes(*made("EarlyFusionCNN"), "onnx"))
    saved(folder / "EarlyFusionCNN.ckpt", made("EarlyFusionCNN")[0])
    paths = ["EarlyFusionCNN.onnx", "EarlyFusionCNN.ckpt"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run(
        [sys.executable, "-c", PROGRAM, *paths],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
    )
    content: dict[str, tuple[list[str], list[str]]] = json.loads(
        (folder / "loaded.json").read_text()
    )
    return content


@pytest.mark.slow
@pytest.mark.parametrize("start", ["", "command "])
@pytest.mark.parametrize("file", ["EarlyFusionCNN.onnx", "EarlyFusionCNN.ckpt"])
def test_a_prediction_imports_few_modules(
    file: str, start: str, loaded: dict[str, tuple[list[str], list[str]]]
) -> None:
    own_modules, _ = loaded[start + file]
    assert len(own_modules) <= MAX_MODULES, own_modules


@pytest.mark.slow
def test_an_exported_network_predicts_without_torch(
    loaded: dict[str, tuple[list[str], list[str]]],
) -> None:
    assert loaded["EarlyFusionCNN.onnx"][1] == []


@pytest.mark.slow
def test_only_the_command_imports_the_plot(
    loaded: dict[str, tuple[list[str], list[str]]],
) -> None:
    for name, (own_modules, _) in loaded.items():
        plots = {"emorec.inference.plot", "emorec.inference.overlay"} & {*own_modules}
        assert plots == ({"emorec.inference.plot"} if name.startswith("command") else set()), name
