"""Two processes train a network that predicts numbers and measure the concordance that one does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emorec.cli import main
from tests.program import PATIENCE_SECONDS
from tests.test_distributed import PROGRAM, TWO, flat, measured

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
    (tmp_path / "program.py").write_text(PROGRAM)
    data = ("--data.root", str(drawn_affwild2))
    batches = (
        "--data.batch_size",
        "3",
    )  # 20 frames: the last batches are unlike, and some come twice
    commands = [[*FIT, *data, *TWO], ["test", "--ckpt", BEST, *batches, *TWO]]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*torchrun, "program.py", json.dumps(commands)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,  # the assertion below tells more
    )
    assert done.returncode == 0, done.stderr
    run = (tmp_path / BEST).parents[1]
    two = measured(run / "test")
    monkeypatch.chdir(tmp_path)
    main(["test", "--ckpt", BEST, *batches, "--trainer.accelerator", "cpu"])
    one = measured(run / "test")
    assert one.figures["num_clips"] == two.figures["num_clips"] == 20
    assert two.figures["ccc"] == pytest.approx(one.figures["ccc"], abs=1e-9)
    assert flat(two.figures) == pytest.approx(flat(one.figures), abs=1e-6)
    assert [row[:4] for row in two.rows] == [row[:4] for row in one.rows]
