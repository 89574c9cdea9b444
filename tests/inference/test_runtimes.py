"""Invalid files are refused in one line, and all runtimes have the same interface."""

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from emorec.errors import UserError
from emorec.inference.runtimes import ExportedRuntime, OnnxRuntime, Runtime
from emorec.inference.spec import METADATA_KEY
from emorec.inference.torch_runtime import TorchRuntime
from tests.inference.networks import made


def onnx_file(path: Path, *, batch: int | str = "batch", **metadata: str) -> Path:
    """Write an ONNX network that returns the brightness of frames of 2 x 2 pixels."""
    frames = helper.make_tensor_value_info("frames", TensorProto.UINT8, [batch, 3, 2, 2, 3])
    output = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [batch, 3])
    nodes = [
        helper.make_node("Cast", ["frames"], ["bright"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["bright", "axes"], ["probabilities"], keepdims=0),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [3], [2, 3, 4])
    graph = helper.make_graph(nodes, "bright", [frames], [output], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def spec_json(**changes: object) -> str:
    return json.dumps({**json.loads(made("EarlyFusionCNN")[1].to_json()), **changes})


@pytest.fixture(params=[OnnxRuntime, ExportedRuntime])
def runtime(request: pytest.FixtureRequest) -> type[Runtime]:
    kind: type[Runtime] = request.param
    return kind


@pytest.mark.parametrize("batch", ["batch", 1, 2, 5])
def test_any_number_of_windows_runs_with_any_batch_size_of_the_file(
    batch: int | str, tmp_path: Path
) -> None:
    path = onnx_file(tmp_path / "bright.onnx", batch=batch, **{METADATA_KEY: spec_json()})
    frames = np.random.default_rng(0).integers(0, 256, (3, 3, 2, 2, 3)).astype(np.uint8)
    np.testing.assert_allclose(
        OnnxRuntime(path, "cpu")({"frames": frames}), frames.mean(axis=(2, 3, 4)), rtol=1e-5
    )


def test_foreign_and_newer_onnx_files_and_unknown_devices_are_refused(
    tmp_path: Path,
) -> None:
    path = onnx_file(tmp_path / "theirs.onnx")
    with pytest.raises(UserError, match=r"theirs.onnx has no emorec metadata"):
        OnnxRuntime(path, "cpu")
    onnx_file(path, **{METADATA_KEY: spec_json(format=99, emorec_version="7.0")})
    with pytest.raises(
        UserError, match=r"theirs.onnx: exported by emorec 7.0: this emorec is too old"
    ):
        OnnxRuntime(path, "cpu")
    with pytest.raises(UserError, match="device is tpu: ONNX Runtime takes cpu or cuda"):
        OnnxRuntime(path, "tpu")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "xpu", "hpu", "meta"])
def test_a_device_that_torch_does_not_have_is_one_line_with_those_it_has(device: str) -> None:
    with pytest.raises(UserError, match=rf"device is {device}, .*: choose cpu[^\n]*$"):
        TorchRuntime(Path("gone.ckpt"), device)


def test_foreign_newer_and_unreadable_torch_export_files_are_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "theirs.pt2"

    def write_archive(**files: str) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(f"theirs/extra/{name}", text)
        return path

    with pytest.raises(UserError, match=r"theirs.pt2 has no emorec metadata"):
        ExportedRuntime(write_archive(notes="mine"), "cpu")
    with pytest.raises(UserError, match=r"theirs.pt2: exported by emorec"):
        ExportedRuntime(write_archive(**{METADATA_KEY: spec_json(format=99)}), "cpu")
    with pytest.raises(UserError, match=r"exported with torch 9.9 and can't be read by"):
        ExportedRuntime(write_archive(**{METADATA_KEY: spec_json(), "torch": "9.9"}), "cpu")


def test_text_files_folders_and_missing_files_are_one_line_errors(
    runtime: type[Runtime], tmp_path: Path
) -> None:
    text = tmp_path / "notes.onnx"
    text.write_text("no network at all")
    for path, message in (
        (text, "is it an ONNX file|is truncated, or not a program"),
        (tmp_path, "is a folder"),
        (tmp_path / "nowhere.onnx", "no such file"),
    ):
        with pytest.raises(UserError, match=message) as raised:
            runtime(path, "cpu")  # type: ignore[call-arg]
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)


def test_without_onnx_runtime_the_error_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = onnx_file(tmp_path / "bright.onnx", **{METADATA_KEY: spec_json()})
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="pip install onnxruntime"):
        OnnxRuntime(path)
