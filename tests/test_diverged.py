"""A training that diverges fails, keeps the epoch before, and has no scores."""

import math
from pathlib import Path

import pytest
import torch

from emorec import checkpoint
from emorec.cli import main
from tests.program import SMALL


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture(scope="module")
def checkpoints(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the checkpoints of a training of one epoch."""
    folder = tmp_path_factory.mktemp("one_epoch")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main(["fit", *SMALL, "--data.root", str(drawn_clips), "--trainer.max_epochs", "1"])
    return folder / "lightning_logs/EarlyFusionCNN/version_0/checkpoints"


def test_a_diverged_training_is_an_error_and_its_last_good_epoch_is_resumed_with_a_smaller_rate(
    checkpoints: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = checkpoints / "last.ckpt"
    before = {path: path.read_bytes() for path in checkpoints.iterdir()}
    resume = ("fit", "--ckpt", str(last), "--trainer.max_epochs", "2")
    error = error_of(capsys, *resume, "--model.lr", "1e18")
    assert error.startswith(
        "emorec fit: error: the training diverged in epoch 2, step 2: the loss "
    )
    assert "choose a --model.lr smaller than 1e+18, such as in: emorec fit --ckpt " in error
    assert error.endswith("last.ckpt --model.lr 1e+17")
    assert {path: path.read_bytes() for path in checkpoints.iterdir()} == before
    main([*resume, "--model.lr", "1e-5"])
    content = checkpoint.load(last)
    assert content["emorec"]["epochs"] == 2
    assert content["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(1e-5)


@pytest.fixture(scope="module")
def diverged(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a weight that is NaN."""
    content = checkpoint.load(checkpoints / "best.ckpt")
    content["state_dict"]["classifier.3.bias"][0] = math.nan
    path = tmp_path_factory.mktemp("diverged") / "checkpoints" / "best.ckpt"
    path.parent.mkdir()
    torch.save(content, path)
    return path


@pytest.mark.parametrize("command", ["validate", "test", "predict", "explain"])
def test_a_network_whose_outputs_are_not_finite_has_no_results(
    diverged: Path, command: str, drawn_clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = str(next(drawn_clips.rglob("*.mp4")))
    arguments = {"predict": ["--data.root", str(drawn_clips)], "explain": [clip]}.get(command, [])
    error = error_of(capsys, command, "--ckpt", str(diverged), *arguments)
    assert "NaN or infinite" in error
    assert "choose another checkpoint" in error
    assert list(diverged.parents[1].rglob("*")) == [diverged.parent, diverged]
