"""Two processes train a regressor and compute the same concordance as one."""

from pathlib import Path

import pytest

from emorec.cli import main
from tests.two_processes import TWO, flatten, read_results, run_in_two_processes

pytestmark = pytest.mark.slow

BEST = "lightning_logs/FaceRegressor/version_0/checkpoints/best.ckpt"

FIT = (
    *("fit", "--model", "FaceRegressor", "--model.optimizer", "sgd", "--model.lr", "0.01"),
    *("--data", "AffWild2DataModule", "--data.num_frames", "1", "--data.image_size", "96"),
    *("--data.batch_size", "16", "--trainer.max_epochs", "1"),
)


def test_two_processes_compute_the_ccc_of_one(
    drawn_affwild2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ("--data.root", str(drawn_affwild2))
    # of 20 frames: the last batches differ in size, and some frames are repeated
    batches = ("--data.batch_size", "3")
    run_in_two_processes(tmp_path, [[*FIT, *data, *TWO], ["test", "--ckpt", BEST, *batches, *TWO]])
    run = (tmp_path / BEST).parents[1]
    double = read_results(run / "test")
    monkeypatch.chdir(tmp_path)
    main(["test", "--ckpt", BEST, *batches, "--trainer.accelerator", "cpu"])
    single = read_results(run / "test")
    assert single.figures["num_clips"] == double.figures["num_clips"] == 20
    assert double.figures["ccc"] == pytest.approx(single.figures["ccc"], abs=1e-9)
    assert flatten(double.figures) == pytest.approx(flatten(single.figures), abs=1e-6)
    assert [row[:4] for row in double.rows] == [row[:4] for row in single.rows]
