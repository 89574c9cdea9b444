"""A network of a speech model's hidden states, from training to predictions."""

import csv
from pathlib import Path

import pytest

from emorec.cli import main
from tests.refusal import refusal
from tests.wavlm import write_wavlm

pytestmark = pytest.mark.nightly  # a whole training


def test_it_is_trained_tested_and_predicts_but_is_not_exported(
    voiced_clips: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = write_wavlm(tmp_path / "tiny-wavlm")
    monkeypatch.chdir(tmp_path)
    arguments = {
        "data": "emorec.data.RavdessDataModule",
        "data.root": voiced_clips,
        "data.cache": tmp_path / "cache",
        "data.frames": "false",
        "data.num_frames": 0,
        "data.num_workers": 0,
        "data.sound_seconds": 1,
        "data.sound_embedding": model,
        "data.embedding_layer": -3,
        "model": "emorec.models.AudioEmbedding",
        "model.sound_seconds": 1,
        "model.embedding": model,
        "model.layer": 2,
        "trainer.max_epochs": 1,
        "trainer.accelerator": "cpu",
    }
    main(["fit", *(f"--{name}={value}" for name, value in arguments.items())])
    (ckpt,) = tmp_path.rglob("best.ckpt")
    main(["test", "--ckpt", str(ckpt), "--trainer.accelerator", "cpu"])
    (folder,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    assert folder.name.startswith("embedding-2x16-")
    clip = next(voiced_clips.rglob("*.mp4"))
    main(["predict", "--ckpt", str(ckpt), str(clip), "--device", "cpu", "--out", "predictions"])
    (table,) = tmp_path.joinpath("predictions").rglob("*.csv")
    with table.open() as file:
        assert len(list(csv.DictReader(file))) == 1
    line = refusal(capsys, "export", "--ckpt", ckpt, "--to", "network.onnx")
    assert "a file can't include that model" in line
    assert "predict from the checkpoint" in line
    main(["card", "--ckpt", str(ckpt), "--to", "card.md"])
    card = Path("card.md").read_text()
    assert "as the hidden states -3 of tiny-wavlm describe it" in card
    assert str(tmp_path) not in card
