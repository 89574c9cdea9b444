"""Where the cache is."""

from pathlib import Path

import pytest

from emorec.data.cache.folders import cache_folder


def test_the_cache_is_where_its_variable_or_the_users_cache_folder_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMOREC_CACHE", "/fast")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/fast")
    monkeypatch.delenv("EMOREC_CACHE")
    assert cache_folder() == Path("/elsewhere/emorec")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/home/someone/.cache/emorec")
