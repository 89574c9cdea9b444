"""A download ends with the right file or with none, whatever the server does on the way."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path

import pytest
import requests

from emorec import __version__
from emorec.data.download import patience
from emorec.data.download.download import TRIES, WRONG_FILES, RemoteFile, download
from emorec.data.download.patience import StoppedError
from emorec.errors import UserError
from tests.zenodo_server import (
    Answer,
    Misbehaviour,
    ZenodoServer,
    announce,
    append,
    chunked,
    compressed,
    drop,
    ignore_range,
    say,
    tree,
    without_length,
    wrong_byte,
    wrong_range,
    zenodo,
)

NAME = "a.zip"
CONTENT = b"".join(number.to_bytes(2) for number in range(20_000))


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


def endless(answer: Answer) -> None:
    """Sends more than the file and does not say how much."""
    append(bytes(9000))(answer)
    without_length(answer)


def ranges(server: ZenodoServer) -> list[str | None]:
    return [asked for _, asked in server.asked]


def test_a_file_arrives_whole_and_alone(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    seen: list[int] = []
    download(remote, tmp_path / "new" / NAME, seen.append)
    assert tree(tmp_path) == {f"new/{NAME}": CONTENT}
    assert seen[-1] == len(CONTENT)
    assert seen == sorted(seen)
    assert server.agents == {f"emorec/{__version__}"}


def test_a_right_file_is_not_asked_for_again(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    seen: list[int] = []
    download(remote, tmp_path / NAME, seen.append)
    assert server.asked == []
    assert seen == [len(CONTENT)]


def test_a_wrong_file_of_that_name_is_replaced(remote: RemoteFile, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(bytes(len(CONTENT)))
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}


def test_after_a_broken_line_it_goes_on_where_it_was(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    server.misbehave[NAME] += [drop(10_000), drop(5_000)]
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}
    assert ranges(server) == [None, "bytes=10000-", "bytes=15000-"]
    assert server.sent == len(CONTENT)


def test_a_part_of_an_earlier_call_is_used(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:12_345])
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}
    assert ranges(server) == ["bytes=12345-"]


@pytest.mark.parametrize(
    "part", [b"something else", bytes(len(CONTENT)), CONTENT + b"and more"], ids=len
)
def test_a_part_of_another_file_is_noticed_and_not_used(
    remote: RemoteFile, tmp_path: Path, part: bytes
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(part)
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}


def test_a_whole_part_needs_no_server(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT)
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}
    assert server.asked == []


def test_a_line_that_breaks_between_chunks_is_noticed(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    def broken(answer: Answer) -> None:
        chunked(answer)
        drop(10 * (1000 + len("3e8\r\n\r\n")))(answer)

    server.misbehave[NAME] += [broken]
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}
    assert ranges(server) == [None, "bytes=10000-"]


def test_a_server_that_ignores_ranges_makes_it_start_over(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path
) -> None:
    server.misbehave[NAME] += [drop(10_000), ignore_range]
    seen: list[int] = []
    download(remote, tmp_path / NAME, seen.append)
    assert tree(tmp_path) == {NAME: CONTENT}
    assert server.sent == 10_000 + len(CONTENT)
    assert any(later < earlier for earlier, later in pairwise(seen))


@pytest.mark.parametrize(
    "misbehaviour",
    [
        wrong_byte,
        wrong_range,
        announce(1000),
        announce(-1000),
        append(b"extra"),
        without_length,
        chunked,
        compressed,
        say(500),
        say(502),
        say(503),
        say(504),
        say(429),
        say(429, Retry_After="soon"),
        say(416),
        say(206, b"no range told"),
        say(200, b"an error page, with a status that says all is well"),
        drop(0),
    ],
)
def test_whatever_a_server_does_once_is_made_up_for(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path, misbehaviour: Misbehaviour
) -> None:
    server.misbehave[NAME] += [misbehaviour]
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}


@pytest.mark.parametrize(
    "misbehaviour", [wrong_byte, wrong_range, announce(-1000), drop(1), say(416)]
)
def test_nor_does_it_matter_while_it_goes_on_with_a_part(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path, misbehaviour: Misbehaviour
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:100])
    server.misbehave[NAME] += [misbehaviour]
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}


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


@pytest.mark.parametrize("misbehaviour", [None, drop(10_000), without_length, chunked])
def test_a_file_of_unknown_length_arrives_too(
    server: ZenodoServer, tmp_path: Path, misbehaviour: Misbehaviour | None
) -> None:
    server.misbehave[NAME] += [misbehaviour] if misbehaviour else []
    digits = hashlib.sha256(CONTENT).hexdigest()
    download(RemoteFile(server.url(NAME), None, f"sha256:{digits}"), tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}


def test_an_empty_file_arrives_too(server: ZenodoServer, tmp_path: Path) -> None:
    server.files["none"] = b""
    remote = RemoteFile(server.url("none"), 0, f"md5:{hashlib.md5(b'').hexdigest()}")
    download(remote, tmp_path / "none")
    assert tree(tmp_path) == {"none": b""}


@pytest.mark.parametrize(
    "digits", ["", "md5:", "d41d8cd98f00b204e9800998ecf8427e", "sha1:" + 40 * "0"]
)
def test_a_hash_that_is_none_is_refused(digits: str) -> None:
    with pytest.raises(ValueError, match="is no md5"):
        RemoteFile("http://a.org/a", 1, digits)


@pytest.mark.parametrize("waiting", [False, True], ids=["while bytes come", "while it waits"])
def test_it_can_be_stopped_and_goes_on_later(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path, waiting: bool
) -> None:
    server.bytes_a_second = 40_000
    if waiting:
        server.misbehave[NAME] += [drop(10_000), say(503, Retry_After="60")]
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    begin = time.monotonic()
    with pytest.raises(StoppedError):
        download(remote, tmp_path / NAME, stop=stop)
    assert time.monotonic() - begin < 5
    (part,) = tree(tmp_path).values()
    assert 0 < len(part) < len(CONTENT)
    assert CONTENT.startswith(part)
    server.misbehave.clear()
    download(remote, tmp_path / NAME)
    assert tree(tmp_path) == {NAME: CONTENT}


def test_downloads_of_one_file_at_once_wait_for_each_other(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.bytes_a_second = 80_000
    threads = [threading.Thread(target=download, args=(remote, tmp_path / NAME)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tree(tmp_path) == {NAME: CONTENT}
    assert server.sent == len(CONTENT)
    assert "waiting for another process" in caplog.text


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


def test_starting_over_is_told(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.misbehave[NAME] += [wrong_byte]
    with caplog.at_level(logging.WARNING):
        download(remote, tmp_path / NAME)
    assert f"{NAME}: expected md5 " in caplog.text
    assert caplog.text.rstrip().endswith("; downloading it again")
