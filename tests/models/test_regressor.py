"""Regressors are trained with the concordance loss and evaluated over whole sets."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from emorec.callbacks.checkpointing import BestAndLast
from emorec.errors import UserError
from emorec.evaluation.collector import PredictionCollector
from emorec.models import ClipRegressor
from emorec.models.regressor import MeanConcordance, concordance
from tests.models.conftest import NoiseDataModule, random_frames


class MeanOfFrames(ClipRegressor):
    """A linear regressor on the mean colours of a clip."""

    def __init__(self, **training: Any) -> None:
        super().__init__(**training)
        self.head = nn.Linear(3, 2)

    def forward(self, frames: Tensor) -> Tensor:
        output: Tensor = self.head(self.normalized(frames).mean(dim=(1, 3, 4)))  # (B, 2)
        return output


def brightness_clips(clips: int, seed: int) -> list[dict[str, Tensor]]:
    """Uniformly grey clips; the grey level is the valence, arousal is its negative."""
    levels = torch.rand(clips, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    frames = (127.5 * (levels + 1)).to(torch.uint8).view(-1, 1, 1, 1, 1).expand(-1, 2, 3, 4, 4)
    return [
        {"frames": clip, "label": torch.stack([level, -level]), "index": torch.tensor(index)}
        for index, (clip, level) in enumerate(zip(frames, levels, strict=True))
    ]


def trained(folder: Path) -> Trainer:
    trainer = Trainer(
        default_root_dir=folder,
        max_epochs=15,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[BestAndLast(dirpath=folder, monitor="auto", mode="max", filename="best")],
        num_sanity_val_steps=0,
        log_every_n_steps=1,
    )
    loaders = [DataLoader(brightness_clips(48, seed), batch_size=16) for seed in (0, 1)]
    torch.manual_seed(0)  # otherwise the result depends on earlier tests
    network = MeanOfFrames(num_frames=2, image_size=4, lr=0.05, weight_decay=0.0)
    trainer.fit(network, *loaders)
    return trainer


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_training_and_checkpointing_maximise_the_concordance(tmp_path: Path) -> None:
    trainer = trained(tmp_path)
    network = MeanOfFrames.of(trainer.lightning_module)
    collected = network.collected
    assert len(collected) == 48
    expected = concordance(collected.target.double(), collected.output.double())
    logged = trainer.callback_metrics
    assert float(logged["val/ccc"]) == pytest.approx(float(expected.mean()), abs=1e-6)
    assert float(logged["val/ccc_arousal"]) == pytest.approx(float(expected[1]), abs=1e-6)
    assert float(logged["val/ccc"]) > 0.9
    assert float(logged["train/ccc"]) > 0.8
    saved = trainer.checkpoint_callback
    assert isinstance(saved, BestAndLast)
    assert saved.monitor == "val/ccc"
    assert Path(saved.best_model_path).name == "best.ckpt"
    again = MeanOfFrames.load_from_checkpoint(saved.best_model_path)
    assert again.target_names == ("valence", "arousal")


def test_the_loss_is_one_minus_the_mean_concordance() -> None:
    label, output = torch.randn(9, 2), torch.randn(9, 2)
    loss = MeanOfFrames().loss(output, label)
    torch.testing.assert_close(loss, 1 - concordance(label, output).mean())


def test_training_metrics_are_those_of_the_whole_epoch() -> None:
    label, output = torch.randn(4000, 2), torch.randn(4000, 2)
    metric = MeanConcordance(2)
    for rows in torch.arange(4000).split(700):
        metric.update(output[rows], label[rows])
    torch.testing.assert_close(
        metric.compute(), concordance(label, output).mean(), atol=1e-3, rtol=0
    )
    metric.reset()
    metric.update(label[:50], label[:50])
    torch.testing.assert_close(metric.compute(), torch.tensor(1.0))


def test_predictions_of_views_are_averaged() -> None:
    network = MeanOfFrames(num_frames=2, image_size=4).eval()
    network.collector = PredictionCollector(2, classes=False)
    views = [random_frames(3, 2, 4, seed=seed) for seed in range(3)]
    batch = {
        "frames": views[0],
        "views": views,
        "label": torch.zeros(3, 2),
        "index": torch.arange(3),
    }
    with torch.no_grad():
        expected = torch.stack([network(view) for view in views]).mean(dim=0)
        torch.testing.assert_close(network.evaluate(batch), expected)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_data_of_classes_is_refused(tmp_path: Path) -> None:
    data = NoiseDataModule(num_frames=2, image_size=4)
    data.target_names = ()  # type: ignore[attr-defined]
    trainer = Trainer(
        accelerator="cpu", logger=False, max_epochs=1, barebones=True, default_root_dir=tmp_path
    )
    with pytest.raises(UserError, match="predicts valence, arousal and the data names classes"):
        trainer.fit(MeanOfFrames(num_frames=2, image_size=4), data)
