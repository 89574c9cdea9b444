"""A data module of tiny clips of all actors."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emorec.data import RavdessDataModule
from tests.conftest import write_once

SMALL = {"num_frames": 3, "image_size": 32, "batch_size": 4, "num_workers": 0}


@pytest.fixture(scope="session")
def cached_frames(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cache of the small frames alone, which each test copies."""

    def write(cache: Path) -> None:
        RavdessDataModule(root=str(drawn_clips), cache=str(cache), **SMALL).setup("fit")  # type: ignore[arg-type]

    return write_once("baseline_cache", write, tmp_path_factory)


@pytest.fixture
def data_of(
    drawn_clips: Path, cached_frames: Path, tmp_path: Path
) -> Callable[..., RavdessDataModule]:
    """Return a function that sets up a data module of small frames with its own cache."""
    shutil.copytree(cached_frames, tmp_path / "cache")

    def make(**settings: Any) -> RavdessDataModule:
        cache = str(tmp_path / "cache")
        data = RavdessDataModule(root=str(drawn_clips), **{"cache": cache, **SMALL, **settings})
        data.setup("fit")
        return data

    return make
