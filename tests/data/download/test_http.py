"""A file arrives complete and right, or the error names it, whatever the server does."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from emorec import __version__
from emorec.data.download import http
from emorec.data.download.http import MAX_CORRUPT_FILES, RETRIES, RemoteFile, download
from emorec.errors import UserError
from tests.zenodo_server import (
    Misbehaviour,
    ZenodoServer,
    announce,
    append,
    chunked,
    compressed,
    drop,
    ignore_range,
    respond_with,
    tree,
    without_length,
    wrong_byte,
    wrong_range,
    zenodo,
)

NAME = "a.zip"
CONTENT = b"".join(number.to_bytes(2) for number in range(20_000))
DIGEST = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ZenodoServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.01)
    with zenodo({NAME: CONTENT}) as running:
        yield running


@pytest.fixture
def remote(server: ZenodoServer) -> RemoteFile:
    return RemoteFile(NAME, server.url(NAME), len(CONTENT), f"md5:{DIGEST}")


def ranges(server: ZenodoServer) -> list[str | None]:
    return [requested for _, requested in server.requests]


def test_a_file_arrives_complete_and_alone(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    progress: list[int] = []
    download(remote, tmp_path / "new" / NAME, progress.append)
    assert tree(tmp_path) == {f"new/{NAME}": CONTENT}
    assert progress[-1] == len(CONTENT)
    assert progress == sorted(progress)
    assert server.agents == {f"emorec/{__version__}"}


def test_a_right_file_is_not_requested_again_and_a_wrong_one_is_replaced(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    download(remote, tmp_path / NAME)
    assert server.requests == []
    (tmp_path / NAME).write_bytes(bytes(len(CONTENT)))
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}


def test_after_a_broken_connection_it_resumes(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    server.misbehave[NAME] += [drop(10_000), drop(5_000)]
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}
    assert ranges(server) == [None, "bytes=10000-", "bytes=15000-"]
    assert server.sent == len(CONTENT)


@pytest.mark.parametrize(
    ("part", "requests_made"), [(CONTENT[:12_345], ["bytes=12345-"]), (CONTENT, [])], ids=len
)
def test_the_part_that_an_earlier_call_left_is_used(
    server: ZenodoServer,
    remote: RemoteFile,
    tmp_path: Path,
    part: bytes,
    requests_made: list[str | None],
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(part)
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}
    assert ranges(server) == requests_made


@pytest.mark.parametrize("part", [b"something else", bytes(len(CONTENT)), CONTENT + b"+"], ids=len)
def test_a_part_of_another_file_is_noticed_and_not_used(
    remote: RemoteFile, tmp_path: Path, part: bytes
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(part)
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}


@pytest.mark.parametrize(
    "misbehaviour",
    [
        wrong_byte,
        wrong_range,
        ignore_range,
        announce(1000),
        announce(-1000),
        append(b"extra"),
        without_length,
        chunked,
        compressed,
        respond_with(429),
        respond_with(500),
        respond_with(502),
        respond_with(503),
        respond_with(504),
        respond_with(416),
        respond_with(206, b"no range"),
        respond_with(200, b"an error page with the status of success"),
        drop(0),
        drop(1),
    ],
)
@pytest.mark.parametrize("part", [0, 100])
def test_a_single_failure_of_the_server_does_no_harm(
    server: ZenodoServer,
    remote: RemoteFile,
    tmp_path: Path,
    misbehaviour: Misbehaviour,
    part: int,
) -> None:
    if part:
        (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:part])
    server.misbehave[NAME] += [misbehaviour]
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}


def test_it_waits_as_long_as_the_server_says(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.misbehave[NAME] += [respond_with(429, Retry_After="1")]
    began = time.monotonic()
    download(remote, tmp_path / NAME)
    assert time.monotonic() - began >= 1
    assert "the server answers 429; trying again" in caplog.text


def test_an_empty_file_arrives_too(server: ZenodoServer, tmp_path: Path) -> None:
    empty = RemoteFile("none", server.url("none"), 0, f"md5:{hashlib.md5(b'').hexdigest()}")
    download(empty, tmp_path / "none")
    assert tree(tmp_path) == {"none": b""}


def test_progress_may_stop_it_and_the_next_call_resumes(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(remote, tmp_path / NAME, stop)
    (part,) = tree(tmp_path).values()
    assert CONTENT.startswith(part)
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}


def test_a_connection_that_keeps_breaking_is_used_as_long_as_it_gains(
    monkeypatch: pytest.MonkeyPatch, server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    monkeypatch.setattr(http, "CHUNK_BYTES", 1000)
    server.always[NAME] = drop(1000)
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}


@pytest.mark.parametrize(
    ("misbehaviour", "expected"),
    [
        (respond_with(403), ("answers 403 Forbidden", 1)),
        (respond_with(404), ("answers 404 Not Found", 1)),
        (respond_with(503), ("answers 503 Service Unavailable", RETRIES + 1)),
        (drop(1), (f"{RETRIES + 1} times", RETRIES + 1)),
        (append(b"extra"), ("sends 40,005 bytes instead of 40,000", RETRIES + 1)),
        (respond_with(200, b"<html>"), ("sends 6 bytes instead of 40,000", RETRIES + 1)),
        (wrong_byte, (f"{NAME}: expected md5 {DIGEST}, got ", MAX_CORRUPT_FILES)),
    ],
)
def test_a_lasting_failure_is_one_line(
    server: ZenodoServer,
    remote: RemoteFile,
    tmp_path: Path,
    misbehaviour: Misbehaviour,
    expected: tuple[str, int],
) -> None:
    reason, num_requests = expected
    server.always[NAME] = misbehaviour
    with pytest.raises(UserError) as error:
        download(remote, tmp_path / NAME)
    assert NAME in str(error.value)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
    assert len(server.requests) == num_requests
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1/a.zip", "Connection refused"),
        ("ftp://a.org/a.zip", "ftp"),
        ("http://[::1/a.zip", ""),
        ("a.zip", ""),
    ],
)
@pytest.mark.usefixtures("server")
def test_an_address_without_a_server_is_one_line(tmp_path: Path, url: str, reason: str) -> None:
    with pytest.raises(UserError, match=rf"can't get a\.zip: .*{reason}"):
        download(RemoteFile(NAME, url, 1, "md5:" + 32 * "0"), tmp_path / NAME)


def test_a_certificate_that_cant_be_verified_names_the_remedy(
    remote: RemoteFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise requests.exceptions.SSLError("self-signed certificate")

    monkeypatch.setattr(requests.Session, "get", refuse)
    with pytest.raises(UserError, match=r"can't get a\.zip: the certificate .* REQUESTS_CA_BUNDLE"):
        download(remote, tmp_path / NAME)


def test_a_full_disk_is_one_line(remote: RemoteFile, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / f"{NAME}.part").symlink_to("/dev/full")
    with pytest.raises(UserError, match="the disk is full"):
        download(remote, tmp_path / NAME)


def test_a_folder_that_cant_be_created_is_one_line(remote: RemoteFile, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"can't use .*file"):
        download(remote, tmp_path / "file" / NAME)
