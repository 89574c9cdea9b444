"""What is waited for, and what is given up."""

import hashlib
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest
import requests

from emorec.data.download import patience
from emorec.data.download.download import TRIES, WRONG_FILES, RemoteFile, download
from emorec.errors import UserError
from tests.data.download.one_file import CONTENT, NAME, endless
from tests.zenodo_server import (
    Misbehaviour,
    ZenodoServer,
    announce,
    append,
    drop,
    say,
    tree,
    wrong_byte,
)


@pytest.mark.parametrize(
    "retry_after",
    [lambda: "1", lambda: formatdate(time.time() + 2, usegmt=True)],
    ids=["seconds", "date"],
)
def test_it_waits_as_long_as_the_server_says(
    server: ZenodoServer,
    remote: RemoteFile,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    retry_after: Callable[[], str],
) -> None:
    server.misbehave[NAME] += [say(429, Retry_After=retry_after())]
    begin = time.monotonic()
    download(remote, tmp_path / NAME)
    assert time.monotonic() - begin >= 1
    assert f"{NAME}: the server says 429 Too Many Requests; trying again in " in caplog.text


def test_it_does_not_wait_for_hours(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    server.misbehave[NAME] += [say(503, Retry_After="7200")]
    with pytest.raises(UserError, match=r"a\.zip: the server says 503 .* asks to wait 120 minutes"):
        download(remote, tmp_path / NAME)


def test_waits_grow(
    monkeypatch: pytest.MonkeyPatch, server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    waits: list[float] = []
    stop = threading.Event()
    monkeypatch.setattr(stop, "wait", lambda seconds: waits.append(seconds) or False)
    monkeypatch.setattr(patience, "BACKOFF_SECONDS", 10.0)
    server.misbehave[NAME] += 5 * [say(503)]
    download(remote, tmp_path / NAME, stop=stop)
    assert waits[0] == 0
    for wait, least in zip(waits[1:], (20, 40, 60, 60), strict=True):
        assert least <= wait <= min(least + 1, patience.LONGEST_BACKOFF_SECONDS)


def test_a_server_in_trouble_for_long_is_given_up_and_the_part_stays(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    server.always[NAME] = say(503)
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:100])
    with pytest.raises(UserError, match=r"can't get a\.zip: the server says 503 .*tried 7 times"):
        download(remote, tmp_path / NAME)
    assert len(server.asked) == TRIES == 7
    assert tree(tmp_path) == {f"{NAME}.part": CONTENT[:100]}


def test_a_line_that_breaks_again_and_again_is_no_reason_to_give_up_while_something_comes(
    monkeypatch: pytest.MonkeyPatch, server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    monkeypatch.setattr("emorec.data.download.download.WORTHWHILE_BYTES", 1000)
    server.always[NAME] = drop(1000)
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}
    assert len(server.asked) == len(CONTENT) // 1000


def test_a_line_that_breaks_before_anything_comes_is_given_up(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    server.always[NAME] = drop(1)
    with pytest.raises(UserError, match=r"can't get a\.zip: the connection broke off \(tried 7"):
        download(remote, tmp_path / NAME)


@pytest.mark.parametrize(
    ("misbehaviour", "said"),
    [
        (
            wrong_byte,
            rf"a\.zip: expected md5 {hashlib.md5(CONTENT).hexdigest()}, got [0-9a-f]{{32}}, 3 times",
        ),
        (endless, r"a\.zip: expected 40,000 bytes, got 4\d,\d{3}, 3 times"),
    ],
)
def test_a_file_that_is_always_wrong_is_refused_and_nothing_of_it_stays(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path, misbehaviour: Misbehaviour, said: str
) -> None:
    server.always[NAME] = misbehaviour
    with pytest.raises(UserError, match=said) as refused:
        download(remote, tmp_path / NAME)
    assert f"get {server.url(NAME)} by other means" in str(refused.value)
    assert len(server.asked) == WRONG_FILES == 3
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    ("misbehaviour", "sent"),
    [(append(b"extra"), "40,005"), (announce(-1), "39,999"), (say(200, b"<html>"), "6")],
)
def test_a_file_of_another_length_is_not_even_read(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path, misbehaviour: Misbehaviour, sent: str
) -> None:
    server.always[NAME] = misbehaviour
    said = rf"can't get a\.zip: the server sends {sent} bytes, and 40,000 were promised \(tried 7 times"
    with pytest.raises(UserError, match=said):
        download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    ("status", "advice"),
    [(403, "turns this computer or network away"), (404, "no such file"), (401, "not help")],
)
def test_a_refusal_is_final(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path, status: int, advice: str
) -> None:
    server.always[NAME] = say(status)
    with pytest.raises(
        UserError, match=rf"can't get a\.zip: http://127.* says {status} .*{advice}"
    ):
        download(remote, tmp_path / NAME)
    assert len(server.asked) == 1


def test_a_certificate_that_cant_be_verified_is_said_at_once(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise requests.exceptions.SSLError("certificate verify failed: self-signed certificate")

    monkeypatch.setattr(requests.Session, "get", refuse)
    with pytest.raises(UserError, match=r"can't get a\.zip: the certificate .* REQUESTS_CA_BUNDLE"):
        download(remote, tmp_path / NAME)


@pytest.mark.parametrize("url", ["ftp://a.org/a.zip", "http://[::1/a.zip", "a.zip"])
def test_an_address_that_is_none_is_said_at_once(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match=r"can't get a\.zip: "):
        download(RemoteFile(url, 1, "md5:" + 32 * "0"), tmp_path / NAME)


@pytest.mark.usefixtures("server")
def test_a_server_that_is_not_there_is_said_in_few_words(tmp_path: Path) -> None:
    nobody = RemoteFile("http://127.0.0.1:1/a.zip", 1, "md5:" + 32 * "0")
    with pytest.raises(
        UserError, match=r"can't get a\.zip: Failed to .*Connection refused \(tried 7 t"
    ):
        download(nobody, tmp_path / NAME)


@pytest.mark.parametrize(
    "digits", ["", "md5:", "d41d8cd98f00b204e9800998ecf8427e", "sha1:" + 40 * "0"]
)
def test_a_hash_that_is_none_is_refused(digits: str) -> None:
    with pytest.raises(ValueError, match="is no md5"):
        RemoteFile("http://a.org/a", 1, digits)


def test_a_full_disk_is_one_line(remote: RemoteFile, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / f"{NAME}.part").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"the disk is full: can't write .*; make room and"):
        download(remote, tmp_path / NAME)


def test_a_folder_that_cant_be_made_is_one_line(remote: RemoteFile, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"can't use .*file.*: (Not a directory|File exists)"):
        download(remote, tmp_path / "file" / NAME)
