"""Two processes train a network that predicts numbers and measure the concordance that one does."""

from pathlib import Path

import pytest

from emorec.cli import main
from tests.two_processes import TWO, flat, measured, together

pytestmark = pytest.mark.slow

BEST = "lightning_logs/FaceRegressor/version_0/checkpoints/best.ckpt"

FIT = (
    *("fit", "--model", "FaceRegressor", "--model.optimizer", "sgd", "--model.lr", "0.01"),
    *("--data", "AffWild2DataModule", "--data.num_frames", "1", "--data.image_size", "96"),
    *("--data.batch_size", "16", "--trainer.max_epochs", "1"),
)


def test_two_processes_measure_the_concordance_of_one(
    drawn_affwild2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ("--data.root", str(drawn_affwild2))
    # of 20 frames: the last batches are unlike, and some come twice
    batches = ("--data.batch_size", "3")
    together(tmp_path, [[*FIT, *data, *TWO], ["test", "--ckpt", BEST, *batches, *TWO]])
    run = (tmp_path / BEST).parents[1]
    two = measured(run / "test")
    monkeypatch.chdir(tmp_path)
    main(["test", "--ckpt", BEST, *batches, "--trainer.accelerator", "cpu"])
    one = measured(run / "test")
    assert one.figures["num_clips"] == two.figures["num_clips"] == 20
    assert two.figures["ccc"] == pytest.approx(one.figures["ccc"], abs=1e-9)
    assert flat(two.figures) == pytest.approx(flat(one.figures), abs=1e-6)
    assert [row[:4] for row in two.rows] == [row[:4] for row in one.rows]
