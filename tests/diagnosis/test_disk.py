import shutil
from types import SimpleNamespace

import pytest

from emorec.diagnosis.disk import look_at_disk


@pytest.mark.parametrize(("free", "warned"), [(4.9e9, 1), (5.1e9, 0)])
def test_less_than_five_gigabytes_are_warned_of(monkeypatch, tmp_path, free, warned):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert len(look_at_disk({"runs": tmp_path}).warnings) == warned


def test_a_folder_that_does_not_exist_yet_is_measured_where_it_will_lie(tmp_path):
    ((what, found),) = look_at_disk({"runs": tmp_path / "not" / "yet"}).rows
    assert what == "disk for runs"
    assert found.endswith(f"GB free in {tmp_path / 'not' / 'yet'}")
