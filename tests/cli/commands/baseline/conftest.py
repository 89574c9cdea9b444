"""Fixtures to run `emorec baseline` in an empty folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from emorec.cli import main
from tests.cli.commands.baseline.measured_runs import TINY


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder, a small forest, and a cache of its own."""
    monkeypatch.setattr("emorec.baseline.model_selection.NUM_TREES", 10)
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def run_baseline(drawn_clips: Path) -> Callable[..., list[Path]]:
    """Return a function that runs the command and returns the new run folders."""

    def run(*arguments: str, features: str = "hog") -> list[Path]:
        before = set(Path().rglob("version_*"))
        root = ("--data.root", str(drawn_clips), "--features", features)
        main(["baseline", *root, *TINY, *arguments])
        return sorted(set(Path().rglob("version_*")) - before)

    return run
