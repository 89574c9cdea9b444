"""Checkpoints and weights that can't be used, and flags that ask for another network than theirs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from emorec import checkpoint
from tests.bad_input.words import BEST, LAST, TAKE, Payload, fit


def test_files_that_are_no_checkpoint_are_refused_by_every_command_and_never_run(
    run: Path, refused: Callable[..., str]
) -> None:
    whole = BEST.read_bytes()
    Path("cut.ckpt").write_bytes(whole[: len(whole) // 2])
    Path("text.ckpt").write_text("a text")
    torch.save([1, 2], "list.ckpt")
    torch.save({"state_dict": {}}, "foreign.ckpt")
    torch.save({**checkpoint.load(BEST), "callbacks": Payload()}, "evil.ckpt")
    torch.save({**checkpoint.load(BEST), checkpoint.RECORD: {"version": "0"}}, "old.ckpt")
    reasons = {
        "nowhere": "no such checkpoint",
        "cut": "is cut off or no checkpoint",
        "text": "is cut off or no checkpoint",
        "list": "it holds a list",
        "foreign": "is no checkpoint of emorec",
        "evil": "holds Python objects that would have to be run",
        "old": "was written by emorec 0",
    }
    for command in ("fit", "validate", "test", "predict"):
        for name, reason in reasons.items():
            assert f"{name}.ckpt" in (said := refused(command, "--ckpt", f"{name}.ckpt"))
            assert reason in said
    assert not Path("it_ran").exists()


@pytest.mark.parametrize("command", ["fit", "test"])
def test_what_a_checkpoint_says_of_its_network_cant_be_changed(
    run: Path, refused: Callable[..., str], command: str
) -> None:
    Path("other.yaml").write_text("model: emorec.models.CNN3D\n")
    ckpt = ("--ckpt", str(LAST))
    for words, said in {
        ("--model.lr", "1"): "with lr 0.0001, not 1.0",
        ("--data.num_frames", "4"): "with num_frames 2, not 4",
        ("--data.image_size", "32"): "with image_size 16, not 32",
        ("--data.channel", "song"): "with num_classes 8, not 6",
        ("--model.num_frames", "4"): "--model.num_frames always is what --data.num_frames is",
        ("--model", "emorec.models.CNN3D"): "EarlyFusionCNN, not emorec.models.CNN3D",
        ("--config", "other.yaml"): "EarlyFusionCNN, not emorec.models.CNN3D",
    }.items():
        assert said in refused(command, *ckpt, *words)
        assert said in refused(command, *words, *ckpt)


def test_weights_that_cant_be_used_are_named(clips: Path, refused: Callable[..., str]) -> None:
    torch.save({"conv1.weight": torch.zeros(1)}, "other.pth")
    torch.save({"conv1.weight": Payload()}, "evil.pth")
    for file, reason in {
        "nowhere.pth": "no weights at nowhere.pth: choose DEFAULT, none",
        f"clips/{TAKE.format(1)}": "is no state dict",
        "other.pth": "other.pth does not fit the network",
        "evil.pth": "is no state dict",
    }.items():
        assert reason in refused(
            *fit("--model", "emorec.models.LateFusion", "--model.weights", file)
        )
    assert not Path("it_ran").exists()
