"""Uploads and results are deleted as soon as they are not needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emorec.app.sessions import PREFIX, Sessions
from tests.app.fakes import files_below


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    return Sessions(tmp_path)


def uploaded(sessions: Sessions, name: str = "a.mp4", folder: str = "hash") -> Path:
    """Store a file as Gradio does: in a folder named after its hash."""
    path = sessions.uploads / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"film")
    return path


def test_the_folder_is_readable_by_its_owner_only(sessions: Sessions) -> None:
    assert sessions.root.stat().st_mode & 0o077 == 0


def test_a_released_upload_is_deleted_with_its_folder(sessions: Sessions) -> None:
    upload = uploaded(sessions)
    sessions.add_upload(upload, "ann")
    sessions.release_upload(upload, "ann")
    assert list(sessions.uploads.iterdir()) == [sessions.results]


def test_the_same_file_of_two_visitors_stays_until_both_release_it(sessions: Sessions) -> None:
    upload = uploaded(sessions)
    sessions.add_upload(upload, "ann")
    sessions.add_upload(upload, "bo")
    sessions.release_upload(upload, "ann")
    assert upload.is_file()
    sessions.release_upload(upload, "bo")
    assert not upload.exists()


def test_the_next_result_of_a_visitor_replaces_the_previous_one_once_it_is_complete(
    sessions: Sessions,
) -> None:
    first = sessions.new_result("ann")
    of_other_visitor = sessions.new_result("bo")
    (first / "timeline.csv").touch()
    second = sessions.new_result("ann")
    assert first.exists()  # the page shows it
    sessions.delete_results("ann", keep=second)
    assert not first.exists()
    assert second.is_dir()
    assert of_other_visitor.is_dir()


def test_a_visitor_who_leaves_leaves_no_file(sessions: Sessions) -> None:
    upload, result = uploaded(sessions), sessions.new_result("ann")
    sessions.add_upload(upload, "ann")
    (result / "annotated.mp4").touch()
    sessions.end("ann")
    assert files_below(sessions.root) == []
    assert sessions.has_ended("ann")
    sessions.add_upload(uploaded(sessions), "ann")  # the page was reloaded
    assert not sessions.has_ended("ann")


def test_only_regular_files_in_the_upload_folder_are_uploads(
    sessions: Sessions, tmp_path: Path
) -> None:
    outside = tmp_path / "mine.mp4"
    outside.touch()
    link = sessions.uploads / "link.mp4"
    link.symlink_to(outside)
    result = sessions.new_result("ann") / "annotated.mp4"
    result.touch()
    assert sessions.is_upload(uploaded(sessions))
    for path in (outside, link, result, sessions.uploads / ".." / "x", Path("/etc/passwd")):
        assert not sessions.is_upload(path)
        sessions.release_upload(path, "ann")
    assert outside.exists()
    assert result.exists()


def test_a_sweep_deletes_old_files_that_are_not_in_use(sessions: Sessions) -> None:
    held, broken_off = uploaded(sessions), sessions.uploads / "tmpabc"
    broken_off.write_bytes(b"half a film")
    new = uploaded(sessions, folder="new")
    sessions.add_upload(held, "ann")
    old, fresh = sessions.new_result("ann"), sessions.new_result("bo")
    for path in (held.parent, broken_off, old):
        os.utime(path, (0, 0))
    sessions.delete_old(60)
    assert held.is_file()
    assert new.is_file()
    assert not broken_off.exists()
    assert not old.exists()
    assert fresh.is_dir()


def test_closing_deletes_everything(sessions: Sessions, tmp_path: Path) -> None:
    uploaded(sessions)
    sessions.new_result("ann")
    sessions.close()
    assert list(tmp_path.iterdir()) == []
    sessions.close()


def test_folders_of_killed_processes_are_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f"{PREFIX}{ended.pid}-abc").mkdir()
    first = Sessions(tmp_path)
    (tmp_path / f"{PREFIX}notes").mkdir()
    second = Sessions(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(
        [first.root, second.root, tmp_path / f"{PREFIX}notes"]
    )
