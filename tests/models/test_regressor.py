"""Networks that predict numbers learn by concordance and are measured over whole sets."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from emorec.callbacks.checkpointing import BestAndLast
from emorec.callbacks.images import Pictures, label_group
from emorec.callbacks.run_record import RunRecord
from emorec.errors import UserError
from emorec.evaluation.regression import concordance
from emorec.models import ClipRegressor, FaceClassifier, FaceRegressor
from emorec.models.regressor import MeanConcordance
from tests.models.conftest import NoiseDataModule, random_frames


class MeanOfFrames(ClipRegressor):
    """Valence and arousal by the mean colours of a clip."""

    def __init__(self, **training: Any) -> None:
        super().__init__(**training)
        self.head = nn.Linear(3, 2)

    def forward(self, frames: Tensor) -> Tensor:
        said: Tensor = self.head(self.normalized(frames).mean(dim=(1, 3, 4)))  # (B, 2)
        return said


def brightness_clips(clips: int, seed: int) -> list[dict[str, Tensor]]:
    """Clips of one grey level each, which is their valence; arousal is the opposite."""
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
    torch.manual_seed(0)  # else what ran before decides where it begins, and how far it comes
    network = MeanOfFrames(num_frames=2, image_size=4, lr=0.05, weight_decay=0.0)
    trainer.fit(network, *loaders)
    return trainer


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_a_network_learns_by_concordance_and_its_best_epoch_is_chosen_by_it(tmp_path: Path) -> None:
    trainer = trained(tmp_path)
    network = MeanOfFrames.of(trainer.lightning_module)
    said = network.collected
    assert len(said) == 48
    whole = concordance(said.target.double(), said.predicted.double())
    logged = trainer.callback_metrics
    assert float(logged["val/ccc"]) == pytest.approx(float(whole.mean()), abs=1e-6)
    assert float(logged["val/ccc_arousal"]) == pytest.approx(float(whole[1]), abs=1e-6)
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
    loss = MeanOfFrames().loss_of(output, label)
    torch.testing.assert_close(loss, 1 - concordance(label, output).mean())


def test_an_epoch_s_training_figure_is_that_of_all_its_batches() -> None:
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


def test_views_of_a_clip_are_averaged() -> None:
    network = MeanOfFrames(num_frames=2, image_size=4).eval()
    views = [random_frames(3, 2, 4, seed=seed) for seed in range(3)]
    batch = {"frames": views[0], "views": views}
    with torch.no_grad():
        expected = torch.stack([network(view) for view in views]).mean(dim=0)
        torch.testing.assert_close(network.output_of(batch), expected)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_data_that_names_classes_is_refused(tmp_path: Path) -> None:
    data = NoiseDataModule(num_frames=2, image_size=4)
    data.target_names = ()  # type: ignore[attr-defined]
    trainer = Trainer(
        accelerator="cpu", logger=False, max_epochs=1, barebones=True, default_root_dir=tmp_path
    )
    with pytest.raises(UserError, match="predicts valence, arousal and the data names classes"):
        trainer.fit(MeanOfFrames(num_frames=2, image_size=4), data)


@pytest.mark.parametrize("kind", [FaceClassifier, FaceRegressor])
def test_only_the_last_frame_counts_without_recurrent_layers(kind: Any) -> None:
    network = kind(num_frames=3, image_size=96).eval()
    frames = random_frames(2, 3, 96)
    other = frames.clone()
    other[:, :2] = 0
    with torch.no_grad():
        assert torch.equal(network(frames), network(other))
        assert network(frames).shape == (2, 8 if kind is FaceClassifier else 2)


@pytest.mark.parametrize("kind", [FaceClassifier, FaceRegressor])
def test_both_stages_learn_together(kind: Any) -> None:
    network = kind(num_frames=2, image_size=96, rnn="gru", hidden_sizes=(6,))
    network(random_frames(2, 2, 96)).square().sum().backward()
    grads = [weights.grad for weights in network.parameters()]
    assert all(grad is not None and grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize("kind", [Pictures, RunRecord])
def test_a_run_of_an_older_version_goes_on_from_its_best_epoch(kind: Any) -> None:
    callback = kind()
    callback.load_state_dict({"best_uar": 0.75, "best": None})
    assert callback.state_dict()["best_score"] == 0.75


def test_numbers_are_shown_quadrant_by_quadrant() -> None:
    assert [label_group(pair) for pair in [(-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)]] == [
        0,
        1,
        2,
        3,
    ]
