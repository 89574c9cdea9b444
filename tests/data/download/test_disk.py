"""Where room is looked for before anything is written."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from emorec.data.download.disk import free_bytes


def test_of_a_folder_that_is_not_made_yet_the_nearest_one_above_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    (tmp_path / "file").touch()
    monkeypatch.setattr(
        shutil, "disk_usage", lambda place: asked.append(place) or SimpleNamespace(free=7)
    )
    for folder in (tmp_path / "not" / "made" / "yet", tmp_path / "file", tmp_path):
        assert free_bytes(folder) == 7
    assert asked == [tmp_path] * 3
