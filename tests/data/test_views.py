"""The views of a clip are crops and mirror images that people would cut out by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from emorec.data.transform import ClipTransform
from emorec.data.views import MOST_VIEWS, views_of
from emorec.errors import UserError

BEFORE, SIZE = (32, 48), (28, 42)


def pictures(num_clips: int = 2, num_frames: int = 3) -> Tensor:
    """(B, T, C, H, W) of noise, in the memory order of a batch."""
    rng = np.random.default_rng(0)
    shape = (num_clips, num_frames, *BEFORE, 3)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    return torch.from_numpy(pixels).permute(0, 1, 4, 2, 3)


def test_ten_views_are_the_centre_and_the_corners_and_their_mirror_images() -> None:
    whole = pictures().numpy()
    crops = {
        "centre": whole[..., 2:30, 3:45],
        "top left": whole[..., :28, :42],
        "bottom right": whole[..., 4:, 6:],
        "top right": whole[..., :28, 6:],
        "bottom left": whole[..., 4:, :42],
    }
    expected = [view for crop in crops.values() for view in (crop, crop[..., ::-1])]
    views = views_of(pictures(), SIZE, MOST_VIEWS)
    assert len(views) == len(expected) == 10
    for view, wanted in zip(views, expected, strict=True):
        assert np.array_equal(view.numpy(), wanted)


@pytest.mark.parametrize("number", [1, 2, 5, 9])
def test_fewer_views_are_the_first_ones(number: int) -> None:
    views = views_of(pictures(), SIZE, number)
    assert len(views) == number
    for view, wanted in zip(views, views_of(pictures(), SIZE, MOST_VIEWS), strict=False):
        assert torch.equal(view, wanted)


def test_the_first_view_is_what_is_measured_without_views() -> None:
    clip = pictures(num_clips=1)[0].permute(0, 2, 3, 1).numpy()  # (T, H, W, C)
    (view,) = views_of(pictures(num_clips=1), SIZE, 1)
    assert np.array_equal(view[0].permute(0, 2, 3, 1).numpy(), ClipTransform(SIZE)(clip))


def test_the_pictures_stay_as_they_are() -> None:
    given = pictures()
    for view in views_of(given, SIZE, MOST_VIEWS)[1::2]:  # the mirrored ones
        view.zero_()
    assert torch.equal(given, pictures())


@pytest.mark.parametrize("number", [-1, 0, 11])
def test_other_numbers_are_refused(number: int) -> None:
    with pytest.raises(UserError, match=f"views is {number}: choose 1 to 10"):
        views_of(pictures(), SIZE, number)
