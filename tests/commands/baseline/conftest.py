"""`emorec baseline` in a folder of its own."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emorec.cli import main
from tests.commands.baseline.measured_runs import TINY


@pytest.fixture(autouse=True)
def small_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder, a small forest, and the command, wherever its line stands."""
    place = ("Measure simple classifiers.", "emorec.cli.commands.baseline:baseline")
    monkeypatch.setitem(sys.modules["emorec.cli.command"].PROGRAMS, "baseline", place)
    monkeypatch.setattr("emorec.baseline.classifiers.NUM_TREES", 10)
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def measured(drawn_clips: Path) -> Callable[..., list[Path]]:
    """Runs the command and gives the run folders that are new."""

    def run(*words: str, features: str = "hog") -> list[Path]:
        before = set(Path().rglob("version_*"))
        root = ("--data.root", str(drawn_clips), "--features", features)
        main(["baseline", *root, *TINY, *words])
        return sorted(set(Path().rglob("version_*")) - before)

    return run
