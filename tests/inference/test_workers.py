"""Items at work in several processes: a killed process, Ctrl-C, and shared cores."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from emorec.inference.workers import WorkerKilledError, map_in_processes, threads_per_process
from tests.program import wait_for


def upper_case_or_die(item: str) -> str:
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return item.upper()


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_only_the_item_that_kills_its_process_has_no_result() -> None:
    tried_again: list[int] = []
    results = dict(
        map_in_processes(upper_case_or_die, ["a", "die", "b"], 2, on_killed=tried_again.append)
    )
    assert isinstance(results.pop("die"), WorkerKilledError)
    assert results == {"a": "A", "b": "B"}
    assert tried_again in ([1], [2])


PROGRAM = """
import sys, time
from pathlib import Path
from emorec.inference.workers import map_in_processes

def work(item):
    if item == "quick":
        return "whole"
    Path(item).touch()
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        return "half"

if __name__ == "__main__":
    try:
        for item, result in map_in_processes(work, ["quick", "b", "c", "d"], 2, on_killed=print):
            print(item, result, flush=True)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends no Ctrl-C to one process")
@pytest.mark.parametrize("group", [False, True])
def test_ctrl_c_keeps_finished_results_and_asks_items_at_work_for_theirs(
    tmp_path: Path, group: bool
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        wait_for(lambda: (tmp_path / "b").exists() and (tmp_path / "c").exists(), process)
        # a terminal sends it to every process, `kill` to one
        (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert sorted(output.splitlines()) == ["b half", "c half", "quick whole"]
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(("former", "threads"), [("8", "4"), ("1", "1")])
def test_processes_share_the_threads_that_one_would_have(
    former: str, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", former)
    with threads_per_process(2):
        assert os.environ["OMP_NUM_THREADS"] == threads
    assert os.environ["OMP_NUM_THREADS"] == former
