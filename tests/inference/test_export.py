"""Exported networks reproduce torch for any network, format and batch size."""

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
from tests.inference.networks import NAMES, NETWORKS, made, saved, torch_outputs

BASES = {"ClipClassifier", "ClipNetwork", "ClipRegressor", "FrameClassifier"}


def files(folder: Path, deployed: InferenceModule, spec: ModelSpec, *, dynamic: bool) -> list[Path]:
    program = trace(deployed, spec, dynamic_batch=dynamic)
    metadata = export_metadata(spec, "float32", deployed.network.statistics)
    (folder / "network.onnx").write_bytes(to_onnx(program, spec, metadata))
    (folder / "network.pt2").write_bytes(to_torch_export(program, metadata))
    return [folder / "network.onnx", folder / "network.pt2"]


def open_runtime(path: Path) -> Runtime:
    return OnnxRuntime(path, "cpu") if path.suffix == ".onnx" else ExportedRuntime(path, "cpu")


def first_windows(windows: Inputs, count: int) -> Inputs:
    return {name: values[:count] for name, values in windows.items()}


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("run") / "best.ckpt", made("EarlyFusionCNN")[0])


def test_every_network_of_the_package_is_covered() -> None:
    assert {name.partition("-")[0] for name in NETWORKS} == {*models.__all__} - BASES


BY_NIGHT = frozenset(
    (
        *("AudioCNNLSTM", "AudioCNNRNN", "AudioEmbedding", "AudioVisual", "CNN3D"),
        *("CNN3D-clip_cnn", "CNNLSTM", "CNNRNN-gru", "EarlyFusionCNN", "EarlyFusionResNet"),
        *("CNNRNN-transformer", "FaceClassifier", "FaceRegressor", "LandmarkRNN", "LateFusion"),
    )
)
"""Networks of whose layers another one is made, too; exporting takes long."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.nightly] if name in BY_NIGHT else [])
        for name in NETWORKS
    ],
)
def test_both_formats_reproduce_the_network_for_any_batch_size(name: str, tmp_path: Path) -> None:
    network, spec = made(name)
    windows = synthetic_inputs(spec, 3)
    expected = torch_outputs(network, spec, windows)
    for path in files(tmp_path, InferenceModule(network, spec), spec, dynamic=True):
        runtime = open_runtime(path)
        assert runtime.spec == spec
        for count in (3, 1):
            outputs = runtime(first_windows(windows, count))
            assert outputs.dtype == np.float32
            np.testing.assert_allclose(outputs, expected[:count], atol=1e-4)


@pytest.mark.parametrize("name", ["FaceClassifier", "AudioCNN"])
def test_a_file_with_batch_size_1_runs_window_by_window(name: str, tmp_path: Path) -> None:
    network, spec = made(name)
    windows = synthetic_inputs(spec, 3)
    for path in files(tmp_path, InferenceModule(network, spec), spec, dynamic=False):
        np.testing.assert_allclose(
            open_runtime(path)(windows), torch_outputs(network, spec, windows), atol=1e-5
        )
    model = onnx.load(tmp_path / "network.onnx")
    assert [each.type.tensor_type.shape.dim[0].dim_value for each in model.graph.input] == [1]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param("LateFusion", "torch_export", marks=pytest.mark.nightly),
        ("FaceRegressor", "onnx"),
    ],
)
def test_float16_outputs_are_close_to_those_of_float32(
    name: str, kind: ExportFormat, tmp_path: Path
) -> None:
    network, spec = made(name)
    windows = synthetic_inputs(spec, 2)
    expected = torch_outputs(network, spec, windows)
    num_bytes = 4 * sum(weight.numel() for weight in network.parameters())
    to_float16(network)
    program = trace(InferenceModule(network, spec), spec, dynamic_batch=True)
    metadata = {METADATA_KEY: spec.to_json()}
    path = tmp_path / f"network{SUFFIXES[kind]}"
    if kind == "onnx":
        path.write_bytes(to_onnx(program, spec, metadata))
        weights = {each.data_type for each in onnx.load(path).graph.initializer}
        assert onnx.TensorProto.FLOAT16 in weights
    else:
        path.write_bytes(to_torch_export(program, metadata))
        assert path.stat().st_size < 0.55 * num_bytes
    outputs = open_runtime(path)(windows)
    assert outputs.dtype == np.float32
    assert 0 < np.abs(outputs - expected).max() < TOLERANCES["float16"] / 10


def test_an_onnx_file_describes_its_inputs_and_outputs(ckpt: Path, tmp_path: Path) -> None:
    network, spec = load_network(ckpt)
    content = to_bytes(network, spec, "onnx", dynamic_batch=True)
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    metadata = {each.key: each.value for each in model.metadata_props}
    assert json.loads(metadata[METADATA_KEY])["names"] == list(NAMES)
    assert metadata["class_names"] == "calm,happy,sad,angry,surprised"
    assert "mean 0.485, 0.456, 0.406 and std 0.229, 0.224, 0.225" in metadata["normalization"]
    assert metadata["split_hash"] == "abcd"
    assert (
        metadata["licence"]
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
    # no paths of the exporting machine
    assert str(Path(models.__file__).parents[1]).encode() not in content


def test_a_torch_export_program_has_the_same_metadata_and_no_paths(
    ckpt: Path, tmp_path: Path
) -> None:
    path = tmp_path / "network.pt2"
    path.write_bytes(to_bytes(*load_network(ckpt), "torch_export"))
    with zipfile.ZipFile(path) as archive:
        contents = {name.rpartition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert contents["class_names"] == b"calm,happy,sad,angry,surprised"
    assert contents["torch"].decode() == torch.__version__
    home = str(Path(models.__file__).parents[1]).encode()
    assert not any(home in content for content in contents.values())


@pytest.mark.parametrize("kind", SUFFIXES)
def test_an_export_is_compared_with_the_checkpoint_before_it_is_written(
    kind: ExportFormat, ckpt: Path, tmp_path: Path
) -> None:
    to = tmp_path / "new" / f"network{SUFFIXES[kind]}"
    done = export(ckpt, kind, to)
    assert (done.parity.windows, done.parity.same_class) == (8, 8)
    assert done.parity.max_difference < 1e-5
    windows = synthetic_inputs(done.spec, 2)
    np.testing.assert_allclose(
        open_runtime(to)(windows), TorchRuntime(ckpt, "cpu")(windows), atol=1e-5
    )


def test_an_export_with_different_outputs_is_not_written(
    ckpt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TOLERANCES, "float16", 0.0)
    (tmp_path / "network.pt2").write_bytes(b"the former one")
    with pytest.raises(UserError, match=r"network.pt2 was not written: .*leave out --half"):
        export(ckpt, "torch_export", tmp_path / "network.pt2", precision="float16")
    assert (tmp_path / "network.pt2").read_bytes() == b"the former one"


def test_sample_inputs_are_real_clips_if_a_folder_has_some(
    drawn_clips: Path, tmp_path: Path
) -> None:
    _, spec = made("AudioVisual")
    windows, description = sample_inputs(spec, drawn_clips)
    assert description.endswith(f"clips of {drawn_clips}")
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
        "outputs = runtime({'frames': numpy.zeros((2, 3, 32, 48, 3), dtype=numpy.uint8)})\n"
        "assert outputs.shape == (2, 5)\n"
        "print([name for name in ('torch', 'lightning', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
