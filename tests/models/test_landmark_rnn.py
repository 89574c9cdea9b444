"""`LandmarkRNN`: its settings, the geometry that is fitted at the start of a training, mixup, export."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from emorec.errors import UserError
from emorec.evaluation.collector import PredictionCollector
from emorec.layers.geometry import align
from emorec.models import LandmarkRNN
from emorec.models.classifier import mix
from emorec.models.flops import num_parameters
from tests.models.conftest import NoiseDataModule
from tests.models.test_base import trainer

SMALL: dict[str, Any] = {
    "num_classes": 5,
    "num_frames": 4,
    "num_components": 6,
    "hidden_size": 8,
    "dropout": 0.0,
}
NUM_FEATURES = 2 * 24 + 52
"""Of 24 components."""

NETWORKS: dict[str, dict[str, Any]] = {
    "gru": {"bidirectional": True},
    "lstm-max": {"rnn": "lstm", "pool": ["max"], "num_layers": 2},
    "transformer": {"rnn": "transformer", "pool": ["attention", "std"]},
    "none": {"rnn": "none", "pool": ["mean", "std", "max", "min"], "classifier_size": 7},
}


def network(**arguments: Any) -> LandmarkRNN:
    torch.manual_seed(0)
    return LandmarkRNN(**(SMALL | arguments))


def faces(clips: int, num_frames: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Landmarks (B, T, 478, 3) in pixels and blendshapes (B, T, 52), both random."""
    generator = torch.Generator().manual_seed(seed)
    face = 100 * torch.rand(478, 3, generator=generator)
    landmarks = face + 5 * torch.randn(clips, num_frames, 478, 3, generator=generator)
    return landmarks, torch.rand(clips, num_frames, 52, generator=generator)


class FaceDataModule(NoiseDataModule):
    """Random faces in place of frames; the clips of a loader differ by its seed."""

    def loader(self, seed: int) -> DataLoader[Any]:
        landmarks, blendshapes = faces(self.shape[0], seed=seed)
        clips: Any = [
            {
                "landmarks": face,
                "blendshapes": shapes,
                "face_present": torch.ones(len(face), dtype=torch.bool),
                "label": index % 5,
                "index": index,
            }
            for index, (face, shapes) in enumerate(zip(landmarks, blendshapes, strict=True))
        ]
        return DataLoader(clips, batch_size=self.batch_size)


@pytest.mark.parametrize("arguments", NETWORKS.values(), ids=NETWORKS)
def test_every_weight_is_trained_and_the_input_may_have_any_position_and_size(
    arguments: dict[str, Any],
) -> None:
    model = network(**arguments)
    landmarks, blendshapes = faces(2)
    logits = model(landmarks, blendshapes)
    assert logits.shape == (2, 5)
    moved = model(3 * landmarks + 200, blendshapes)
    torch.testing.assert_close(moved, logits, rtol=1e-3, atol=1e-3)
    cross_entropy(logits, torch.tensor([0, 1])).backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []
    assert type(model)(**dict(model.hparams)).hparams == model.hparams
    shapes = [(tuple(each.shape), each.device.type) for each in model.example_inputs]
    assert shapes == [((1, 4, 478, 3), "meta"), ((1, 4, 52), "meta")]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        # 3 gates in both directions; attention of 192 x 96 + 96 + 96; three pooled vectors
        (
            {"bidirectional": True, "pool": ["attention", "mean", "max"]},
            2 * 3 * 96 * (NUM_FEATURES + 96 + 2) + (192 * 96 + 2 * 96) + (3 * 192 + 1) * 8,
        ),
        (
            {"rnn": "none", "pool": ["std", "min"], "classifier_size": 10},
            (2 * NUM_FEATURES + 1) * 10 + 11 * 8,
        ),
    ],
)
def test_the_network_has_the_expected_number_of_parameters(
    arguments: dict[str, Any], expected: int
) -> None:
    assert num_parameters(LandmarkRNN(num_components=24, hidden_size=96, **arguments)) == expected


def test_the_geometry_is_fitted_to_the_training_clips_once(tmp_path: Path) -> None:
    model, data = network(), FaceDataModule(num_frames=4)
    assert not model.geometry.fitted
    trainer(tmp_path).fit(model, data)
    features = torch.cat(
        [
            model.geometry(batch["landmarks"], batch["blendshapes"]).flatten(0, 1)
            for batch in data.train_dataloader()
        ]
    )
    torch.testing.assert_close(features.mean(dim=0), torch.zeros(64), rtol=0, atol=1e-3)
    torch.testing.assert_close(features.std(dim=0, correction=0), torch.ones(64), rtol=0, atol=1e-3)
    fitted = {name: value.clone() for name, value in model.geometry.state_dict().items()}
    restored = network()
    restored.load_state_dict(model.state_dict())
    trainer(tmp_path).fit(restored, FaceDataModule(clips=6, num_frames=4))
    for name, value in restored.geometry.state_dict().items():
        assert torch.equal(value, fitted[name])


def test_the_loss_of_mixup_is_that_of_mixed_features_and_both_labels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = network(mixup=0.4, label_smoothing=0.1)
    landmarks, blendshapes = faces(3)
    label, order, share = torch.tensor([0, 1, 2]), torch.tensor([2, 0, 1]), 0.7
    monkeypatch.setattr("torch.distributions.Beta.sample", lambda _: torch.tensor(1 - share))
    monkeypatch.setattr("torch.randperm", lambda _: order)
    batch = {"landmarks": landmarks, "blendshapes": blendshapes, "label": label}
    logits, loss = model.training_loss(batch)
    features = model.geometry(landmarks, blendshapes)
    mixed = model.mixed_batch(batch, order, share)
    torch.testing.assert_close(mixed["features"], share * features + (1 - share) * features[order])
    target = torch.eye(5)
    target = (share * target[label] + (1 - share) * target[label[order]]) * 0.9 + 0.1 / 5
    torch.testing.assert_close(loss, cross_entropy(logits, target))


def test_a_prediction_of_two_views_is_the_mean_of_a_clip_and_its_mirror_image() -> None:
    model = network().eval()
    model.collector = PredictionCollector(5, classes=True)
    names = ("landmarks", "blendshapes")
    plain, mirrored = (dict(zip(names, faces(3, seed=seed), strict=True)) for seed in range(2))
    views = [torch.zeros(3, 0)] * 2
    labels = {"label": torch.arange(3), "index": torch.arange(3)}
    with torch.no_grad():
        batch = {**plain, **labels, "views": views, "mirrored": mirrored}
        predicted = model.predict_step(batch, 0)["probabilities"]
        expected = [model(*view.values()).softmax(dim=1) for view in (plain, mirrored)]
    torch.testing.assert_close(predicted, torch.stack(expected).mean(dim=0))


def test_masks_and_bytes_can_be_mixed() -> None:
    order = torch.tensor([1, 0])
    assert mix(torch.tensor([True, False]), order, 0.6).tolist() == [True, True]
    frames = torch.tensor([[0], [200]], dtype=torch.uint8)
    torch.testing.assert_close(mix(frames, order, 0.75), torch.tensor([[50.0], [150.0]]))


def test_aligned_landmarks_are_unchanged_by_a_second_alignment() -> None:
    aligned = align(faces(2)[0], (33, 263))
    torch.testing.assert_close(align(aligned, (33, 263)), aligned, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_components": 0}, "model.num_components 0 has to be at least 1"),
        ({"hidden_size": 0}, "model.hidden_size 0 has to be at least 1"),
        ({"classifier_size": -1}, "model.classifier_size -1 has to be at least 0"),
        ({"pool": []}, r"model.pool \[\] has to name one or more"),
        ({"pool": ["max", "max"]}, r"model.pool \['max', 'max'\] has to name .* each once"),
        ({"rnn": "transformer", "bidirectional": True}, "model.bidirectional true: .* leave it"),
        ({"mixup": -0.1}, "mixup -0.1 has to be a number of at least 0"),
    ],
)
def test_invalid_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        network(**arguments)
