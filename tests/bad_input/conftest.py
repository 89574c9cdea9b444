"""Working folders with tiny clips, with or without a run, and commands that must fail with one line."""

import shutil
from collections.abc import Callable
from contextlib import chdir
from functools import partial
from pathlib import Path

import pytest

from emorec.cli import main
from tests import videos
from tests.bad_input.tiny_run import TAKE, fit
from tests.refusal import refusal


@pytest.fixture(scope="module")
def whole_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return videos.write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", 8, sound=True)


def copy_clips(clip: Path, folder: Path) -> Path:
    folder.mkdir()
    for actor in range(1, 25):
        videos.write_copy(clip, folder / TAKE.format(actor))
    return folder


@pytest.fixture
def clips(whole_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder `clips` with a clip of each of the 24 actors in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    return copy_clips(whole_clip, tmp_path / "clips")


@pytest.fixture(scope="module")
def trained(whole_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Working folder of a run of one epoch."""
    folder = tmp_path_factory.mktemp("trained")
    copy_clips(whole_clip, folder / "clips")
    with chdir(folder):
        main(fit())
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with clips and a finished run of one epoch."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def error_of(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that runs a failing command and returns its one-line error."""
    return partial(refusal, capsys)


@pytest.fixture
def error_before_writing(error_of: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    """Like `error_of`, and assert that no file was written."""

    def call(*arguments: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        line = error_of(*arguments)
        assert sorted(tmp_path.rglob("*")) == before
        return line

    return call
