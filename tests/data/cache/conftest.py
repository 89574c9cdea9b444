"""Looks through clips."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from emorec.data.cache import decode_process
from emorec.data.cache.look_through import BrokenClip
from tests.data.cache.looked import FAKE_WORKER, check_clips


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[BrokenClip]]:
    return partial(check_clips, workers=2, folder=tmp_path / "cache")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Puts the fake worker in place; says which clips it was asked about since the last call."""
    log = tmp_path / "asked.txt"
    log.touch()
    monkeypatch.setenv("ASKED", str(log))
    monkeypatch.setattr(decode_process, "WORKER", (sys.executable, "-c", FAKE_WORKER))

    def names() -> list[str]:
        lines = log.read_text().splitlines()
        log.write_text("")
        return sorted(Path(line).name for line in lines)

    return names
