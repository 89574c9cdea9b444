"""A file arrives, whole, whatever happens on the way."""

import hashlib
import logging
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from emorec import __version__
from emorec.data.download.download import RemoteFile, download
from emorec.data.download.patience import StoppedError
from tests.data.download.one_file import CONTENT, NAME, ranges
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
)


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


def test_starting_over_is_told(
    server: ZenodoServer, remote: RemoteFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.misbehave[NAME] += [wrong_byte]
    with caplog.at_level(logging.WARNING):
        download(remote, tmp_path / NAME)
    assert f"{NAME}: expected md5 " in caplog.text
    assert caplog.text.rstrip().endswith("; downloading it again")
