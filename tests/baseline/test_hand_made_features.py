"""HOG sees the direction of edges, landmarks where a face is."""

from pathlib import Path

import numpy as np
import pytest

from emorec.baseline.hog import HogFeatures
from emorec.baseline.landmarks import LandmarkFeatures
from emorec.data.decoding.decode import Frames
from emorec.errors import UserError
from tests.yunet_stand_in import stand_in_onnx


def striped(degrees: float, contrast: float = 100.0) -> Frames:
    """(1, 128, 128, 3): a wave whose brightness changes in one direction alone."""
    y, x = np.mgrid[:128, :128]
    angle = np.deg2rad(degrees)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) / 6)
    return np.repeat((128 + contrast * wave)[None, ..., None], 3, axis=3).astype(np.uint8)


@pytest.mark.parametrize("degrees", [10, 50, 90, 130, 170])
def test_all_of_hog_is_in_the_bin_of_the_one_direction_there_is(degrees: float) -> None:
    features = HogFeatures()(striped(degrees))
    assert features.shape == (1, 7 * 7 * 4 * 9)
    of_bins = features.reshape(-1, 9).sum(axis=0)
    assert of_bins.argmax() == degrees // 20  # bins are 20 degrees wide
    assert of_bins.max() > 0.6 * of_bins.sum()


def test_hog_is_the_same_in_less_light() -> None:
    bright, dim = (HogFeatures()(striped(30, contrast)) for contrast in (100, 50))
    # not quite, as OpenCV takes the roots of grey levels first
    assert np.abs(bright - dim).mean() < 0.1 * bright.mean()


@pytest.fixture
def yunet(tmp_path: Path) -> str:
    """A file with YuNet's outputs whose faces are red squares, and whose points are their cell's corner."""
    path = tmp_path / "stand_in.onnx"
    path.write_bytes(stand_in_onnx())
    return str(path)


def test_the_box_is_where_the_face_is_and_a_frame_without_one_is_not_known(yunet: str) -> None:
    frames = np.zeros((2, 320, 320, 3), np.uint8)
    frames[0, 128:160, 64:96, 0] = 255  # one cell of 32 pixels, the face is 3 by 4 of them
    with_face, without = LandmarkFeatures(yunet)(frames)
    assert np.isnan(without).all()
    left, top, width, height = with_face[10:]
    assert (width, height) == pytest.approx((96 / 320, 128 / 320), abs=1e-4)
    assert left + width / 2 == pytest.approx(80 / 320, abs=1e-4)
    assert top + height / 2 == pytest.approx(144 / 320, abs=1e-4)
    corner = ((64 - 80 + 48) / 96, (128 - 144 + 64) / 128)
    np.testing.assert_allclose(with_face[:10].reshape(5, 2), [corner] * 5, atol=1e-4)


def test_a_cascade_marks_no_landmarks() -> None:
    with pytest.raises(UserError, match="haar, which marks no landmarks: choose yunet or a file"):
        LandmarkFeatures("haar")
