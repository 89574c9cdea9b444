"""Files of a Zenodo record, or a one-line error."""

import hashlib
from collections.abc import Iterator

import pytest

from emorec.data.download import http
from emorec.data.download.http import RemoteFile
from emorec.data.download.zenodo import ZENODO_VARIABLE, record_files, zenodo_url
from emorec.errors import UserError
from tests.zenodo_server import (
    Misbehaviour,
    ZenodoServer,
    chunked,
    compressed,
    respond_with,
    zenodo,
)

RECORD = 1188976
FILES = {"Video_Speech_Actor_01.zip": b"one", "Audio_Speech_Actors_01-24.zip": b"other"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ZenodoServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.01)
    with zenodo(FILES) as zenodo_server:
        monkeypatch.setenv(ZENODO_VARIABLE, zenodo_server.address + "/")
        yield zenodo_server


def test_files_have_url_size_and_hash(server: ZenodoServer) -> None:
    assert record_files(RECORD) == {
        name: RemoteFile(
            name,
            f"{server.address}/api/records/1188976/files/{name}/content",
            len(content),
            f"md5:{hashlib.md5(content).hexdigest()}",
        )
        for name, content in FILES.items()
    }


def test_the_default_server_is_zenodo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ZENODO_VARIABLE, raising=False)
    assert zenodo_url() == "https://zenodo.org"


@pytest.mark.parametrize(
    "misbehaviour",
    [chunked, compressed, respond_with(503), respond_with(429, Retry_After="0"), respond_with(500)],
)
def test_the_file_list_is_retried_and_decoded(
    server: ZenodoServer, misbehaviour: Misbehaviour
) -> None:
    server.misbehave[""] += [misbehaviour]
    assert set(record_files(RECORD)) == set(FILES)


@pytest.mark.parametrize(
    ("misbehaviour", "reason"),
    [
        (respond_with(503), "answers 503"),
        (respond_with(404), "answers 404"),
        (
            respond_with(200, b"<html>please log in to the hotel's network</html>"),
            "not answer with JSON",
        ),
        (respond_with(200, b"null"), "not answer with a list of files"),
        (respond_with(200, b'{"files": null}'), "not answer with a list of files"),
        (respond_with(200, b'{"files": [{"key": "a.zip"}]}'), "not answer with a list of files"),
    ],
)
def test_a_response_without_a_file_list_is_one_line(
    server: ZenodoServer, misbehaviour: Misbehaviour, reason: str
) -> None:
    server.always[""] = misbehaviour
    with pytest.raises(UserError, match=reason) as error:
        record_files(RECORD)
    assert "/api/records/1188976" in str(error.value)
    assert "\n" not in str(error.value)
