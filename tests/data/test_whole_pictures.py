"""Broken pictures of Aff-Wild2 are found before they are reached and count like those that are not there."""

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from emorec.data import AffWild2DataModule, whole_pictures
from emorec.data.affwild2 import find_videos
from tests.affwild2 import write_affwild2

BROKEN = {"video3/00007": "cut off", "video3/00012": "empty", "video4/00001": "no picture"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "cache"))
    return write_affwild2(tmp_path / "root", size=16)


def picture(root: Path, name: str) -> Path:
    return root / "cropped_aligned" / f"{name}.jpg"


def break_some(root: Path) -> None:
    for name, what in BROKEN.items():
        path = picture(root, name)
        whole = path.read_bytes()
        path.write_bytes({"cut off": whole[:-20], "empty": b""}.get(what, b"<html>not found"))


def data_of(root: Path) -> AffWild2DataModule:
    data = AffWild2DataModule(
        root=str(root), num_frames=3, image_size=16, batch_size=8, num_workers=0
    )
    data.prepare_data()
    data.setup("fit")
    return data


def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pictures that are opened from now on."""
    names: list[str] = []
    look = whole_pictures.broken_because

    def watched(path: Path) -> str | None:
        names.append(f"{path.parent.name}/{path.stem}")
        return look(path)

    monkeypatch.setattr(whole_pictures, "broken_because", watched)
    return names


def test_a_broken_picture_is_as_if_it_were_not_there_and_told_once_in_a_line(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in BROKEN:
        picture(root, name).rename(root / name.replace("/", "_"))
    without = data_of(root)
    for name in BROKEN:
        (root / name.replace("/", "_")).rename(picture(root, name))
    break_some(root)
    caplog.set_level(logging.WARNING)
    data = data_of(root)
    assert data.split_record() == without.split_record()
    assert data.split_record()["whose"] == "films"
    batches = [list(each.train_dataloader()) for each in (data, without)]
    for ours, theirs in zip(*batches, strict=True):
        np.testing.assert_array_equal(ours["frames"], theirs["frames"])
    (told,) = caplog.messages
    assert told.startswith(
        "3 pictures can't be read and count like frames without a face, get them anew: "
    )
    for name, what in BROKEN.items():
        assert f"{picture(root, name)} ({what})" in told


def test_pictures_are_looked_at_once_and_broken_ones_each_time(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_some(root)
    names = looked_at(monkeypatch)
    first = data_of(root)
    assert len(names) == sum(len(video.frames) for video in find_videos(root, "va")[0])
    names.clear()
    assert data_of(root).broken == first.broken
    assert sorted(names) == sorted(BROKEN)
    # one comes anew in its place, and one goes
    cv2.imwrite(str(picture(root, "video3/00007")), np.zeros((16, 16, 3), np.uint8))
    picture(root, "video4/00001").unlink()
    assert [path.stem for path, _ in data_of(root).broken] == ["00012"]
    names.clear()
    data_of(root)
    assert names == ["video3/00012"]


def test_a_cache_that_cannot_be_written_to_costs_another_look(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_some(root)
    (tmp_path / "cache").write_text("a file where the folder should be")
    names = looked_at(monkeypatch)
    found = [[path.stem for path, _ in data_of(root).broken] for _ in range(2)]
    assert found == [["00007", "00012", "00001"]] * 2
    assert len(names) == len(set(names)) * 2


def test_pictures_that_are_whole_stay(tmp_path: Path) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    for name, options in (
        ("a.jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        ("b.jpg", [cv2.IMWRITE_JPEG_QUALITY, 100]),
        ("c.png", []),
        ("d.webp", []),
    ):
        path = tmp_path / name
        cv2.imwrite(str(path), faces, options)
        renamed = path.rename(path.with_suffix(".jpg"))
        assert whole_pictures.broken_because(renamed) is None
    padded = tmp_path / "a.jpg"
    padded.write_bytes(padded.read_bytes() + bytes(100))
    assert whole_pictures.broken_because(padded) is None
    assert whole_pictures.broken_because(tmp_path / "none.jpg") == "No such file or directory"
