"""It is stopped, killed, and called twice."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from emorec.data.download.lock import locked
from emorec.data.download.ravdess_archives import UNFINISHED
from tests.commands.prepare.asked import ARCHIVES, FIRST, NO_FRAMES, Said, clips
from tests.program import PATIENCE_SECONDS, started, wait_for
from tests.zenodo_server import (
    ZenodoServer,
    say,
    tree,
)


def test_what_a_killed_call_left_is_tidied_up(said: Said, root: Path) -> None:
    said("--actors", "1-2")
    (root / UNFINISHED).mkdir()
    left = [
        *(root / UNFINISHED / name for name in (".lock", FIRST, f"{FIRST}.part", f".{FIRST}.lock")),
        root / "Actor_01" / ".01-01-01-01-01-01-01.mp4.unfinished",
    ]
    for path in left:
        path.write_bytes(b"half")
    assert said("--actors", "1-2").startswith("nothing to do")
    assert tree(root) == clips(range(1, 3))
    assert not (root / UNFINISHED).exists()


def test_two_calls_on_one_folder_do_not_meet(
    failed: Callable[..., tuple[str, str]], said: Said, root: Path
) -> None:
    with locked(root / UNFINISHED / ".lock", wait=False):
        _, line = failed("--actors", "1")
    assert f"another emorec prepare is at work in {root}: wait until it has ended" in line
    said("--actors", "1")
    with locked(root / UNFINISHED / ".lock", wait=False):
        assert said("--actors", "1").startswith("nothing to do")


@pytest.mark.parametrize("moment", ["while bytes come", "while it waits", "while nobody answers"])
def test_ctrl_c_ends_it_soon_and_the_same_command_goes_on(
    said: Said, server: ZenodoServer, root: Path, moment: str
) -> None:
    server.bytes_a_second = 20_000
    if moment == "while it waits":
        server.always = dict.fromkeys(ARCHIVES, say(429, Retry_After="100"))
    if moment == "while nobody answers":
        server.always = dict.fromkeys(ARCHIVES, lambda _: time.sleep(20))
    words = ("prepare", "--root", str(root), "--actors", "1-3", *NO_FRAMES)
    with started(*words, cwd=root.parent, **os.environ) as process:
        wait_for(lambda: len(server.asked) > 3, process)
        time.sleep(0.3)
        begin = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert time.monotonic() - begin < 6
    assert process.returncode == 130
    assert output.splitlines()[-1] == "stopped; the same command goes on from here"
    assert "Traceback" not in errors
    assert {Path(name).suffix for name in tree(root)} <= {".part", ".lock"}
    assert moment != "while bytes come" or any(tree(root).values())
    server.always, server.bytes_a_second = {}, None
    said("--actors", "1-3")
    assert tree(root) == clips(range(1, 4))
