"""A run on the split `all` trains on everybody, keeps its last epoch and is measured on nobody."""

from pathlib import Path

import pytest
import torch

from emorec import checkpoint
from emorec.cli import main
from tests.program import SMALL
from tests.refusal import refusal


@pytest.mark.slow
def test_everybody_trains_and_the_last_epoch_is_kept(
    drawn_clips: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    data = ("--data.root", str(drawn_clips), "--data.split", "all")
    main(["fit", *SMALL, *data, "--trainer.max_epochs", "2", "--early_stopping.patience", "1"])
    printed = capsys.readouterr()
    assert "actors 1-24 train (190 clips), none val (0), none test (0)" in printed.out
    assert "everybody trained, so it can't be measured" in printed.out
    assert printed.err == ""
    (best,) = tmp_path.rglob("best.ckpt")
    kept, last = (checkpoint.load(path) for path in (best, best.with_name("last.ckpt")))
    assert kept["emorec"]["epochs"] == 2
    assert kept["emorec"]["split"]["train"] == list(range(1, 25))
    assert kept["emorec"]["temperatures"] == {}
    assert kept["emorec"]["split"]["drawn"] is True
    assert "the clips are drawn: scores say nothing about people" in printed.out
    clip = next(drawn_clips.rglob("*.mp4"))
    main(["predict", "--ckpt", str(best), str(clip)])
    assert "warning: this network was trained on drawn faces" in capsys.readouterr().err
    assert kept["state_dict"].keys() == last["state_dict"].keys()
    assert all(
        torch.equal(kept["state_dict"][name], each) for name, each in last["state_dict"].items()
    )
    assert "split all: no clip left for test" in refusal(capsys, "test", "--ckpt", best)
    main(["fit", "--ckpt", str(best.with_name("last.ckpt")), "--trainer.max_epochs", "3"])
    assert checkpoint.read(best).epochs == 3
