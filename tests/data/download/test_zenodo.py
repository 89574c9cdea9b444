"""What Zenodo says of a record becomes files to download, or one line."""

import hashlib
import json
from collections.abc import Iterator

import pytest

from emorec.data.download import patience
from emorec.data.download.download import RemoteFile
from emorec.data.download.zenodo import ZENODO_VARIABLE, record_files, zenodo_address
from emorec.errors import UserError
from tests.zenodo_server import (
    Misbehaviour,
    ZenodoServer,
    chunked,
    compressed,
    drop,
    say,
    zenodo,
)

RECORD = 1188976
FILES = {"Video_Speech_Actor_01.zip": b"one", "Audio_Speech_Actors_01-24.zip": b"other"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ZenodoServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(patience, "BACKOFF_SECONDS", 0.01)
    with zenodo(FILES) as running:
        monkeypatch.setenv(ZENODO_VARIABLE, running.address + "/")
        yield running


def test_files_come_with_address_size_and_hash(server: ZenodoServer) -> None:
    assert record_files(RECORD) == {
        name: RemoteFile(
            f"{server.address}/api/records/1188976/files/{name}/content",
            len(content),
            f"md5:{hashlib.md5(content).hexdigest()}",
        )
        for name, content in FILES.items()
    }
    assert {file.name for file in record_files(RECORD).values()} == set(FILES)


@pytest.mark.parametrize("way", [chunked, compressed])
def test_the_list_may_come_in_other_ways(server: ZenodoServer, way: Misbehaviour) -> None:
    server.always[""] = way
    assert set(record_files(RECORD)) == set(FILES)


def test_without_the_variable_it_is_zenodo_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ZENODO_VARIABLE, raising=False)
    assert zenodo_address() == "https://zenodo.org"


@pytest.mark.parametrize(
    "misbehaviour", [say(503), say(429, Retry_After="0"), say(500), drop(0), drop(50)]
)
def test_what_passes_is_waited_for(server: ZenodoServer, misbehaviour: Misbehaviour) -> None:
    server.misbehave[""] += [misbehaviour, misbehaviour]
    assert set(record_files(RECORD)) == set(FILES)
    assert len(server.asked) == 3


def test_a_server_in_trouble_for_long_is_given_up(server: ZenodoServer) -> None:
    server.always[""] = say(503)
    said = "can't get the list of files of Zenodo's record 1188976: the server says 503 .*tried 4 times"
    with pytest.raises(UserError, match=said):
        record_files(RECORD)


@pytest.mark.usefixtures("server")
def test_a_record_that_is_not_there_is_said() -> None:
    with pytest.raises(UserError, match=r"record 7: http.*/api/records/7 says 404"):
        record_files(7)


def listing(**changes: object) -> bytes:
    file = {
        "key": "a.zip",
        "size": 3,
        "checksum": "md5:" + 32 * "0",
        "links": {"self": "http://x/a"},
    }
    return json.dumps({"files": [file | changes]}).encode()


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>please log in to the hotel's network</html>",
        b"",
        b"[]",
        b"null",
        b'{"files": null}',
        b'{"files": [{"key": "a.zip"}]}',
        b"\xff\xfe",
        listing(checksum="crc:1"),
        listing(checksum=None),
        listing(size="large"),
        listing(size=None),
        listing(links=[]),
        listing(links={}),
    ],
)
def test_an_answer_that_is_no_list_of_files_is_said(server: ZenodoServer, answer: bytes) -> None:
    server.always[""] = say(200, answer)
    with pytest.raises(
        UserError, match=r"/api/records/1188976 answers with something that is no list"
    ):
        record_files(RECORD)


@pytest.mark.parametrize("address", ["nonsense", "ftp://a.org", "http://[::1"])
def test_a_mirror_s_address_that_is_none_is_said(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(ZENODO_VARIABLE, address)
    with pytest.raises(UserError, match="can't get the list of files"):
        record_files(RECORD)
