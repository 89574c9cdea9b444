"""Faces are cut out once, by one area a clip, and clips without one are told of, left out or refused."""

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorec.data import RavdessDataModule
from emorec.data.faces.boxes import clip_box, crop, crop_area
from emorec.data.faces.detector import FaceDetector
from emorec.data.resize import resized, size_to_crop
from emorec.data.synthetic.clips import write_dataset
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.video.reader import decode, linspace_indices
from emorec.errors import UserError
from emorec.picture_size import Size
from tests import videos

FACELESS = "01-01-03-01-01-01-05.mp4"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn face, in which OpenCV's cascade finds it, as a clip of each person, and one clip that shows none."""
    root = tmp_path_factory.mktemp("faces")
    settings = ClipSettings(width=160, height=112, num_frames=3, sound=False)
    write_dataset(root / "drawn", actors=[1], takes=1, settings=settings, num_workers=0)
    (drawn,) = root.rglob("01-01-03-*.mp4")
    (root / "faces").mkdir()
    for actor in range(1, 23):
        shutil.copy(drawn, root / "faces" / FACELESS.replace("05.mp4", f"{actor:02}.mp4"))
    videos.write_video(root / "faces" / FACELESS, 6)
    return root / "faces"


def data(root: Path, tmp_path: Path, **arguments: Any) -> RavdessDataModule:
    small = {"num_frames": 3, "image_size": 56, "batch_size": 4, "num_workers": 0}
    faces = {"face": "crop", "face_detector": "haar", "cache": str(tmp_path / "cache")}
    module = RavdessDataModule(str(root), **{**small, **faces, **arguments})
    module.prepare_data()
    module.setup("fit")
    return module


@pytest.mark.parametrize("size", [(56, 56), (60, 100)])
def test_every_frame_of_a_clip_is_cut_by_the_area_around_its_face(
    root: Path, tmp_path: Path, size: Size
) -> None:
    module = data(root, tmp_path, image_size=size)
    clip = next(clip for clip in module.sides["train"] if clip.actor == 4)
    frames = decode(clip.path, lambda there: linspace_indices(there, 3)).frames
    box = clip_box(frames, FaceDetector("haar")).box
    assert box is not None
    larger = size_to_crop(size)
    face = resized(crop(frames, crop_area(box, larger)), larger)
    assert np.array_equal(module.source(clip), face)
    assert not np.array_equal(face, resized(frames, larger))


def test_a_clip_without_a_face_keeps_its_centre_and_is_told_and_recorded(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = data(root, tmp_path)
    clip = next(clip for clip in module.sides["train"] if clip.path.name == FACELESS)
    frames = decode(clip.path, lambda there: linspace_indices(there, 3)).frames
    assert np.array_equal(module.source(clip), resized(frames, size_to_crop((56, 56))))
    (said,) = [text for text in caplog.messages if "no face is found in" in text]
    assert "1 of 22 clips" in said
    assert FACELESS in said
    record = module.split_record()
    assert record["faceless"] == [FACELESS]
    assert record["face_detector"].startswith("haar opencv")


def test_a_clip_without_a_face_can_be_left_out_or_refused(root: Path, tmp_path: Path) -> None:
    module = data(root, tmp_path, face_missing="skip")
    assert module.split_record()["skipped"] == [FACELESS]
    assert len(module.sides["train"]) == 19
    with pytest.raises(UserError, match=rf"1 of 22 clips can't be used: .*{FACELESS}"):
        data(root, tmp_path, face_missing="error")


def test_faces_need_a_cache(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data.face crop needs a cache"):
        data(root, tmp_path, cache="none")


def test_whole_pictures_and_faces_do_not_share_a_cache(root: Path, tmp_path: Path) -> None:
    data(root, tmp_path)
    data(root, tmp_path, face="none")
    names = sorted(path.name for path in (tmp_path / "cache").glob("*.frames"))
    assert [name.rpartition("-")[0] for name in names] == [
        "3x64x64-face-decord",
        "3x64x64-shorter_side-decord",
    ]


def test_no_face_is_looked_for_twice(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="emorec")
    data(root, tmp_path)
    data(root, tmp_path)
    assert len([text for text in caplog.messages if text.startswith("decoded 2 clips")]) == 1
