"""Checkpoints and weights that can't be used, and options that contradict a checkpoint."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from emorec import checkpoint
from tests.bad_input.tiny_run import BEST, LAST, TAKE, Payload, fit


def test_files_that_are_not_checkpoints_are_refused_by_every_command_and_never_executed(
    run: Path, error_before_writing: Callable[..., str]
) -> None:
    content = BEST.read_bytes()
    Path("cut.ckpt").write_bytes(content[: len(content) // 2])
    Path("text.ckpt").write_text("a text")
    torch.save([1, 2], "list.ckpt")
    torch.save({"state_dict": {}}, "foreign.ckpt")
    torch.save({**checkpoint.load(BEST), "callbacks": Payload()}, "evil.ckpt")
    torch.save({**checkpoint.load(BEST), checkpoint.RECORD: {"version": "0"}}, "old.ckpt")
    reasons = {
        "nowhere": "no such checkpoint",
        "cut": "truncated",
        "text": "not a checkpoint",
        "list": "list",
        "foreign": "not a checkpoint of emorec",
        "evil": "Python objects",
        "old": "emorec 0",
    }
    for command in ("fit", "validate", "test", "predict"):
        for name, reason in reasons.items():
            line = error_before_writing(command, "--ckpt", f"{name}.ckpt")
            assert f"{name}.ckpt" in line
            assert reason in line
    assert not Path("it_ran").exists()


@pytest.mark.parametrize("command", [pytest.param("fit", marks=pytest.mark.nightly), "test"])
def test_options_that_contradict_a_checkpoint_are_refused(
    run: Path, error_before_writing: Callable[..., str], command: str
) -> None:
    Path("other.yaml").write_text("model: emorec.models.CNN3D\n")
    ckpt = ("--ckpt", str(LAST))
    other_rate = {("--model.lr", "1"): ("lr", "0.0001", "1.0")}  # a training goes on with it
    for options, values in {
        **(other_rate if command == "test" else {}),
        ("--data.num_frames", "4"): ("num_frames", "2", "4"),
        ("--data.image_size", "32"): ("image_size", "16", "32"),
        ("--data.channel", "song"): ("num_classes", "8", "6"),
        ("--model.num_frames", "4"): ("--model.num_frames", "--data.num_frames"),
        ("--model", "emorec.models.CNN3D"): ("EarlyFusionCNN", "CNN3D"),
        ("--config", "other.yaml"): ("EarlyFusionCNN", "CNN3D"),
    }.items():
        for arguments in ((*ckpt, *options), (*options, *ckpt)):
            line = error_before_writing(command, *arguments)
            assert [value for value in values if value not in line] == [], line


def test_weights_that_cant_be_used_are_named(
    clips: Path, error_before_writing: Callable[..., str]
) -> None:
    torch.save({"conv1.weight": torch.zeros(1)}, "other.pth")
    torch.save({"conv1.weight": Payload()}, "evil.pth")
    for file, reason in {
        "nowhere.pth": "DEFAULT, none",
        f"clips/{TAKE.format(1)}": "state dict",
        "other.pth": "does not fit",
        "evil.pth": "state dict",
    }.items():
        line = error_before_writing(
            *fit("--model", "emorec.models.LateFusion", "--model.weights", file)
        )
        assert file in line
        assert reason in line
    assert not Path("it_ran").exists()
