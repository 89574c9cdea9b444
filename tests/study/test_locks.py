"""Locks that are released by a kill, and heartbeats of runs on other machines."""

from itertools import count
from pathlib import Path

import pytest

from emorec.study.locks import (
    FolderLock,
    Heartbeats,
    JournalLock,
    cut_to_whole_lines,
    is_unlocked,
    machine_id,
)


def test_a_run_on_this_machine_is_abandoned_when_its_folder_is_unlocked(tmp_path: Path) -> None:
    attributes = {"machine": machine_id(), "folder": str(tmp_path)}
    with FolderLock(tmp_path) as lock:
        assert lock.acquire()
        assert not FolderLock(tmp_path).acquire()
        assert not Heartbeats().is_abandoned(0, attributes)
    assert is_unlocked(tmp_path)
    assert Heartbeats().is_abandoned(0, attributes)


def test_a_run_on_another_machine_is_abandoned_when_its_heartbeat_stops() -> None:
    now = 0.0
    heartbeats = Heartbeats(silent_seconds=100, clock=lambda: now)
    assert not heartbeats.is_abandoned(0, {"machine": "other", "beat": {"number": 1}})
    now = 90.0
    assert not heartbeats.is_abandoned(0, {"machine": "other", "beat": {"number": 2}})
    now = 180.0
    assert not heartbeats.is_abandoned(0, {"machine": "other", "beat": {"number": 2}})
    now = 191.0
    assert heartbeats.is_abandoned(0, {"machine": "other", "beat": {"number": 2}})


def test_an_incomplete_last_line_of_a_journal_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    for before, after in ((b"1\n2\n3", b"1\n2\n"), (b"1\n", b"1\n"), (b"", b""), (b"1", b"")):
        path.write_bytes(before)
        cut_to_whole_lines(path)
        assert path.read_bytes() == after


def test_a_locked_journal_has_only_complete_lines(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    path.write_bytes(b"1\n2")
    lock = JournalLock(path)
    assert lock.acquire()
    assert path.read_bytes() == b"1\n"
    lock.release()
    assert JournalLock(path).acquire()


def test_the_lock_of_a_killed_process_can_be_acquired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "study.journal"
    path.write_bytes(b"1\n")
    assert JournalLock(path).acquire()  # and never released
    seconds = count()
    monkeypatch.setattr("time.monotonic", lambda: float(next(seconds)))
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert JournalLock(path).acquire()
    assert next(seconds) > 30
