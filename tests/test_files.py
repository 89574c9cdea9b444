"""Files are whole or not there."""

import multiprocessing
import resource
import signal
import time
from pathlib import Path

import pytest

from emorec.io import atomic_write


def test_an_exception_while_writing_leaves_the_former_file(tmp_path: Path) -> None:
    target = tmp_path / "numbers.txt"
    target.write_bytes(b"former")

    def interrupted() -> None:
        with atomic_write(target) as file:
            file.write(b"half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert target.read_bytes() == b"former"
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.txt"]


def _write_more_than_fits(target: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    with atomic_write(target) as file:
        file.write(b"x" * 2000)


def test_a_disk_that_takes_no_more_leaves_the_former_file(tmp_path: Path) -> None:
    target = tmp_path / "numbers.txt"
    target.write_bytes(b"former")
    writer = multiprocessing.get_context("fork").Process(
        target=_write_more_than_fits, args=(target,)
    )
    writer.start()
    writer.join()
    assert writer.exitcode == 1
    assert target.read_bytes() == b"former"
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.txt"]


def _rewrite_for_ever(target: Path) -> None:
    for number in range(10**9):
        with atomic_write(target) as file:
            file.write(bytes([number % 256]) * 100_000)


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "numbers.bin"
    target.write_bytes(bytes(100_000))
    for trial in range(10):
        writer = multiprocessing.get_context("fork").Process(
            target=_rewrite_for_ever, args=(target,)
        )
        writer.start()
        time.sleep(0.01 + 0.007 * trial)
        writer.kill()
        writer.join()
        content = target.read_bytes()
        assert len(content) == 100_000
        assert len(set(content)) == 1
    with atomic_write(target) as file:  # what a kill left half-written does not stand in the way
        file.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.bin"]
