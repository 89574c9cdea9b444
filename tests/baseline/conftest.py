"""A data module of tiny clips of all actors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emorec.data import RavdessDataModule


@pytest.fixture
def data_of(drawn_clips: Path, tmp_path: Path) -> Callable[..., RavdessDataModule]:
    """Return a function that sets up a data module of small frames with its own cache."""

    def make(**settings: Any) -> RavdessDataModule:
        small = {"num_frames": 3, "image_size": 32, "batch_size": 4, "num_workers": 0}
        cache = str(tmp_path / "cache")
        data = RavdessDataModule(root=str(drawn_clips), **{"cache": cache, **small, **settings})
        data.setup("fit")
        return data

    return make
