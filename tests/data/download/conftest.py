"""A server with one file."""

import hashlib
from collections.abc import Iterator

import pytest

from emorec.data.download import patience
from emorec.data.download.download import RemoteFile
from tests.data.download.one_file import CONTENT, NAME
from tests.zenodo_server import (
    ZenodoServer,
    zenodo,
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ZenodoServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(patience, "BACKOFF_SECONDS", 0.01)
    with zenodo({NAME: CONTENT}) as running:
        yield running


@pytest.fixture
def remote(server: ZenodoServer) -> RemoteFile:
    digits = hashlib.md5(CONTENT).hexdigest()
    return RemoteFile(server.url(NAME), len(CONTENT), f"md5:{digits}")
