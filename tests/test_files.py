"""Files are written atomically."""

import multiprocessing
import resource
import signal
import time
from pathlib import Path

import pytest

from emorec.io import atomic_write


def test_an_exception_while_writing_keeps_the_previous_file(tmp_path: Path) -> None:
    target = tmp_path / "numbers.txt"
    target.write_bytes(b"former")

    def write_and_raise() -> None:
        with atomic_write(target) as file:
            file.write(b"half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_raise()
    assert target.read_bytes() == b"former"
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.txt"]


@pytest.mark.parametrize("name", ["x" * 255, "п" * 125 + ".json", "ab"])
def test_every_name_that_fits_can_be_written(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    with atomic_write(target) as file:
        file.write(b"1")
        (partial,) = tmp_path.iterdir()
        assert partial.name.startswith(".")
        # another file is written at the same time
        with atomic_write(target.with_name(f"{name[:-1]}y")) as other:
            other.write(b"2")
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [b"1", b"2"]


def _write_beyond_the_limit(target: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    with atomic_write(target) as file:
        file.write(b"x" * 2000)


def test_a_full_disk_keeps_the_previous_file(tmp_path: Path) -> None:
    target = tmp_path / "numbers.txt"
    target.write_bytes(b"former")
    writer = multiprocessing.get_context("fork").Process(
        target=_write_beyond_the_limit, args=(target,)
    )
    writer.start()
    writer.join()
    assert writer.exitcode == 1
    assert target.read_bytes() == b"former"
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.txt"]


def _rewrite_forever(target: Path) -> None:
    for number in range(10**9):
        with atomic_write(target) as file:
            file.write(bytes([number % 256]) * 100_000)


def test_a_kill_at_any_time_leaves_a_complete_file(tmp_path: Path) -> None:
    target = tmp_path / "numbers.bin"
    target.write_bytes(bytes(100_000))
    for trial in range(10):
        writer = multiprocessing.get_context("fork").Process(
            target=_rewrite_forever, args=(target,)
        )
        writer.start()
        time.sleep(0.01 + 0.007 * trial)
        writer.kill()
        writer.join()
        content = target.read_bytes()
        assert len(content) == 100_000
        assert len(set(content)) == 1
    with atomic_write(target) as file:  # an unfinished file of a killed process is not an obstacle
        file.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.bin"]
