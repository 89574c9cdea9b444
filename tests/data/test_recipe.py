"""What shapes the frames of a clip, written down and read again."""

import json

import pytest

from emorec.data.recipe import Recipe
from emorec.picture_size import Size


@pytest.mark.parametrize("size", [(8, 8), (60, 100)])
def test_it_is_written_down_and_read_again(size: Size) -> None:
    recipe = Recipe(num_frames=2, size=size, resize="squash")
    assert Recipe.of(json.loads(json.dumps(recipe.plain()))) == recipe


def test_what_an_earlier_version_kept_of_squares_is_still_known() -> None:
    plain = {"num_frames": 2, "side": 8, "resize": "squash", "decoder": "decord"}
    assert Recipe.of(plain) == Recipe(num_frames=2, size=(8, 8), resize="squash")


def test_no_two_sizes_share_a_name() -> None:
    sizes = [(8, 8), (8, 16), (16, 8), (16, 16)]
    names = [Recipe(num_frames=2, size=size).name for size in sizes]
    assert len(set(names)) == 4
    assert [name.partition("-")[0] for name in names] == ["2x8x8", "2x8x16", "2x16x8", "2x16x16"]
