"""Features match torchvision, the direction of edges, and the landmarks and sound of a batch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor

from emorec.baseline.feature_cache import FeatureCache
from emorec.baseline.features import (
    BackboneFeatures,
    HogFeatures,
    LandmarkFeatures,
    SoundFeatures,
    pool_frames,
)
from emorec.data import RavdessDataModule
from emorec.data.audio_embedding import EmbeddingSpec
from emorec.data.functionals import FunctionalsSpec
from emorec.data.landmarks import LEFT_EYE, RIGHT_EYE, LandmarkSpec
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


def test_pooled_features_equal_those_of_plain_torch(
    network: Any, weights: Path, data_of: Callable[..., RavdessDataModule]
) -> None:
    data = data_of()
    clips = data.subsets["val"][:3]
    features = FeatureCache(features_of(weights)).features(data, clips)
    mean = torch.tensor([0.485, 0.456, 0.406])
    sd = torch.tensor([0.229, 0.224, 0.225])
    for clip, row in zip(clips, features, strict=True):
        frames = torch.from_numpy(data.read_frames(clip)).float() / 255  # (T, 36, 36, C)
        edge = (frames.shape[1] - 32) // 2
        crop = frames[:, edge : edge + 32, edge : edge + 32]
        with torch.no_grad():
            maps = network.features(((crop - mean) / sd).permute(0, 3, 1, 2))
        pooled = maps.mean(dim=(2, 3))  # (T, 1280)
        change = pooled[-1] - pooled[0]
        expected = torch.cat([pooled.mean(dim=0), pooled.std(dim=0, correction=0), change])
        np.testing.assert_allclose(row, expected.numpy(), rtol=1e-3, atol=1e-5)


def test_flops_and_parameters_are_the_published_ones() -> None:
    extractor = features_of("none", image_size=224, num_frames=1)
    assert extractor.num_parameters == 3_504_872 - 1_281_000
    assert extractor.gflops_per_clip == pytest.approx(0.301, abs=0.002)


def test_random_weights_follow_the_seed_and_do_not_change_the_global_rng() -> None:
    before = torch.random.get_rng_state()
    one, again, different = (features_of("none", seed=seed).version for seed in (1, 1, 2))
    assert one == again != different
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a state dict"),
        (b"no weights at all", "not a state dict"),
    ],
)
def test_a_broken_file_is_a_one_line_error(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        features_of(path)


def test_weights_of_another_network_are_refused_with_the_matching_option(
    weights: Path,
) -> None:
    with pytest.raises(UserError, match=r"--backbone \(resnet18\) has to match the weights"):
        BackboneFeatures("resnet18", weights=str(weights), num_frames=3, image_size=32, seed=0)


def striped(degrees: float, contrast: float = 100.0) -> Tensor:
    """(1, 3, 128, 128): a wave whose brightness changes in one direction only."""
    y, x = np.mgrid[:128, :128]
    angle = np.deg2rad(degrees)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) / 6)
    return torch.from_numpy(128 + contrast * wave).to(torch.uint8).expand(1, 3, 128, 128)


@pytest.mark.parametrize("degrees", [10, 50, 90, 130, 170])
def test_hog_of_a_wave_is_in_the_bin_of_its_direction(degrees: float) -> None:
    features = HogFeatures()({"frames": striped(degrees)})
    assert features.shape == (1, 7 * 7 * 4 * 9)
    bin_sums = features.reshape(-1, 9).sum(axis=0)
    assert bin_sums.argmax() == degrees // 20  # bins are 20 degrees wide
    assert bin_sums.max() > 0.6 * bin_sums.sum()


def test_hog_does_not_depend_on_contrast() -> None:
    bright, dim = (HogFeatures()({"frames": striped(30, contrast)}) for contrast in (100, 50))
    # only approximately: OpenCV applies gamma correction first
    assert np.abs(bright - dim).mean() < 0.1 * bright.mean()


def face_clip() -> dict[str, Tensor]:
    """Four frames of random landmarks, the second without a face."""
    generator = torch.Generator().manual_seed(0)
    return {
        "landmarks": 100 * torch.rand(4, 478, 3, generator=generator),
        "blendshapes": torch.rand(4, 52, generator=generator),
        "face_present": torch.tensor([True, False, True, True]),
    }


def test_a_moved_turned_and_larger_face_has_the_same_landmark_features() -> None:
    clip = face_clip()
    turn = torch.tensor([[0.0, 3, 0], [-3, 0, 0], [0, 0, 3]])
    moved = {**clip, "landmarks": clip["landmarks"] @ turn + torch.tensor([50.0, 20, 0])}
    extractor = LandmarkFeatures(LandmarkSpec(num_frames=4))
    features, same = extractor(clip), extractor(moved)
    np.testing.assert_allclose(features, same, atol=1e-4)
    shapes = features[:, :-52].reshape(4, 478, 3)
    eyes = shapes[:, LEFT_EYE] - shapes[:, RIGHT_EYE]
    np.testing.assert_allclose(eyes[[0, 2, 3], :2], [(1, 0)] * 3, atol=1e-5)
    only = LandmarkFeatures(LandmarkSpec(num_frames=4), blendshapes_only=True)
    np.testing.assert_array_equal(only(clip), features[:, -52:])


def test_frames_without_a_face_and_clips_without_sound_are_left_out() -> None:
    clip = face_clip()
    features = LandmarkFeatures(LandmarkSpec(num_frames=4), blendshapes_only=True)(clip)
    known = clip["blendshapes"][[0, 2, 3]].numpy()
    np.testing.assert_allclose(
        pool_frames(features, ["mean", "std", "max"]),
        np.concatenate([known.mean(axis=0), known.std(axis=0), known.max(axis=0)]),
        rtol=1e-5,
    )
    sound = SoundFeatures(EmbeddingSpec(network="both", sound_seconds=1.0))
    embedding = torch.rand(3, 608)
    heard, silent = (
        sound({"embedding": embedding, "heard": torch.tensor(each)}) for each in (True, False)
    )
    np.testing.assert_array_equal(heard, embedding.numpy())
    assert np.isnan(pool_frames(silent, ["mean"])).all()


def test_functionals_are_pooled_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emorec.data.functionals.metadata.version", lambda name: "1.0")
    extractor = SoundFeatures(FunctionalsSpec(feature_set="egemaps"))
    row = torch.rand(1, 88)
    clip = {"embedding": row, "heard": torch.tensor(True)}
    pooled = pool_frames(extractor(clip), extractor.statistics)
    np.testing.assert_array_equal(pooled, row[0].numpy())
