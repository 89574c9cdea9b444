"""Locks that a kill releases, and heartbeats of runs on other machines."""

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


def test_a_run_of_this_machine_is_abandoned_once_nobody_holds_its_folder(tmp_path: Path) -> None:
    attributes = {"machine": machine_id(), "folder": str(tmp_path)}
    with FolderLock(tmp_path) as lock:
        assert lock.acquire()
        assert not FolderLock(tmp_path).acquire()
        assert not Heartbeats().is_abandoned(0, attributes)
    assert is_unlocked(tmp_path)
    assert Heartbeats().is_abandoned(0, attributes)


def test_a_run_of_another_machine_is_abandoned_once_its_sign_of_life_stands_still() -> None:
    now = 0.0
    heartbeats = Heartbeats(silent_seconds=100, clock=lambda: now)
    assert not heartbeats.is_abandoned(0, {"machine": "other", "beat": {"number": 1}})
    now = 90.0
    assert not heartbeats.is_abandoned(0, {"machine": "other", "beat": {"number": 2}})
    now = 180.0
    assert not heartbeats.is_abandoned(0, {"machine": "other", "beat": {"number": 2}})
    now = 191.0
    assert heartbeats.is_abandoned(0, {"machine": "other", "beat": {"number": 2}})


def test_half_a_line_at_the_end_of_a_journal_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    for before, after in ((b"1\n2\n3", b"1\n2\n"), (b"1\n", b"1\n"), (b"", b""), (b"1", b"")):
        path.write_bytes(before)
        cut_to_whole_lines(path)
        assert path.read_bytes() == after


def test_whoever_locks_a_journal_finds_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    path.write_bytes(b"1\n2")
    lock = JournalLock(path)
    assert lock.acquire()
    assert path.read_bytes() == b"1\n"
    lock.release()
    assert JournalLock(path).acquire()


def test_the_lock_of_a_killed_process_is_taken_over(
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
