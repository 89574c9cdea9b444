"""A frozen image network sees a clip once in a training, and nothing but the time it takes is different for that."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor

from emorec.models import CNNLSTM, FrameClassifier, LateFusion
from emorec.models import frame_classifier as module

CLIPS, EPOCHS = 8, 3


class Seen:
    """Counts the pictures that go through a network's backbone."""

    def __init__(self, model: FrameClassifier) -> None:
        self.pictures = 0
        model.backbone.register_forward_hook(self._count)

    def _count(self, _module: Any, given: tuple[Tensor], _features: Tensor) -> None:
        self.pictures += len(given[0])


def network(**own: Any) -> LateFusion:
    torch.manual_seed(0)
    settings = {"weights": "none", "freeze": "all", "lr": 0.01} | own
    return LateFusion(num_frames=2, image_size=32, **settings)


@pytest.fixture
def train(tmp_path: Path, make_data: Any) -> Callable[..., dict[str, Tensor]]:
    """Trains on eight clips of two frames, validates on eight others, and gives the weights."""

    def train(
        model: FrameClassifier, *, augment: Any = False, epochs: int = EPOCHS, **own: Any
    ) -> Any:
        data = make_data(clips=CLIPS, image_size=32)
        data.augment = augment
        fit = pl.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            num_sanity_val_steps=0,
            default_root_dir=tmp_path,
        )
        fit.fit(model, data, weights_only=True, **own)
        fit.save_checkpoint(tmp_path / f"{epochs}.ckpt")
        return model.state_dict()

    return train


def test_each_clip_goes_through_a_frozen_backbone_once(train: Any) -> None:
    model = network()
    seen = Seen(model)
    train(model)
    assert seen.pictures == 2 * (CLIPS + CLIPS)  # frames, of both sides


@pytest.mark.parametrize("augment", [True, "per_frame"])
def test_clips_that_are_augmented_go_through_it_in_every_epoch(train: Any, augment: Any) -> None:
    model = network()
    seen = Seen(model)
    train(model, augment=augment)
    assert seen.pictures == 2 * (CLIPS * EPOCHS + CLIPS)  # those of validation never are


@pytest.mark.parametrize("freeze", ["none", "stages"])
def test_a_backbone_that_learns_sees_everything_in_every_epoch(train: Any, freeze: str) -> None:
    model = network(freeze=freeze)
    seen = Seen(model)
    train(model)
    assert seen.pictures == 2 * EPOCHS * (CLIPS + CLIPS)


@pytest.mark.parametrize("kind", [LateFusion, CNNLSTM])
def test_it_learns_what_it_would_have_learned(
    train: Any, monkeypatch: pytest.MonkeyPatch, kind: type[FrameClassifier]
) -> None:
    def trained() -> dict[str, Tensor]:
        torch.manual_seed(0)
        return train(kind(weights="none", freeze="all", num_frames=2, image_size=32, lr=0.01))

    kept = trained()
    monkeypatch.setattr(FrameClassifier, "_features_are_constant", lambda self: False)
    plain = trained()
    assert plain.keys() == kept.keys()
    for name, value in plain.items():
        torch.testing.assert_close(kept[name], value, rtol=1e-4, atol=1e-5)


def test_a_run_that_goes_on_ends_as_an_undisturbed_one(train: Any, tmp_path: Path) -> None:
    undisturbed = train(network())
    train(network(), epochs=1)
    again = train(network(), ckpt_path=tmp_path / "1.ckpt")
    assert all(torch.equal(undisturbed[name], value) for name, value in again.items())


def test_memory_has_a_limit(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CACHED_BYTES", 4 * 2 * 512 * 4)  # four clips of two frames
    model = network()
    seen = Seen(model)
    train(model)
    kept, others = 4, 2 * CLIPS - 4
    assert seen.pictures == 2 * (kept + EPOCHS * others)


@pytest.mark.parametrize(
    ("freeze", "learns"), [("all", "nothing"), ("stages", "network.layer4."), ("none", "network.")]
)
def test_lightning_leaves_alone_what_is_frozen(train: Any, freeze: str, learns: str) -> None:
    model = network(freeze=freeze)
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    train(model, augment=True)
    after = model.backbone.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {name for name in before if name.startswith(learns)}  # running means too


@pytest.mark.filterwarnings("ignore:Found .* module.* in eval mode")
def test_a_second_training_starts_from_nothing(train: Any) -> None:
    model = network()
    train(model)
    seen = Seen(model)
    train(model)
    assert seen.pictures == 2 * (CLIPS + CLIPS)
