"""`emorec export` and `emorec bench --model` on a checkpoint of one of the package's networks."""

import json
from pathlib import Path

import pytest

from emorec.cli import main
from tests.inference.networks import made, saved


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("run") / "best.ckpt", made("EarlyFusionCNN")[0])


def complaint(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_what_was_compared_is_printed_and_the_file_lies_beside_the_checkpoint(
    ckpt: Path,
    drawn_clips: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("EMOREC_RAVDESS_ROOT", raising=False)
    words = ["export", "--ckpt", str(ckpt), "--format", "torch_export"]
    main([*words, "--dynamic-batch"])
    said = capsys.readouterr()
    assert f"{ckpt.with_suffix('.pt2')}: " in said.out
    assert "any number of windows at once" in said.out
    assert "on 8 drawn faces: probabilities differ by at most" in said.out
    assert "the same class in 8 of 8" in said.out
    assert said.err == ""
    main([*words, "--clips", str(drawn_clips)])
    assert f"on 8 clips of {drawn_clips}: " in capsys.readouterr().out


def test_clips_may_lie_behind_links_and_are_found_before_anything_is_exported(
    ckpt: Path,
    drawn_clips: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "Actor_01").symlink_to(drawn_clips)
    words = ["export", "--ckpt", str(ckpt), "--format", "torch_export", "--clips"]
    main([*words, str(tmp_path)])
    assert f"on 8 clips of {tmp_path}: " in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr("emorec.inference.export.trace", None)
    assert "no video below" in complaint([*words, str(tmp_path / "empty")], capsys)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "name one with --ckpt"),
        (["--ckpt", "nowhere.ckpt"], "no such checkpoint: nowhere.ckpt"),
        (["--ckpt", "CKPT", "--to", "a.pt"], "a.pt has to end in .onnx, with --format onnx"),
        (["--ckpt", "CKPT", "--clips", "/nowhere"], "no such folder: /nowhere"),
        (["--ckpt", "CKPT", "--format", "tflite"], "format"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], expected: str, ckpt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(ckpt) if word == "CKPT" else word for word in words]
    assert expected in complaint(["export", *given], capsys)


def test_the_runtimes_are_compared_with_the_checkpoint(
    ckpt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    quick = ["--seconds", "0.01", "--rounds", "2", "--threads", "1", "--out", str(out)]
    main(["bench", "--model", str(ckpt), *quick])
    said, plain = capsys.readouterr().out, json.loads(out.read_text())
    assert "1 thread on" in said
    torch, *others = plain["runtimes"]
    assert torch["run_by"].startswith("torch ")
    assert [each["file"] for each in others] == ["best.onnx", "best.pt2"]
    for each in plain["runtimes"]:
        assert each["run_by"] in said
        assert each["largest_difference"] < 1e-5
        assert [len(each["clips_per_second"][size]) for size in ("1", "8")] == [2, 2]


def test_files_that_no_runtime_reads_or_of_other_networks_are_not_compared(
    ckpt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["bench", "--model", str(ckpt), "--model", "notes.txt"]
    assert "--model notes.txt: name files that end in .ckpt, .onnx, .pt2" in complaint(
        words, capsys
    )
    other = saved(tmp_path / "other.ckpt", made("AudioCNN")[0])
    words = ["bench", "--model", str(ckpt), "--model", str(other), "--out", str(tmp_path / "b")]
    assert f"{other} has other inputs or outputs than {ckpt}" in complaint(words, capsys)
