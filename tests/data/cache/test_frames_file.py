"""Frames come back from their slots as they went in."""

import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

from emorec.data.cache.frames_file import FramesFile
from emorec.errors import UserError

SHAPE = (2, 4, 4, 3)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, SHAPE, dtype=np.uint8)


def filled(path: Path, slots: int = 3) -> FramesFile:
    file = FramesFile(path, SHAPE)
    file.reserve(slots)
    for slot in range(slots):
        file.write(slot, noise(slot))
    return file


def test_every_slot_gives_back_what_was_written_in_any_order_and_after_pickling(
    tmp_path: Path,
) -> None:
    file = filled(tmp_path / "frames")
    for reader in (file, pickle.loads(pickle.dumps(file))):
        for slot in (2, 0, 1):
            assert np.array_equal(reader.read(slot), noise(slot))


def test_the_checksum_is_that_of_the_bytes(tmp_path: Path) -> None:
    file = filled(tmp_path / "frames")
    assert file.write(1, noise(7)) == zlib.crc32(noise(7).tobytes()) == file.checksum(1)
    assert file.checksum(1) != file.checksum(0)


def test_what_is_read_may_be_changed_without_changing_the_file(tmp_path: Path) -> None:
    file = filled(tmp_path / "frames")
    file.read(0)[:] = 0
    assert np.array_equal(file.read(0), noise(0))


def test_room_is_taken_on_the_disk_and_never_given_up(tmp_path: Path) -> None:
    file = filled(tmp_path / "frames")
    for slots in (5, 2):
        file.reserve(slots)
        assert file.path.stat().st_size == 5 * file.slot_bytes
    assert file.path.stat().st_blocks * 512 >= 5 * file.slot_bytes
    assert np.array_equal(file.read(2), noise(2))


def test_a_file_that_was_cut_off_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = filled(tmp_path / "frames")
    with file.path.open("r+b") as opened:
        opened.truncate(2 * file.slot_bytes + 5)
    assert np.array_equal(file.read(1), noise(1))
    assert file.checksum(2) is None
    with pytest.raises(UserError, match=r"frames ends before slot 2"):
        file.read(2)


@pytest.mark.parametrize("frames", [np.zeros((1, 4, 4, 3), np.uint8), np.zeros(SHAPE, np.float32)])
def test_frames_of_another_shape_are_refused(tmp_path: Path, frames: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not"):
        filled(tmp_path / "frames").write(0, frames)
