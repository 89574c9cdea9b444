"""A full or read-only disk ends the run with one line, and saved files are kept."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emorec import checkpoint
from tests.bad_input.tiny_run import BEST, CHECKPOINTS, LAST, TAKE, checkpoint_bytes, fit, resume


@contextmanager
def full_disk(largest_file: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_while_saving_a_checkpoint_keeps_the_previous_one(
    run: Path, error_of: Callable[..., str]
) -> None:
    before = checkpoint_bytes(run)
    with full_disk(4_000_000):
        line = error_of(*resume())
    assert ".ckpt" in line
    assert "make room" in line
    assert checkpoint_bytes(run) == before
    assert checkpoint.read(LAST).epochs == 1


@pytest.mark.parametrize("folder", ["clips/" + TAKE.format(1), "/proc/nowhere"])
def test_a_log_folder_that_cant_be_created_is_named(
    clips: Path, error_before_writing: Callable[..., str], folder: str
) -> None:
    line = error_before_writing(*fit("--trainer.default_root_dir", folder))
    assert f"{folder}/lightning_logs" in line
    assert "--trainer.default_root_dir" in line


def test_a_report_that_cant_be_written_is_named(
    run: Path, error_before_writing: Callable[..., str]
) -> None:
    (CHECKPOINTS.parent / "test").write_text("in the way")
    assert "can't write" in error_before_writing("test", "--ckpt", str(BEST))
