"""The model specification in exported files."""

import json

import pytest

from emorec.errors import UserError
from emorec.inference.spec import SPEC_FORMAT, ModelSpec, describe_inputs
from tests.inference.specs import make_spec


@pytest.mark.parametrize("size", [(28, 28), (60, 100)])
def test_a_spec_round_trips_through_json(size: tuple[int, int]) -> None:
    spec = make_spec(image_size=size)
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_format_1_stored_the_image_size_as_one_number() -> None:
    fields = {**json.loads(make_spec().to_json()), "format": 1, "image_size": 28}
    assert ModelSpec.from_json(json.dumps(fields)) == make_spec(image_size=(28, 28))


@pytest.mark.parametrize(("stored", "face"), [(True, "crop"), (False, "none")])
def test_format_2_stored_whether_faces_are_cropped(stored: bool, face: str) -> None:
    fields = {**json.loads(make_spec().to_json()), "format": 2, "face": stored}
    assert ModelSpec.from_json(json.dumps(fields)) == make_spec(face=face)


@pytest.mark.parametrize("size", [0, [60], [1, 2, 3]])
def test_an_invalid_image_size_is_refused(size: object) -> None:
    fields = {**json.loads(make_spec().to_json()), "image_size": size}
    with pytest.raises(UserError, match="give the pixels of a side"):
        ModelSpec.from_json(json.dumps(fields))


def test_a_newer_format_is_refused() -> None:
    fields = {**json.loads(make_spec().to_json()), "format": SPEC_FORMAT + 1}
    with pytest.raises(UserError, match="this emorec is too old"):
        ModelSpec.from_json(json.dumps(fields))


def test_inputs_are_described() -> None:
    clip = describe_inputs(make_spec(num_frames=20, image_size=(60, 100), resize="squash"))[
        "frames"
    ]
    assert clip.startswith("uint8 (batch, 20, 60, 100, 3), RGB, evenly spaced over about 1 s")
    assert "scaled to 69 x 114 pixels and cropped to the central 60 x 100" in clip
    assert "evenly spaced" not in describe_inputs(make_spec(num_frames=1))["frames"]
    aligned = describe_inputs(make_spec(face="align", image_size=(224, 224)))["frames"]
    assert "left eye near (163.0, 103.8)" in aligned
    assert "scaled to 256 x 256 pixels" in aligned
