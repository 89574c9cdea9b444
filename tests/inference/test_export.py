"""An exported network says what torch makes of it, whatever the network, the file and the number of windows."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from emorec import models
from emorec.errors import UserError
from emorec.inference.export import (
    export,
    sample_inputs,
    synthetic_inputs,
    to_bytes,
    to_float16,
    to_onnx,
    to_torch_export,
    trace,
)
from emorec.inference.runtimes import ExportedRuntime, Inputs, OnnxRuntime, Runtime
from emorec.inference.spec import (
    METADATA_KEY,
    SUFFIXES,
    TOLERANCES,
    ExportFormat,
    ModelSpec,
    export_metadata,
)
from emorec.inference.torch_runtime import InferenceModule, TorchRuntime, load_network
from tests.inference.networks import NAMES, NETWORKS, made, said_by_torch, saved

BASES = {"ClipClassifier", "ClipNetwork", "ClipRegressor", "FrameClassifier"}


def files(folder: Path, deployed: InferenceModule, spec: ModelSpec, *, dynamic: bool) -> list[Path]:
    program = trace(deployed, spec, dynamic_batch=dynamic)
    said = export_metadata(spec, "float32", deployed.network.statistics)
    (folder / "network.onnx").write_bytes(to_onnx(program, spec, said))
    (folder / "network.pt2").write_bytes(to_torch_export(program, said))
    return [folder / "network.onnx", folder / "network.pt2"]


def opened(path: Path) -> Runtime:
    return OnnxRuntime(path, "cpu") if path.suffix == ".onnx" else ExportedRuntime(path, "cpu")


def some(windows: Inputs, count: int) -> Inputs:
    return {name: values[:count] for name, values in windows.items()}


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("run") / "best.ckpt", made("EarlyFusionCNN")[0])


def test_every_network_of_the_package_is_exported_here() -> None:
    assert {name.partition("-")[0] for name in NETWORKS} == {*models.__all__} - BASES


@pytest.mark.parametrize("name", NETWORKS)
def test_both_formats_reproduce_the_network_for_any_batch_size(name: str, tmp_path: Path) -> None:
    network, spec = made(name)
    windows = synthetic_inputs(spec, 3)
    expected = said_by_torch(network, spec, windows)
    for path in files(tmp_path, InferenceModule(network, spec), spec, dynamic=True):
        runtime = opened(path)
        assert runtime.spec == spec
        for count in (3, 1):
            said = runtime(some(windows, count))
            assert said.dtype == np.float32
            np.testing.assert_allclose(said, expected[:count], atol=1e-4)


@pytest.mark.parametrize("name", ["FaceClassifier", "AudioCNN"])
def test_a_file_of_a_fixed_batch_runs_window_by_window(name: str, tmp_path: Path) -> None:
    network, spec = made(name)
    windows = synthetic_inputs(spec, 3)
    for path in files(tmp_path, InferenceModule(network, spec), spec, dynamic=False):
        np.testing.assert_allclose(
            opened(path)(windows), said_by_torch(network, spec, windows), atol=1e-5
        )
    model = onnx.load(tmp_path / "network.onnx")
    assert [each.type.tensor_type.shape.dim[0].dim_value for each in model.graph.input] == [1]


@pytest.mark.parametrize(
    ("name", "kind"), [("LateFusion", "torch_export"), ("FaceRegressor", "onnx")]
)
def test_float16_outputs_are_close_to_those_of_float32(
    name: str, kind: ExportFormat, tmp_path: Path
) -> None:
    network, spec = made(name)
    windows = synthetic_inputs(spec, 2)
    expected = said_by_torch(network, spec, windows)
    num_bytes = 4 * sum(weight.numel() for weight in network.parameters())
    to_float16(network)
    program = trace(InferenceModule(network, spec), spec, dynamic_batch=True)
    said_inside = {METADATA_KEY: spec.to_json()}
    path = tmp_path / f"network{SUFFIXES[kind]}"
    if kind == "onnx":
        path.write_bytes(to_onnx(program, spec, said_inside))
        weights = {each.data_type for each in onnx.load(path).graph.initializer}
        assert onnx.TensorProto.FLOAT16 in weights
    else:
        path.write_bytes(to_torch_export(program, said_inside))
        assert path.stat().st_size < 0.55 * num_bytes
    said = opened(path)(windows)
    assert said.dtype == np.float32
    assert 0 < np.abs(said - expected).max() < TOLERANCES["float16"] / 10


def test_an_onnx_file_describes_its_inputs_and_outputs(ckpt: Path, tmp_path: Path) -> None:
    network, spec = load_network(ckpt)
    content = to_bytes(network, spec, "onnx", dynamic_batch=True)
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    said = {each.key: each.value for each in model.metadata_props}
    assert json.loads(said[METADATA_KEY])["names"] == list(NAMES)
    assert said["class_names"] == "calm,happy,sad,angry,surprised"
    assert "mean 0.485, 0.456, 0.406 and std 0.229, 0.224, 0.225" in said["normalization"]
    assert said["split_hash"] == "abcd"
    assert (
        said["licence"]
        == spec.licence
        == "RAVDESS is under CC BY-NC-SA 4.0: no commercial use of " + ("what was trained on it")
    )
    (frames,), (output,) = model.graph.input, model.graph.output
    assert frames.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [each.dim_param or each.dim_value for each in frames.type.tensor_type.shape.dim] == [
        *("batch", 3, 32, 48, 3)
    ]
    assert "RGB" in frames.doc_string
    assert (output.name, output.type.tensor_type.elem_type) == (
        "probabilities",
        onnx.TensorProto.FLOAT,
    )
    # nobody else learns where the files of whoever exported it lie
    assert str(Path(models.__file__).parents[1]).encode() not in content


def test_a_torch_export_program_has_the_same_metadata_and_no_paths(
    ckpt: Path, tmp_path: Path
) -> None:
    path = tmp_path / "network.pt2"
    path.write_bytes(to_bytes(*load_network(ckpt), "torch_export"))
    with zipfile.ZipFile(path) as archive:
        inside = {name.rpartition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert inside["class_names"] == b"calm,happy,sad,angry,surprised"
    assert inside["torch"].decode() == torch.__version__
    home = str(Path(models.__file__).parents[1]).encode()
    assert not any(home in content for content in inside.values())


@pytest.mark.parametrize("kind", SUFFIXES)
def test_it_is_compared_with_the_checkpoint_before_it_is_written(
    kind: ExportFormat, ckpt: Path, tmp_path: Path
) -> None:
    to = tmp_path / "new" / f"network{SUFFIXES[kind]}"
    done = export(ckpt, kind, to)
    assert (done.parity.windows, done.parity.same_class) == (8, 8)
    assert done.parity.max_difference < 1e-5
    windows = synthetic_inputs(done.spec, 2)
    np.testing.assert_allclose(opened(to)(windows), TorchRuntime(ckpt, "cpu")(windows), atol=1e-5)


def test_a_file_whose_outputs_differ_is_not_written(
    ckpt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TOLERANCES, "float16", 0.0)
    (tmp_path / "network.pt2").write_bytes(b"the former one")
    with pytest.raises(UserError, match=r"network.pt2 was not written: .*leave out --half"):
        export(ckpt, "torch_export", tmp_path / "network.pt2", precision="float16")
    assert (tmp_path / "network.pt2").read_bytes() == b"the former one"


def test_real_clips_give_the_windows_where_a_folder_has_some(
    drawn_clips: Path, tmp_path: Path
) -> None:
    _, spec = made("AudioVisual")
    windows, words = sample_inputs(spec, drawn_clips)
    assert words.endswith(f"clips of {drawn_clips}")
    assert windows["frames"].shape[1:] == (3, 32, 48, 3)
    assert windows["sound"].shape[1:] == (12_000,)
    assert len(windows["heard"]) == len(windows["frames"]) == len(windows["sound"]) > 0
    with pytest.raises(UserError, match="no video below"):
        sample_inputs(spec, tmp_path)


def test_onnx_runtime_needs_no_torch(ckpt: Path, tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(to_bytes(*load_network(ckpt), "onnx"))
    program = (
        "import sys, numpy\nfrom pathlib import Path\n"
        "from emorec.inference.runtimes import OnnxRuntime\n"
        f"runtime = OnnxRuntime(Path({str(path)!r}), 'cpu')\n"
        "said = runtime({'frames': numpy.zeros((2, 3, 32, 48, 3), dtype=numpy.uint8)})\n"
        "assert said.shape == (2, 5)\n"
        "print([name for name in ('torch', 'lightning', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
