"""Uploads and results are there while they are needed, and no longer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emorec.app.rooms import PREFIX, Rooms
from tests.app.fakes import files_below


@pytest.fixture
def rooms(tmp_path: Path) -> Rooms:
    return Rooms(tmp_path)


def uploaded(rooms: Rooms, name: str = "a.mp4", folder: str = "hash") -> Path:
    """As Gradio puts it: into a folder named after its content."""
    path = rooms.uploads / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"film")
    return path


def test_nobody_else_can_look_into_the_rooms(rooms: Rooms) -> None:
    assert rooms.root.stat().st_mode & 0o077 == 0


def test_an_upload_goes_with_its_folder_when_it_is_released(rooms: Rooms) -> None:
    upload = uploaded(rooms)
    rooms.hold(upload, "ann")
    rooms.release(upload, "ann")
    assert list(rooms.uploads.iterdir()) == []


def test_the_same_file_of_two_visitors_stays_until_both_are_answered(rooms: Rooms) -> None:
    upload = uploaded(rooms)
    rooms.hold(upload, "ann")
    rooms.hold(upload, "bo")
    rooms.release(upload, "ann")
    assert upload.is_file()
    rooms.release(upload, "bo")
    assert not upload.exists()


def test_the_next_result_of_a_visitor_replaces_the_former_one(rooms: Rooms) -> None:
    first = rooms.new_result("ann")
    other = rooms.new_result("bo")
    (first.folder / "timeline.csv").touch()
    assert rooms.file(first.token, "timeline.csv")
    second = rooms.new_result("ann")
    assert not first.folder.exists()
    assert rooms.file(first.token, "timeline.csv") is None
    assert second.folder.is_dir()
    assert other.folder.is_dir()


def test_who_leaves_leaves_nothing(rooms: Rooms) -> None:
    upload, result = uploaded(rooms), rooms.new_result("ann")
    rooms.hold(upload, "ann")
    (result.folder / "annotated.mp4").touch()
    rooms.leave("ann")
    assert files_below(rooms.root) == []
    assert rooms.is_gone("ann")
    rooms.hold(uploaded(rooms), "ann")  # a page that was loaded anew
    assert not rooms.is_gone("ann")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "..", "", "other.mp4"])
def test_an_address_leads_to_no_other_file(rooms: Rooms, name: str) -> None:
    result = rooms.new_result("ann")
    (result.folder.parent / "secret").touch()
    assert rooms.file(result.token, name) is None
    assert rooms.file("guessed", "timeline.csv") is None
    assert rooms.file("", "results") is None


def test_only_what_was_sent_here_is_an_upload(rooms: Rooms, tmp_path: Path) -> None:
    outside = tmp_path / "mine.mp4"
    outside.touch()
    link = rooms.uploads / "link.mp4"
    link.symlink_to(outside)
    assert rooms.is_upload(uploaded(rooms))
    for path in (outside, link, rooms.uploads / ".." / "x", Path("/etc/passwd")):
        assert not rooms.is_upload(path)
        rooms.release(path, "ann")
    assert outside.exists()


def test_sweeping_takes_what_is_old_and_not_in_use(rooms: Rooms) -> None:
    held, broken_off = uploaded(rooms), rooms.uploads / "tmpabc"
    broken_off.write_bytes(b"half a film")
    new = uploaded(rooms, folder="new")
    rooms.hold(held, "ann")
    old, fresh = rooms.new_result("ann"), rooms.new_result("bo")
    for path in (held.parent, broken_off, old.folder):
        os.utime(path, (0, 0))
    rooms.sweep(60)
    assert held.is_file()
    assert new.is_file()
    assert not broken_off.exists()
    assert not old.folder.exists()
    assert fresh.folder.is_dir()


def test_closing_takes_everything(rooms: Rooms, tmp_path: Path) -> None:
    uploaded(rooms)
    rooms.new_result("ann")
    rooms.close()
    assert list(tmp_path.iterdir()) == []
    rooms.close()


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f"{PREFIX}{ended.pid}-abc").mkdir()
    mine = Rooms(tmp_path)
    (tmp_path / f"{PREFIX}notes").mkdir()
    other = Rooms(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(
        [mine.root, other.root, tmp_path / f"{PREFIX}notes"]
    )
