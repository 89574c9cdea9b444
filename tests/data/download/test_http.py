"""Downloads are complete and verified, or fail with one line, for any server failure."""

import hashlib
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
    with zenodo({NAME: CONTENT}) as zenodo_server:
        yield zenodo_server


@pytest.fixture
def remote(server: ZenodoServer) -> RemoteFile:
    return RemoteFile(NAME, server.url(NAME), len(CONTENT), f"md5:{DIGEST}")


def ranges(server: ZenodoServer) -> list[str | None]:
    return [requested for _, requested in server.requests]


def test_a_file_is_downloaded_without_leftovers(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    progress: list[int] = []
    download(remote, tmp_path / "new" / NAME, progress.append)
    assert tree(tmp_path) == {f"new/{NAME}": CONTENT}
    assert progress[-1] == len(CONTENT)
    assert progress == sorted(progress)
    assert server.agents == {f"emorec/{__version__}"}


def test_an_intact_file_is_not_requested_again_and_a_corrupt_one_is_replaced(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    download(remote, tmp_path / NAME)
    assert server.requests == []
    (tmp_path / NAME).write_bytes(bytes(len(CONTENT)))
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}


def test_a_broken_connection_is_resumed(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    server.misbehave[NAME] += [drop(10_000), drop(5_000)]
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}
    assert ranges(server) == [None, "bytes=10000-", "bytes=15000-"]
    assert server.sent == len(CONTENT)


@pytest.mark.parametrize(
    ("part", "expected_ranges"), [(CONTENT[:12_345], ["bytes=12345-"]), (CONTENT, [])], ids=len
)
def test_a_partial_download_is_resumed(
    server: ZenodoServer,
    remote: RemoteFile,
    tmp_path: Path,
    part: bytes,
    expected_ranges: list[str | None],
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(part)
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}
    assert ranges(server) == expected_ranges


@pytest.mark.parametrize("part", [b"something else", bytes(len(CONTENT)), CONTENT + b"+"], ids=len)
def test_a_part_of_another_file_is_discarded(
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
def test_a_single_server_failure_is_retried(
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


def test_retry_after_is_obeyed(
    server: ZenodoServer,
    remote: RemoteFile,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.misbehave[NAME] += [respond_with(429, Retry_After="7")]
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    download(remote, tmp_path / NAME)
    assert waits == [7]
    assert "the server answers 429; trying again" in caplog.text


def test_an_empty_file_is_downloaded(server: ZenodoServer, tmp_path: Path) -> None:
    empty = RemoteFile("none", server.url("none"), 0, f"md5:{hashlib.md5(b'').hexdigest()}")
    download(empty, tmp_path / "none")
    assert tree(tmp_path) == {"none": b""}


def test_an_interrupted_download_is_resumed_by_the_next_call(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(remote, tmp_path / NAME, interrupt)
    (part,) = tree(tmp_path).values()
    assert CONTENT.startswith(part)
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}


def test_retries_are_unlimited_while_the_download_progresses(
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
def test_a_permanent_failure_is_one_line(
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
    def raise_ssl_error(*_: object, **__: object) -> None:
        raise requests.exceptions.SSLError("self-signed certificate")

    monkeypatch.setattr(requests.Session, "get", raise_ssl_error)
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
