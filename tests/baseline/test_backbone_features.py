"""Frozen features are what torchvision's network gives, pooled over the frames."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

from emorec.baseline.backbone_features import BackboneFeatures
from emorec.baseline.feature_store import FeatureStore
from emorec.data import RavdessDataModule
from emorec.errors import UserError


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(3)
    return torchvision.models.mobilenet_v2(weights=None).eval()


@pytest.fixture(scope="module")
def weights(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mobilenet_v2.pth"
    torch.save(network.state_dict(), path)
    return path


def features_of(weights: Any, **changed: Any) -> BackboneFeatures:
    settings = {"weights": str(weights), "num_frames": 3, "image_size": 32, "seed": 0}
    return BackboneFeatures("mobilenet_v2", **{**settings, **changed})


def test_pooled_features_are_those_of_plain_torch_on_the_same_frames(
    network: Any, weights: Path, data_of: Callable[..., RavdessDataModule]
) -> None:
    data = data_of()
    clips = data.sides["val"][:3]
    found = FeatureStore(features_of(weights)).features(data, clips)
    mean = torch.tensor([0.485, 0.456, 0.406])
    sd = torch.tensor([0.229, 0.224, 0.225])
    for clip, row in zip(clips, found, strict=True):
        frames = torch.from_numpy(data.read_frames(clip)).float() / 255  # (T, 36, 36, C)
        edge = (frames.shape[1] - 32) // 2
        crop = frames[:, edge : edge + 32, edge : edge + 32]
        with torch.no_grad():
            maps = network.features(((crop - mean) / sd).permute(0, 3, 1, 2))
        each = maps.mean(dim=(2, 3))  # (T, 1280)
        expected = torch.cat([each.mean(dim=0), each.std(dim=0, correction=0)])
        np.testing.assert_allclose(row, expected.numpy(), rtol=1e-3, atol=1e-5)


def test_cost_and_size_are_the_published_ones() -> None:
    whole = features_of("none", image_size=224, num_frames=1)
    assert whole.num_parameters == 3_504_872 - 1_281_000
    assert whole.gflops_per_clip == pytest.approx(0.301, abs=0.002)


def test_random_weights_are_those_of_the_seed_and_leave_others_draws_alone() -> None:
    before = torch.random.get_rng_state()
    one, again, other = (features_of("none", seed=seed).version for seed in (1, 1, 2))
    assert one == again != other
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is no state dict"),
        (b"no weights at all", "is no state dict"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=complaint):
        features_of(path)


def test_weights_of_another_network_are_refused_with_the_option_that_names_it(
    weights: Path,
) -> None:
    with pytest.raises(UserError, match="--backbone, now resnet18, says whose weights they are"):
        BackboneFeatures("resnet18", weights=str(weights), num_frames=3, image_size=32, seed=0)
