"""What an exported file says of its network."""

import json

import pytest

from emorec.errors import UserError
from emorec.inference.facts import FORMAT, Facts
from emorec.inference.metadata import inputs_of
from tests.inference.facts import facts


@pytest.mark.parametrize("size", [(28, 28), (60, 100)])
def test_facts_come_back_from_json(size: tuple[int, int]) -> None:
    said = facts(image_size=size)
    assert Facts.from_json(said.to_json()) == said


def test_the_first_format_told_the_side_of_squares() -> None:
    said = {**json.loads(facts().to_json()), "format": 1, "image_size": 28}
    assert Facts.from_json(json.dumps(said)) == facts(image_size=(28, 28))


@pytest.mark.parametrize("size", [0, [60], [1, 2, 3]])
def test_what_is_no_size_is_refused(size: object) -> None:
    said = {**json.loads(facts().to_json()), "image_size": size}
    with pytest.raises(UserError, match="give the pixels of a side"):
        Facts.from_json(json.dumps(said))


def test_a_newer_format_says_that_emorec_is_too_old() -> None:
    said = {**json.loads(facts().to_json()), "format": FORMAT + 1}
    with pytest.raises(UserError, match="this emorec is too old for it"):
        Facts.from_json(json.dumps(said))


def test_what_goes_in_is_told_in_words() -> None:
    clip = inputs_of(facts(num_frames=20, image_size=(60, 100), resize="squash"))["frames"]
    assert clip.startswith("uint8 (batch, 20, 60, 100, 3), RGB, evenly spaced over about 1 s")
    assert "scaled to 69 x 114 pixels and cropped to the central 60 x 100" in clip
    assert "evenly spaced" not in inputs_of(facts(num_frames=1))["frames"]
