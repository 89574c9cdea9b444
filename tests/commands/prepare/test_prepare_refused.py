"""What goes wrong is a line, and loses nothing."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emorec.data.download.ravdess_archives import UNFINISHED
from emorec.data.download.zenodo import ZENODO_VARIABLE
from tests.commands.prepare.asked import FIRST, Said, clips
from tests.zenodo_server import (
    ZenodoServer,
    say,
    tree,
    wrong_byte,
    zipped,
)


def test_an_archive_that_fails_does_not_lose_the_others_and_all_failures_are_listed(
    failed: Callable[..., tuple[str, str]], said: Said, server: ZenodoServer, root: Path
) -> None:
    bad = ["Video_Speech_Actor_02.zip", "Video_Speech_Actor_03.zip"]
    server.always = {bad[0]: wrong_byte, bad[1]: say(403)}
    output, line = failed("--actors", "1-4")
    assert "2 of 4 archives could not be had" in line
    for name in bad:
        assert f"{name}: failed (" in output
        assert sum(name in text and "│" in text for text in output.splitlines()) == 1
    assert f"{bad[0]}: expected md5 " in output
    assert f"can't get {bad[1]}: {server.url(bad[1])} says 403" in output
    there = clips(range(1, 5))
    assert tree(root) == {
        name: content for name, content in there.items() if name[:8] not in ("Actor_02", "Actor_03")
    }
    server.always.clear()
    said("--actors", "1-4")
    assert tree(root) == there


def test_one_failure_is_one_line(
    failed: Callable[..., tuple[str, str]], server: ZenodoServer
) -> None:
    server.always[FIRST] = wrong_byte
    output, line = failed("--actors", "1")
    assert f"error: {FIRST}: expected md5 " in line
    assert line.endswith("--from FOLDER takes archives that were downloaded by other means")
    assert "incomplete" not in output


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([("../../outside.mp4", b"x")], "would leave the folder"),
        ([("Actor_01/setup.exe", b"x")], "does not belong there"),
        ([("Actor_01/01-01-01-01-01-01-01.mp4", b"x")], "lacks 59 of 60 files"),
    ],
)
def test_an_archive_that_is_not_what_it_should_be_is_refused(
    failed: Callable[..., tuple[str, str]],
    server: ZenodoServer,
    root: Path,
    members: list[tuple[str, bytes]],
    reason: str,
) -> None:
    server.files[FIRST] = zipped(members)
    _, line = failed("--actors", "1")
    assert reason in line
    assert set(tree(root.parent)) == {f"ravdess/{UNFINISHED}/{FIRST}"}


def test_too_little_disk_is_said_before_anything_is_done(
    failed: Callable[..., tuple[str, str]],
    server: ZenodoServer,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("emorec.cli.commands.prepare_archives.free_bytes", lambda _: 100_000)
    _, line = failed("--actors", "1-4")
    assert f"not enough disk in {root}: " in line
    assert "are needed and 100.0 kB are free (make room, choose fewer --actors" in line
    assert [name for name, _ in server.asked] == [""]
    assert not root.exists()


def test_a_disk_that_gets_full_is_one_line_and_ends_all(
    failed: Callable[..., tuple[str, str]],
    said: Said,
    server: ZenodoServer,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextmanager
    def full(path: Path) -> Iterator[None]:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
        yield

    with monkeypatch.context() as patch:
        patch.setattr("emorec.data.download.archive.whole_file", full)
        output, line = failed("--actors", "1-4", "--num_downloads", "1")
    assert "error: the disk is full: can't write " in line
    assert "Actor_01" in line
    assert "failed" not in output
    assert FIRST in {name for name, _ in server.asked}
    assert "Video_Speech_Actor_04.zip" not in {name for name, _ in server.asked}
    said("--actors", "1-4")
    assert tree(root) == clips(range(1, 5))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--actors", "25"], "no actor 25: RAVDESS has 1 to 24"),
        (["--actors", "x"], "actors is 'x': write numbers and ranges"),
        (["--actors", "18", "--channel", "song"], "actor 18 did not sing"),
        (["--num_downloads", "0"], "num_downloads is 0: it has to be at least 1"),
        (["--num_downloads", "many"], "num_downloads is many: it takes a whole number"),
        (["--channel", "opera"], "channel is opera: choose speech, song or both"),
        (["--from", "none"], "no such folder: none (--from is where"),
        (["--from"], "a value is missing after --from"),
        (["--form", "x"], "--form: there is no such option, did you mean --from?"),
        (["--dryrun"], "--dryrun: there is no such option, did you mean --dry_run?"),
        (["iemocap"], "dataset is iemocap: choose ravdess"),
        (["ravdess", "ravdess"], "ravdess: there is no option before it"),
        (["--root", __file__], "is no folder: name one with --root DIR"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_done(
    failed: Callable[..., tuple[str, str]],
    server: ZenodoServer,
    root: Path,
    words: list[str],
    line: str,
) -> None:
    output, said = failed(*words)
    assert line in said
    assert output == ""
    assert server.asked == []
    assert not root.exists()


def test_without_a_folder_it_asks_for_one(
    failed: Callable[..., tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMOREC_RAVDESS_ROOT")
    _, line = failed()
    assert "no folder for ravdess: name it with --root DIR or EMOREC_RAVDESS_ROOT" in line


def test_without_a_network_it_says_what_can_be_done(
    failed: Callable[..., tuple[str, str]], monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.setenv(ZENODO_VARIABLE, "http://127.0.0.1:1")
    _, line = failed()
    assert "can't get the list of files of Zenodo's record 1188976: " in line
    assert "Connection refused (tried 4 times; try again later); --from FOLDER takes" in line
    assert not root.exists()
