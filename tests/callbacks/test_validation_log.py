"""Other programs read a run's validation scores while it trains."""

import json
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from emorec.callbacks import BestAndLast, ValidationLog
from emorec.callbacks.checkpointing import AUTO_MONITOR
from emorec.data import RavdessDataModule
from emorec.models import EarlyFusionCNN

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]


def fit(folder: Path, clips: Path, max_epochs: int, ckpt: Path | None = None) -> Trainer:
    """Train for some epochs in a run folder."""
    data = RavdessDataModule(
        root=str(clips), num_frames=2, image_size=16, batch_size=20, num_workers=0
    )
    checkpointing = BestAndLast(
        folder / "checkpoints",
        monitor=AUTO_MONITOR,
        mode="max",
        save_last=True,
        save_on_train_epoch_end=True,
    )
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=max_epochs,
        limit_train_batches=1,
        num_sanity_val_steps=0,
        logger=TensorBoardLogger(folder.parent, "", folder.name),
        callbacks=[ValidationLog(), checkpointing],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    network = EarlyFusionCNN(num_frames=2, image_size=16, lr=0.01)
    trainer.fit(network, datamodule=data, ckpt_path=ckpt, weights_only=True)
    return trainer


def entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "validation.jsonl").read_text().splitlines()]


def test_each_epoch_is_a_line_with_the_best_score_so_far(drawn_clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    trainer = fit(folder, drawn_clips, 3)
    values = [entry["value"] for entry in entries(folder)]
    assert [entry["epoch"] for entry in entries(folder)] == [1, 2, 3]
    assert values[-1] == pytest.approx(float(trainer.callback_metrics["val/uar"]))
    assert [entry["best"] for entry in entries(folder)] == [max(values[: n + 1]) for n in range(3)]
    assert {(entry["metric"], entry["max_epochs"]) for entry in entries(folder)} == {("val/uar", 3)}


def test_a_resumed_run_knows_its_best_score_even_without_the_former_file(
    drawn_clips: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    fit(folder, drawn_clips, 2)
    best = entries(folder)[-1]["best"]
    (folder / "validation.jsonl").unlink()
    fit(folder, drawn_clips, 2, folder / "checkpoints" / "last.ckpt")  # nothing is left to do
    assert [entry["best"] for entry in entries(folder)] == [best]
    fit(folder, drawn_clips, 3, folder / "checkpoints" / "last.ckpt")
    assert entries(folder)[-1]["best"] >= best
