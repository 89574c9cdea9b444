"""A disk that is full or closed ends the run in one line, and what was saved before stays."""

import re
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emorec import checkpoint
from tests.bad_input.words import BEST, CHECKPOINTS, LAST, TAKE, contents, fit, go_on


@contextmanager
def full_disk(largest_file: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_while_a_checkpoint_is_written_keeps_the_former_one(
    run: Path, failed: Callable[..., str]
) -> None:
    before = contents(run)
    with full_disk(4_000_000):
        said = failed(*go_on())
    assert re.search(r"can't write .*\.ckpt: .*; the former one is kept; make room", said)
    assert contents(run) == before
    assert checkpoint.read(LAST).epochs == 1


@pytest.mark.parametrize("place", ["clips/" + TAKE.format(1), "/proc/nowhere"])
def test_a_log_folder_that_cant_be_made_is_named(
    clips: Path, refused: Callable[..., str], place: str
) -> None:
    said = refused(*fit("--trainer.default_root_dir", place))
    assert f"can't write the run into {place}/lightning_logs" in said
    assert "--trainer.default_root_dir" in said


def test_a_report_that_cant_be_written_is_named(run: Path, refused: Callable[..., str]) -> None:
    (CHECKPOINTS.parent / "test").write_text("in the way")
    assert "can't write into" in refused("test", "--ckpt", str(BEST))
