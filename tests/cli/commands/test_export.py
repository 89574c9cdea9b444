"""`emorec export` and `emorec bench --model` on a checkpoint of one of the package's networks."""

import json
from pathlib import Path

import numpy as np
import pytest

from emorec.cli import main
from emorec.data import RavdessDataModule
from emorec.inference.export import synthetic_inputs
from emorec.inference.familiarity import Familiarity
from emorec.inference.predictor import read_familiarity
from emorec.inference.torch_runtime import TorchRuntime
from tests.inference.networks import made, saved


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("run") / "best.ckpt", made("EarlyFusionCNN")[0])


def error_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_the_comparison_is_printed_and_the_file_is_next_to_the_checkpoint(
    ckpt: Path,
    drawn_clips: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("EMOREC_RAVDESS_ROOT", raising=False)
    arguments = ["export", "--ckpt", str(ckpt), "--format", "torch_export"]
    main([*arguments, "--dynamic-batch"])
    output = capsys.readouterr()
    assert f"{ckpt.with_suffix('.pt2')}: " in output.out
    assert "any number of windows at once" in output.out
    assert "on 8 drawn faces: probabilities differ by at most" in output.out
    assert "the same class in 8 of 8" in output.out
    assert output.err == ""
    main([*arguments, "--clips", str(drawn_clips)])
    assert f"on 8 clips of {drawn_clips}: " in capsys.readouterr().out


def test_clips_may_be_symlinked_and_are_checked_before_the_export(
    ckpt: Path,
    drawn_clips: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "Actor_01").symlink_to(drawn_clips)
    arguments = ["export", "--ckpt", str(ckpt), "--format", "torch_export", "--clips"]
    main([*arguments, str(tmp_path)])
    assert f"on 8 clips of {tmp_path}: " in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr("emorec.inference.export.trace", None)
    assert "no video below" in error_of([*arguments, str(tmp_path / "empty")], capsys)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--ckpt", "nowhere.ckpt"], "no such checkpoint: nowhere.ckpt"),
        (["--ckpt", "CKPT", "--to", "a.pt"], "a.pt has to end in .onnx, with --format onnx"),
        (["--ckpt", "CKPT", "--clips", "/nowhere"], "no such folder: /nowhere"),
        (["--ckpt", "CKPT", "--format", "tflite"], "format"),
        (["--ckpt", "CKPT", "--familiarity"], "--familiarity: no clip has landmarks"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], expected: str, ckpt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(ckpt) if argument == "CKPT" else argument for argument in arguments]
    assert expected in error_of(["export", *command], capsys)


def test_statistics_of_the_training_clips_are_written_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["export", "--format", "safetensors", "--to", str(tmp_path / "built_in.safetensors")])
    built_in = read_familiarity(tmp_path / "built_in.onnx")
    assert built_in is not None

    def fitted(data: RavdessDataModule) -> Familiarity:
        assert data.hparams["landmarks"]
        return Familiarity({"face": built_in.streams["face"]})

    monkeypatch.setattr("emorec.inference.familiarity.fit_familiarity", fitted)
    for step in ("prepare_data", "setup"):
        monkeypatch.setattr(RavdessDataModule, step, lambda *_: None)
    settings = {"landmarks": True, "frames": False, "cache": "auto"}
    path = saved(tmp_path / "own.ckpt", made("LandmarkRNN")[0], **settings)
    assert read_familiarity(path) is None
    main(["export", "--ckpt", str(path), "--format", "safetensors", "--familiarity"])
    to = tmp_path / "other.safetensors"  # takes what lies beside the checkpoint
    main(["export", "--ckpt", str(path), "--format", "safetensors", "--to", str(to)])
    for each in (path, to):
        familiarity = read_familiarity(each)
        assert familiarity is not None
        assert [*familiarity.streams] == ["face"]


def test_the_runtimes_are_compared_with_the_checkpoint(
    ckpt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    quick = ["--seconds", "0.01", "--rounds", "2", "--threads", "1", "--out", str(out)]
    main(["bench", "--model", str(ckpt), *quick])
    output, report = capsys.readouterr().out, json.loads(out.read_text())
    assert "1 thread on" in output
    torch, *exported = report["runtimes"]
    assert torch["run_by"].startswith("torch ")
    assert [runtime["file"] for runtime in exported] == ["best.onnx", "best.pt2"]
    for runtime in report["runtimes"]:
        assert runtime["run_by"] in output
        assert runtime["largest_difference"] < 1e-5
        assert [len(runtime["clips_per_second"][size]) for size in ("1", "8")] == [2, 2]


def test_unreadable_files_and_other_networks_are_refused(
    ckpt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["bench", "--model", str(ckpt), "--model", "notes.txt"]
    assert "--model notes.txt: name files that end in .ckpt, .safetensors, .onnx, .pt2" in error_of(
        arguments, capsys
    )
    other_ckpt = saved(tmp_path / "other.ckpt", made("AudioCNN")[0])
    arguments = [
        "bench",
        "--model",
        str(ckpt),
        "--model",
        str(other_ckpt),
        "--out",
        str(tmp_path / "b"),
    ]
    assert f"{other_ckpt} has other inputs or outputs than {ckpt}" in error_of(arguments, capsys)


def test_tensors_beside_json_predict_like_the_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, spec = made("Fusion")
    ckpt = saved(
        tmp_path / "best.ckpt",
        network,
        landmarks=True,
        frames=False,
        sound_embedding="both",
        sound_seconds=1.5,
        cache="auto",
    )
    main(
        [
            "export",
            "--ckpt",
            str(ckpt),
            "--format",
            "safetensors",
            "--to",
            f"{tmp_path}/a.safetensors",
        ]
    )
    assert f"{tmp_path}/a.safetensors: " in capsys.readouterr().out
    plain = TorchRuntime(tmp_path / "a.safetensors", "cpu")
    inputs = synthetic_inputs(spec, 3)
    np.testing.assert_array_equal(plain(inputs), TorchRuntime(ckpt, "cpu")(inputs))
    export = ["export", "--ckpt", str(ckpt), "--format", "safetensors"]
    for flags in (["--half"], ["--clips", str(tmp_path)]):
        assert "are for the formats onnx and torch_export" in error_of([*export, *flags], capsys)
    record = json.loads((tmp_path / "a.json").read_text())
    record["hyper_parameters"]["num_classes"] = 3
    (tmp_path / "a.json").write_text(json.dumps(record))
    line = error_of(["predict", "--ckpt", f"{tmp_path}/a.safetensors", "a.mp4"], capsys)
    assert "a.safetensors does not fit emorec.models.Fusion" in line
