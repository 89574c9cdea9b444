"""The first convolution of early fusion."""

import pytest
import torch
from torch import nn

from emorec.layers.inflate import inflate_frames


@pytest.fixture
def conv() -> nn.Conv2d:
    return nn.Conv2d(3, 8, kernel_size=7, stride=2, padding=3)


@pytest.mark.parametrize("num_frames", [1, 2, 10])
def test_a_clip_that_stands_still_gives_what_its_picture_gave(
    conv: nn.Conv2d, num_frames: int
) -> None:
    picture = torch.randn(2, 3, 20, 24)
    still = picture.repeat(1, num_frames, 1, 1)
    inflated = inflate_frames(conv, num_frames, "mean")
    torch.testing.assert_close(inflated(still), conv(picture))


def test_each_frame_gets_the_filter_of_its_own_colours(conv: nn.Conv2d) -> None:
    inflated = inflate_frames(conv, 4, "mean")
    for frame in range(4):
        of_frame = inflated.weight[:, 3 * frame : 3 * frame + 3]
        torch.testing.assert_close(4 * of_frame, conv.weight)


def test_random_filters_differ_between_frames_and_have_the_spread_of_a_resnet() -> None:
    inflated = inflate_frames(nn.Conv2d(3, 64, 7, bias=False), 10, "random")
    assert not torch.equal(inflated.weight[:, :3], inflated.weight[:, 3:6])
    assert inflated.weight.std().item() == pytest.approx((2 / (64 * 7 * 7)) ** 0.5, rel=0.02)
    assert inflated.bias is None
