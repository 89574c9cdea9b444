"""Tiny clips of all actors, and a data module that makes frames of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emorec.data import RavdessDataModule


@pytest.fixture
def data_of(drawn_clips: Path, tmp_path: Path) -> Callable[..., RavdessDataModule]:
    """A data module of small frames with a cache of its own, set up for a training."""

    def make(**settings: Any) -> RavdessDataModule:
        small = {"num_frames": 3, "image_size": 32, "batch_size": 4, "num_workers": 0}
        cache = str(tmp_path / "cache")
        data = RavdessDataModule(root=str(drawn_clips), **{"cache": cache, **small, **settings})
        data.setup("fit")
        return data

    return make
