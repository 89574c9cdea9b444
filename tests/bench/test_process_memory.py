"""Memory that grows is told from memory that does not."""

import multiprocessing
import subprocess
import sys
import time

import pytest

from emorec.bench.process_memory import growth, only_worker, resident_bytes
from emorec.errors import UserError

TAKES_MEMORY = """
print(flush=True)
input()
taken = b"x" * 50_000_000
print(flush=True)
input()
"""


def test_what_a_process_takes_is_seen() -> None:
    # a process of its own: this one may hand out again what an earlier test gave back
    with subprocess.Popen(
        [sys.executable, "-c", TAKES_MEMORY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        before = resident_bytes(process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        assert resident_bytes(process.pid) - before == pytest.approx(50_000_000, rel=0.1)
        process.communicate(b"\n")


def test_a_process_that_is_gone_is_an_error() -> None:
    with pytest.raises(UserError, match="can't tell how much memory process 4194999 holds"):
        resident_bytes(4_194_999)  # above the largest id there can be


@pytest.mark.parametrize(
    ("samples", "grown"),
    [
        ([10, 100] + [100] * 8, 0.0),  # the warm-up does not count
        ([100] * 9 + [110], 0.1),
        ([100] * 5 + [130] + [100] * 4, 0.3),  # nor is a peak forgotten
        ([100], 0.0),
    ],
)
def test_growth_is_what_comes_after_the_warm_up(samples: list[int], grown: float) -> None:
    assert growth(samples) == pytest.approx(grown)


@pytest.mark.usefixtures("no_other_children")
def test_the_one_worker_is_found() -> None:
    with pytest.raises(RuntimeError, match="expected one child"):
        only_worker()
    child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(30,))
    child.start()
    try:
        assert only_worker() == child.pid
    finally:
        child.kill()
        child.join()
