"""Predictions of every runtime equal those of `emorec test` on the same clips."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import emorec
from emorec.cli import main
from tests.cli.commands.predicting import rows_of, run
from tests.program import SMALL

TOLERANCE = 1e-6
"""Tolerance of probabilities: batches differ, and so do the last bits of sums."""

CPU = ("--device", "cpu")


@pytest.fixture(scope="module")
def best(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tested checkpoint with a temperature."""
    root = tmp_path_factory.mktemp("run")
    arguments = (
        "--data.root",
        str(drawn_clips),
        "--trainer.max_epochs",
        "1",
        "--data.num_frames",
        "4",
    )
    arguments = (*arguments, "--data.image_size", "[24,40]")
    main(["fit", *SMALL, *arguments, "--trainer.default_root_dir", str(root)])
    (path,) = root.rglob("best.ckpt")
    main(["test", "--ckpt", str(path), "--calibrate", "--trainer.accelerator", "cpu"])
    return path


def test_predictions_of_plain_clips_equal_those_of_emorec_test(best: Path, tmp_path: Path) -> None:
    tested = rows_of(best.parents[1] / "test" / "predictions.csv")
    assert len(tested) == 15
    predictor = emorec.load(best, device="cpu")
    assert run("--ckpt", best, *(row["path"] for row in tested), "--out", tmp_path, *CPU) == 0
    for row in tested:
        (window,) = predictor.predict(row["path"]).windows
        (row_written,) = rows_of(tmp_path / Path(row["path"]).stem / "timeline.csv")
        expected = [float(row[f"calibrated {name}"]) for name in predictor.spec.names]
        assert window.values == pytest.approx(expected, abs=TOLERANCE)
        assert [float(row_written[name]) for name in predictor.spec.names] == pytest.approx(
            expected, abs=TOLERANCE
        )
        assert window.predicted == row_written["predicted"] == row["predicted"]


@pytest.mark.real
@pytest.mark.parametrize(
    ("face", "size"),
    [
        pytest.param("none", "64", marks=pytest.mark.nightly),
        pytest.param("crop", "64", marks=pytest.mark.nightly),
        ("align", "[60,100]"),
    ],
)
def test_predictions_of_real_clips_equal_those_of_emorec_test(
    ravdess_root: Path, tmp_path: Path, face: str, size: str
) -> None:
    actors: dict[int, list[Path]] = {}
    for path in sorted(ravdess_root.rglob("01-01-0[1-3]-01-01-01-*.mp4")):
        actors.setdefault(int(path.stem[-2:]), []).append(path)
    if len(actors) < 4:
        pytest.skip("needs clips of four actors")
    root, tested = tmp_path / "some", tmp_path / "clips"
    for actor, paths in [*actors.items()][:4]:
        for folder in (root, tested) if actor == 1 else (root,):
            folder.mkdir(exist_ok=True)
            for path in paths:
                (folder / path.name).symlink_to(path.absolute())
    small = (*SMALL, "--data.num_frames", "4", "--data.image_size", size, "--data.face", face)
    options = ("--data.root", str(root), "--data.allow_missing_actors", "true")
    split = ("--data.split", "loso", "--data.fold", "1", "--trainer.max_epochs", "1")
    main(["fit", *small, *options, *split, "--trainer.default_root_dir", str(tmp_path)])
    (path,) = tmp_path.rglob("best.ckpt")
    main(
        [
            "predict",
            "--ckpt",
            str(path),
            "--calibrate",
            "--trainer.accelerator",
            "cpu",
            "--data.root",
            str(tested),
        ]
    )
    rows = rows_of(path.parents[1] / "predict" / "predictions.csv")
    predictor = emorec.load(path, device="cpu")
    for row in rows:
        (window,) = predictor.predict(row["path"]).windows
        expected = [float(row[f"calibrated {name}"]) for name in predictor.spec.names]
        assert window.values == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.nightly  # tests/test_built_in.py predicts without torch by day
def test_an_onnx_file_needs_neither_torch_nor_lightning(best: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    exported = tmp_path / "best.onnx"
    main(["export", "--ckpt", str(best), "--to", str(exported)])
    row = rows_of(best.parents[1] / "test" / "predictions.csv")[0]
    program = (
        "import sys\n"
        "for name in ('torch', 'lightning', 'torchvision', 'torchmetrics'): sys.modules[name] = None\n"
        "from emorec.cli import main\n"
        f"main(['predict', '--model', {str(exported)!r}, {row['path']!r}, '--out', 'out', '--annotate'])"
    )
    arguments = [sys.executable, "-c", program]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run(arguments, cwd=tmp_path, env=environ, check=True, capture_output=True)
    (row_written,) = rows_of(tmp_path / "out" / Path(row["path"]).stem / "timeline.csv")
    names = emorec.load(exported).spec.names
    assert [float(row_written[name]) for name in names] == pytest.approx(
        [float(row[f"calibrated {name}"]) for name in names], abs=1e-5
    )


README = Path(__file__).parents[2] / "README.md"


def test_the_readme_example_runs(
    best: Path, drawn_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    examples = [block for block in blocks if "emorec.load" in block]
    if not examples:
        pytest.skip("the README has no example of emorec.load yet")
    monkeypatch.chdir(tmp_path)
    shutil.copy(best, tmp_path / "best.ckpt")
    shutil.copy(next(drawn_clips.rglob("*.mp4")), tmp_path / "talk.mp4")
    for example in examples:
        exec(compile(example, str(README), "exec"), {})
