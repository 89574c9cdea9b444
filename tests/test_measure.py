"""A checkpoint alone is enough to measure its network, wherever it lies, but never on people who trained it."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from emorec.cli import main
from tests.program import SMALL

pytestmark = pytest.mark.slow

CPU = ("--trainer.accelerator", "cpu")


@pytest.fixture(scope="module")
def best(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    words = ("--data.root", str(drawn_clips), "--trainer.max_epochs", "1")
    main(["fit", *SMALL, *words, "--trainer.default_root_dir", str(root)])
    (path,) = root.rglob("best.ckpt")
    return path


def test_a_checkpoint_that_was_moved_is_tested_beside_itself(best: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copy(best, tmp_path / "mine.ckpt"))
    main(["test", "--ckpt", str(moved), *CPU])
    main(["test", "--ckpt", str(best), *CPU])
    files = [folder / "test" / "metrics.json" for folder in (tmp_path, best.parents[1])]
    there, here = (json.loads(path.read_text()) for path in files)
    assert there.pop("checkpoint") != here.pop("checkpoint")
    assert there == here
    assert (here["num_clips"], here["split"]["test"]) == (15, [23, 24])


def test_a_prediction_names_every_clip_of_a_folder(best: Path, drawn_clips: Path) -> None:
    folder = drawn_clips / "Actor_22"
    main(["predict", "--ckpt", str(best), *CPU, "--data.root", str(folder)])
    with (best.parents[1] / "predict" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [str(path) for path in sorted(folder.glob("*.mp4"))]
    assert {row["actor"] for row in rows} == {"22"}


@pytest.mark.parametrize(
    ("command", "fold", "complaint"),
    [
        ("test", "1", "actors 1, 2, 3, 4 of split msaf6 were in train"),
        ("test", "6", "actors 21, 22 of split msaf6 were in val"),
        ("validate", "1", "actors 5, 6, 7, 8 of split msaf6 were in train"),
    ],
)
def test_nobody_is_measured_on_actors_who_trained(
    best: Path, capsys: pytest.CaptureFixture[str], command: str, fold: str, complaint: str
) -> None:
    other = ("--data.split", "msaf6", "--data.fold", fold)
    with pytest.raises(SystemExit) as ended:
        main([command, "--ckpt", str(best), *CPU, *other])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
