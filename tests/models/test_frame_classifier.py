"""Features of a frozen backbone are cached during a training, without changing its result."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from emorec.errors import UserError
from emorec.models import CNNLSTM, FrameClassifier, LateFusion
from emorec.models import frame_classifier as module

CLIPS, EPOCHS = 8, 3


class BackboneCounter:
    """Counts the frames that a network's backbone processes."""

    def __init__(self, model: FrameClassifier) -> None:
        self.pictures = 0
        model.backbone.register_forward_hook(self._count)

    def _count(self, _module: Any, inputs: tuple[Tensor], _features: Tensor) -> None:
        self.pictures += len(inputs[0])


def network(**arguments: Any) -> LateFusion:
    torch.manual_seed(0)
    settings = {"weights": "none", "freeze": "all", "lr": 0.01} | arguments
    return LateFusion(num_frames=2, image_size=32, **settings)


@pytest.fixture
def train(tmp_path: Path, make_data: Any) -> Callable[..., dict[str, Tensor]]:
    """Return a function that trains on eight clips of two frames, validates on eight others."""

    def train(
        model: FrameClassifier, *, augment: Any = False, epochs: int = EPOCHS, **arguments: Any
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
        fit.fit(model, data, weights_only=True, **arguments)
        fit.save_checkpoint(tmp_path / f"{epochs}.ckpt")
        return model.state_dict()

    return train


def test_a_frozen_backbone_processes_each_clip_once(train: Any) -> None:
    model = network()
    counter = BackboneCounter(model)
    train(model)
    assert counter.pictures == 2 * (CLIPS + CLIPS)  # frames, of both sides


@pytest.mark.parametrize("augment", [True, "per_frame"])
def test_augmented_clips_are_processed_in_every_epoch(train: Any, augment: Any) -> None:
    model = network()
    counter = BackboneCounter(model)
    train(model, augment=augment)
    assert counter.pictures == 2 * (CLIPS * EPOCHS + CLIPS)  # validation clips are not augmented


@pytest.mark.parametrize("freeze", ["none", "stages"])
def test_a_trainable_backbone_processes_all_clips_in_every_epoch(train: Any, freeze: str) -> None:
    model = network(freeze=freeze)
    counter = BackboneCounter(model)
    train(model)
    assert counter.pictures == 2 * EPOCHS * (CLIPS + CLIPS)


@pytest.mark.parametrize("kind", [LateFusion, CNNLSTM])
def test_cached_features_give_the_same_weights(
    train: Any, monkeypatch: pytest.MonkeyPatch, kind: type[FrameClassifier]
) -> None:
    def trained() -> dict[str, Tensor]:
        torch.manual_seed(0)
        return train(kind(weights="none", freeze="all", num_frames=2, image_size=32, lr=0.01))

    cached = trained()
    monkeypatch.setattr(FrameClassifier, "_features_are_constant", lambda self: False)
    plain = trained()
    assert plain.keys() == cached.keys()
    for name, value in plain.items():
        torch.testing.assert_close(cached[name], value, rtol=1e-4, atol=1e-5)


def test_a_resumed_run_ends_like_an_uninterrupted_one(train: Any, tmp_path: Path) -> None:
    undisturbed = train(network())
    train(network(), epochs=1)
    again = train(network(), ckpt_path=tmp_path / "1.ckpt")
    assert all(torch.equal(undisturbed[name], value) for name, value in again.items())


def test_the_feature_cache_has_a_size_limit(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CACHED_BYTES", 4 * 2 * 512 * 4)  # four clips of two frames
    model = network()
    counter = BackboneCounter(model)
    train(model)
    num_cached, num_uncached = 4, 2 * CLIPS - 4
    assert counter.pictures == 2 * (num_cached + EPOCHS * num_uncached)


@pytest.mark.parametrize(
    ("freeze", "learns"), [("all", "nothing"), ("stages", "network.layer4."), ("none", "network.")]
)
def test_frozen_parts_are_not_changed_by_lightning(train: Any, freeze: str, learns: str) -> None:
    model = network(freeze=freeze)
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    train(model, augment=True)
    after = model.backbone.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    # names include running means
    assert changed == {name for name in before if name.startswith(learns)}


@pytest.mark.filterwarnings("ignore:Found .* module.* in eval mode")
def test_a_second_training_starts_with_an_empty_cache(train: Any) -> None:
    model = network()
    train(model)
    counter = BackboneCounter(model)
    train(model)
    assert counter.pictures == 2 * (CLIPS + CLIPS)


def test_features_relative_to_the_onset_are_appended() -> None:
    model = network(relative_to_onset=True, fusion="concat").eval()
    frames = torch.randint(256, (2, 2, 3, 32, 32), dtype=torch.uint8)
    features = model.frame_features(frames)  # (B, T, 2 * D)
    assert features.shape == (2, 2, model.num_features) == (2, 2, 1024)
    own, change = features.chunk(2, dim=2)
    torch.testing.assert_close(change, own - own[:, :1])
    assert model(frames).shape == (2, 8)


def test_each_stage_has_its_learning_rate_and_each_parameter_is_trained_once() -> None:
    model = network(freeze="none", layer_decay=0.5, lr=0.64)
    rates = {
        id(parameter): group["lr"]
        for group in model.parameter_groups()
        for parameter in group["params"]
    }
    names = {name: rates[id(parameter)] for name, parameter in model.named_parameters()}
    assert len(names) == sum(len(group["params"]) for group in model.parameter_groups())
    of_stages = {
        ".".join(name.split(".")[2:3]): rate
        for name, rate in names.items()
        if name.startswith("backbone")
    }
    assert of_stages == {
        "conv1": 0.01,
        "bn1": 0.02,
        "layer1": 0.04,
        "layer2": 0.08,
        "layer3": 0.16,
        "layer4": 0.32,
    }
    assert names["classifier.weight"] == 0.64
    assert len(network(freeze="none").parameter_groups()) == 1


def test_stages_with_rates_of_their_own_are_trained_by_the_optimizer(train: Any) -> None:
    model = network(freeze="stages", layer_decay=0.5, scheduler="none", warmup_epochs=0)
    train(model, epochs=1)
    [optimizer] = model.trainer.optimizers
    assert [group["lr"] for group in optimizer.param_groups] == [0.005, 0.01]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer_decay": 0.0}, "model.layer_decay 0 "),
        ({"stochastic_depth": 1.0}, "model.stochastic_depth 1 "),
        ({"backbone": "vgg11", "stochastic_depth": 0.1}, "VGG has no residual blocks"),
        ({"cutmix": -1.0}, "cutmix -1.0"),
    ],
)
def test_settings_that_can_not_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        network(**settings)


def test_a_pasted_rectangle_has_the_loss_of_both_labels_by_area(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = network(cutmix=1.0).eval()
    monkeypatch.setattr("torch.distributions.Beta.sample", lambda _: torch.tensor(0.25))
    monkeypatch.setattr("torch.randperm", lambda _: torch.tensor([1, 0]))
    monkeypatch.setattr("torch.rand", lambda *_: torch.tensor([0.5, 0.5]))
    frames = torch.stack([torch.zeros(2, 3, 32, 32), torch.full((2, 3, 32, 32), 255.0)]).byte()
    label = torch.tensor([0, 1])
    pasted = frames.clone()
    pasted[:, :, :, 8:24, 8:24] = frames.flip(0)[:, :, :, 8:24, 8:24]
    logits = model(pasted)
    monkeypatch.setattr(model, "output", lambda batch: model(batch["frames"]))
    given, loss = model.training_loss({"frames": frames, "label": label})
    torch.testing.assert_close(given, logits)
    expected = 0.75 * cross_entropy(logits, label) + 0.25 * cross_entropy(logits, 1 - label)
    torch.testing.assert_close(loss, expected)
