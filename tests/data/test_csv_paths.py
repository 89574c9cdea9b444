"""Videos are found where the file says, and where it leaves out folder or ending."""

from pathlib import Path

import pytest

from emorec.data.csv_paths import locate
from emorec.errors import UserError


def touched(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_path_counts_from_the_folder_of_the_file(tmp_path: Path) -> None:
    touched(tmp_path, "here/a.mp4", "b.mp4", "here/in/b.mp4")
    found = locate(tmp_path / "here", ["a.mp4", "../b.mp4", str(tmp_path / "b.mp4")])
    assert [path.resolve().relative_to(tmp_path).as_posix() for path in found.values()] == [
        "here/a.mp4",
        "b.mp4",
        "b.mp4",
    ]


def test_folder_and_ending_may_be_missing(tmp_path: Path) -> None:
    touched(tmp_path, "in/deep/a.avi", "in/b.MP4", "x/c.mov", ".old/a.avi", "in/a.txt")
    found = locate(tmp_path, ["a", "b.MP4", "x/c", "a.avi"])
    names = [path.relative_to(tmp_path).as_posix() for path in found.values()]
    assert names == ["in/deep/a.avi", "in/b.MP4", "x/c.mov", "in/deep/a.avi"]


def test_what_is_nowhere_stays_as_it_was_written(tmp_path: Path) -> None:
    assert locate(tmp_path, ["a", "x/b.mp4"]) == {
        "a": tmp_path / "a",
        "x/b.mp4": tmp_path / "x/b.mp4",
    }


@pytest.mark.parametrize("name", ["a", "a.mp4"])
def test_a_name_that_fits_several_files_is_refused_with_them(name: str, tmp_path: Path) -> None:
    touched(tmp_path, "one/a.mp4", "two/a.mp4")
    with pytest.raises(UserError, match=f"{name} fits 2 files in .*: one/a.mp4, two/a.mp4: write"):
        locate(tmp_path, [name])
