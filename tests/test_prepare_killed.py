"""`emorec prepare`, killed and resumed many times, has the result of an uninterrupted call."""

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen

import pytest

from emorec.data.download.ravdess import UNFINISHED_FOLDER, archives_of
from emorec.data.download.zenodo import ZENODO_VARIABLE
from tests.program import PATIENCE_SECONDS, start_emorec
from tests.zenodo_server import ZenodoServer, clip_content, ravdess_zip, tree, zenodo

pytestmark = pytest.mark.slow

NUM_KILLS = 20
CLIP_BYTES = 500
ARCHIVES = archives_of(range(1, 13), "speech")
CLIPS = {
    f"Actor_{name.actor:02d}/{name}.mp4": clip_content(str(name), CLIP_BYTES)
    for archive in ARCHIVES
    for name in archive.clips()
}
FILES = {archive.name: ravdess_zip(archive, CLIP_BYTES) for archive in ARCHIVES}


@pytest.fixture
def server() -> Iterator[ZenodoServer]:
    with zenodo(FILES) as running:
        running.bytes_a_second = 200_000
        yield running


def visible(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files that are not hidden."""
    return {name: content for name, content in files.items() if "/." not in f"/{name}"}


def prepare(root: Path, server: ZenodoServer) -> AbstractContextManager["Popen[str]"]:
    arguments = ("--root", str(root), "--actors", "1-12", "--modality", "both")
    environ = {**os.environ, "NO_PROXY": "127.0.0.1", ZENODO_VARIABLE: server.address}
    return start_emorec(
        "prepare", "ravdess", *arguments, "--cache", "none", cwd=root.parent, **environ
    )


def num_clips(root: Path) -> int:
    return len(list(root.glob("Actor_*/0*.mp4")))


def half_unpacked(files: dict[str, bytes]) -> bool:
    """Return whether any actor has some but not all clips."""
    counts = Counter(name[:8] for name in visible(files))
    return any(count < 120 for count in counts.values())


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [0])
def test_random_kills_do_not_change_the_result(
    server: ZenodoServer, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    root = tmp_path / "killed"
    states, num_restarts = [], 0
    while len(states) < NUM_KILLS:
        # alternately after a number of bytes and of clips
        byte_limit = server.sent + rng.randrange(sum(map(len, FILES.values())) // NUM_KILLS)
        clip_limit = min(num_clips(root) + rng.randrange(1, 12), len(CLIPS) - 1)
        by_clips = len(states) % 2
        with prepare(root, server) as process:
            while process.poll() is None and (
                num_clips(root) < clip_limit if by_clips else server.sent < byte_limit
            ):
                time.sleep(0.002)
            time.sleep(rng.random() * 0.02)
            process.kill()
            _, errors = process.communicate()
        # on a slow machine it may be finished already: start over
        if process.returncode == 0:
            num_restarts += 1
            assert num_restarts < 4
            shutil.rmtree(root)
            continue
        assert process.returncode == -signal.SIGKILL, errors
        remaining = tree(root)
        assert visible(remaining).items() <= CLIPS.items(), "something half-written looks whole"
        states.append((any(name.endswith(".part") for name in remaining), half_unpacked(remaining)))
    downloading, unpacking = (sum(state) for state in zip(*states, strict=True))
    assert min(downloading, unpacking) >= NUM_KILLS // 4, "killed at too few different moments"

    server.bytes_a_second = None
    trees = []
    for folder in (root, tmp_path / "undisturbed"):
        with prepare(folder, server) as process:
            output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, errors
        assert f"1,440 clips of 12 actors are in {folder}" in output
        assert not (folder / UNFINISHED_FOLDER).exists()
        trees.append(tree(folder))
    assert trees[0] == trees[1] == CLIPS
