"""A measurement is not made in vain: its file can be written, or that is said before."""

import json
from pathlib import Path

import pytest

from emorec.bench.json_file import refuse_unwritable, write_json
from emorec.errors import UserError


def test_folders_are_made_and_a_former_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "bench.json"
    for number in (1, 2):
        refuse_unwritable(path)
        write_json({"number": number}, path)
    assert json.loads(path.read_text()) == {"number": 2}
    assert [file.name for file in path.parent.iterdir()] == ["bench.json"]


def test_a_place_that_is_no_folder_is_refused_before(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file is no folder; choose another file with --out"):
        refuse_unwritable(tmp_path / "file" / "bench.json")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder: name a file with --out"):
        refuse_unwritable(tmp_path)


def test_what_fails_all_the_same_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"can't write .*: .*; choose another file with --out"):
        write_json({}, tmp_path / "file" / "bench.json")
