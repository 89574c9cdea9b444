"""Normalization equals that of torchvision."""

import pytest
import torch
from torch import Tensor
from torchvision.models import ResNet18_Weights
from torchvision.models.video import R3D_18_Weights
from torchvision.transforms.functional import convert_image_dtype, normalize

from emorec.layers.normalize import IMAGENET, KINETICS, Normalize, PixelStatistics


@pytest.fixture
def frames() -> Tensor:
    """(B, T, C, H, W) with memory layout (B, T, H, W, C), as from the loader."""
    stored = torch.randint(0, 256, (2, 4, 6, 5, 3), dtype=torch.uint8)
    return stored.permute(0, 1, 4, 2, 3)


@pytest.mark.parametrize("statistics", [IMAGENET, KINETICS])
def test_normalization_equals_torchvision(statistics: PixelStatistics, frames: Tensor) -> None:
    expected = normalize(convert_image_dtype(frames), *map(list, statistics))
    torch.testing.assert_close(Normalize(statistics)(frames), expected)


def test_the_statistics_equal_those_of_the_published_weights() -> None:
    for statistics, weights in [(IMAGENET, ResNet18_Weights), (KINETICS, R3D_18_Weights)]:
        published = weights.DEFAULT.transforms()
        assert (list(statistics.mean), list(statistics.std)) == (published.mean, published.std)


def test_float_pixels_equal_uint8_ones(frames: Tensor) -> None:
    layer = Normalize(IMAGENET)
    assert torch.equal(layer(frames.float()), layer(frames))


def test_frames_keep_their_memory_layout(frames: Tensor) -> None:
    pictures = Normalize(IMAGENET)(frames).flatten(0, 1)
    assert pictures.is_contiguous(memory_format=torch.channels_last)


def test_normalization_adds_nothing_to_a_checkpoint() -> None:
    assert not Normalize(IMAGENET).state_dict()


def test_normalization_stays_float32_under_autocast(frames: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert Normalize(IMAGENET)(frames).dtype == torch.float32
