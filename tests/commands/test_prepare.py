"""`emorec prepare ravdess` as people call it, against a server that misbehaves in each way that servers do."""

import errno
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from emorec.cli import main
from emorec.commands.prepare_progress import JobsProgress
from emorec.data.download import patience
from emorec.data.download.download import RemoteFile
from emorec.data.download.lock import locked
from emorec.data.download.ravdess_archives import KEPT, UNFINISHED, RavdessArchive, archives_of
from emorec.data.download.ravdess_jobs import Job
from emorec.data.download.zenodo import ZENODO_VARIABLE
from tests.program import PATIENCE_SECONDS, started, wait_for
from tests.zenodo_server import (
    Misbehaviour,
    ZenodoServer,
    announce,
    append,
    clip_content,
    drop,
    ignore_range,
    ravdess_zip,
    say,
    tree,
    wrong_byte,
    wrong_range,
    zenodo,
    zipped,
)

NO_FRAMES = ("--cache", "none")
"""The clips of these archives are bytes that no decoder takes; see test_prepare_frames for those that are videos."""

FIRST = RavdessArchive(1, "speech").name
ARCHIVES = {archive.name: ravdess_zip(archive) for archive in archives_of(range(1, 5), "both")}


def clips(actors: range, channel: str = "speech", modality: str = "av") -> dict[str, bytes]:
    """What lies in the root in the end."""
    return {
        f"Actor_{name.actor:02d}/{name}.mp4": clip_content(str(name))
        for archive in archives_of(actors, channel)
        for name in archive.clips(modality)
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "ravdess"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, root: Path) -> Iterator[ZenodoServer]:
    """Zenodo, where the command looks for it; the root is said as well."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("EMOREC_RAVDESS_ROOT", str(root))
    monkeypatch.setattr(patience, "BACKOFF_SECONDS", 0.01)
    with zenodo(dict(ARCHIVES)) as running:
        monkeypatch.setenv(ZENODO_VARIABLE, running.address)
        yield running


Said = Callable[..., str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], server: ZenodoServer) -> Said:
    """What `emorec prepare` with some words prints."""

    def call(*words: str) -> str:
        capsys.readouterr()
        main(["prepare", *words, *NO_FRAMES])
        return capsys.readouterr().out

    return call


@pytest.fixture
def failed(
    capsys: pytest.CaptureFixture[str], server: ZenodoServer
) -> Callable[..., tuple[str, str]]:
    """What it prints, and the one line it ends with, when it fails."""

    def call(*words: str) -> tuple[str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["prepare", *words, *NO_FRAMES])
        assert ended.value.code == 2
        output = capsys.readouterr()
        *_, last = output.err.splitlines()
        assert last.startswith("emorec prepare: error: ")
        return output.out, last

    return call


def test_the_clips_are_brought_once(said: Said, server: ZenodoServer, root: Path) -> None:
    first = said("ravdess", "--root", str(root), "--actors", "1-3")
    assert tree(root) == clips(range(1, 4))
    assert first.startswith(
        f"download {3 * len(ARCHIVES[FIRST]) / 1000:.1f} kB and unpack 180 clips"
    )
    assert f"{FIRST}: 60 clips unpacked" in first
    assert f"all 180 clips of 3 actors are in {root} (0 min " in first
    asked = len(server.asked)
    assert said("--actors", "1-3") == f"nothing to do: all 180 clips of 3 actors are in {root}\n"
    assert len(server.asked) == asked == 1 + 3


@pytest.mark.parametrize(
    ("channel", "modality"),
    [("song", "av"), ("both", "video"), ("both", "both")],
)
def test_channel_and_modality_choose_what_is_brought(
    said: Said, root: Path, channel: str, modality: str
) -> None:
    said("--actors", "2,4", "--channel", channel, "--modality", modality)
    assert tree(root) == clips(range(2, 5, 2), channel, modality)


def test_what_is_there_is_not_brought_again(said: Said, server: ZenodoServer, root: Path) -> None:
    said("--actors", "1")
    server.asked.clear()
    assert "unpack 60 clips of 1 archive " in said("--actors", "1-2")
    assert [name for name, _ in server.asked] == ["", "Video_Speech_Actor_02.zip"]
    assert tree(root) == clips(range(1, 3))


@pytest.mark.parametrize(
    "misbehaviour",
    [
        drop(5000),
        drop(0),
        ignore_range,
        wrong_range,
        wrong_byte,
        announce(1000),
        announce(-1000),
        append(b"extra"),
        say(429, Retry_After="1"),
        say(503),
        say(503, Retry_After="1"),
        say(200, b"<html>an error page</html>"),
    ],
)
def test_the_clips_are_the_same_whatever_the_server_does(
    said: Said, server: ZenodoServer, root: Path, misbehaviour: Misbehaviour
) -> None:
    (root / UNFINISHED).mkdir(parents=True)
    (root / UNFINISHED / f"{FIRST}.part").write_bytes(ARCHIVES[FIRST][:3000])
    for name in ARCHIVES:
        server.misbehave[name] += [drop(7000), misbehaviour]
    said("--actors", "1-2")
    assert tree(root) == clips(range(1, 3))


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


@pytest.mark.parametrize("spelling", [("--dry-run",), ("--dry_run",), ("--dry-run", "true")])
def test_a_dry_run_says_what_would_be_done_and_changes_nothing(
    said: Said, server: ZenodoServer, root: Path, spelling: tuple[str, ...]
) -> None:
    output = said("--actors", "1-2", *spelling)
    rows = [line.split("│")[1:-1] for line in output.splitlines() if "│" in line]
    size = f"{len(ARCHIVES[FIRST]) / 1000:.1f} kB"
    assert [[cell.strip() for cell in row] for row in rows] == [
        [name, size, "60", "download, unpack"] for name in (FIRST, "Video_Speech_Actor_02.zip")
    ]
    total = f"{2 * len(ARCHIVES[FIRST]) / 1000:.1f} kB"
    assert (
        f"\ndownload {total} and unpack 120 clips of 2 archives to {root}: takes up to " in output
    )
    assert "free disk" in output
    assert not root.exists()
    assert [name for name, _ in server.asked] == [""]


def test_a_dry_run_knows_what_is_there_already(
    said: Said, server: ZenodoServer, root: Path
) -> None:
    said("--actors", "1")
    (root / UNFINISHED).mkdir()
    half = ARCHIVES["Video_Speech_Actor_02.zip"]
    (root / UNFINISHED / "Video_Speech_Actor_02.zip.part").write_bytes(half[: len(half) // 2])
    third = "Video_Speech_Actor_03.zip"
    (root / UNFINISHED / third).write_bytes(ARCHIVES[third])
    before = tree(root)
    output = said("--actors", "1-3", "--dry-run")
    for name, state in (
        (FIRST, "nothing: its clips are there"),
        ("Video_Speech_Actor_02.zip", "download from 50 % on, unpack"),
        (third, "unpack"),
    ):
        (row,) = [line for line in output.splitlines() if name in line]
        assert row.split("│")[-2].strip() == state
    assert tree(root) == before
    server.asked.clear()
    assert said("--actors", "1", "--dry-run").startswith(
        "nothing to do: all 60 clips of 1 actor are"
    )
    assert server.asked == []
    assert tree(root) == before


def test_too_little_disk_is_said_before_anything_is_done(
    failed: Callable[..., tuple[str, str]],
    server: ZenodoServer,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("emorec.commands.prepare_archives.free_bytes", lambda _: 100_000)
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


def test_archives_downloaded_by_hand_are_unpacked_without_a_network_and_stay(
    said: Said, server: ZenodoServer, root: Path, tmp_path: Path
) -> None:
    hand = tmp_path / "by hand"
    hand.mkdir()
    for name, content in ARCHIVES.items():
        (hand / name).write_bytes(content)
    before = tree(hand)
    assert said("--actors", "1-2", "--from", str(hand)).startswith("unpack 120 clips of 2 archives")
    assert tree(root) == clips(range(1, 3))
    assert tree(hand) == before
    assert server.asked == []


def test_an_archive_that_is_not_in_the_folder_is_named_and_the_others_are_unpacked(
    failed: Callable[..., tuple[str, str]], server: ZenodoServer, root: Path, tmp_path: Path
) -> None:
    (tmp_path / FIRST).write_bytes(ARCHIVES[FIRST])
    output, line = failed("--actors", "1,3", f"--from={tmp_path}")
    assert f"error: not in {tmp_path}: Video_Speech_Actor_03.zip; get these archives from" in line
    assert tree(root) == clips(range(1, 2))
    output, line = failed("--from", str(tmp_path))
    assert f"not in {tmp_path}: Video_Speech_Actor_02.zip, Video_Speech_Actor_03.zip, " in output
    assert "and 20 more" in output
    assert "23 of 24 archives could not be had" in line
    assert server.asked == []


def test_a_damaged_archive_in_the_folder_is_named_and_stays(
    failed: Callable[..., tuple[str, str]], root: Path, tmp_path: Path
) -> None:
    content = bytearray(ARCHIVES[FIRST])
    content[len(content) // 4] ^= 1
    (tmp_path / FIRST).write_bytes(content)
    _, line = failed("--actors", "1", "--from", str(tmp_path))
    assert f"{tmp_path / FIRST} is damaged (Bad CRC-32 for file " in line
    assert "delete it and download it again" in line
    assert (tmp_path / FIRST).read_bytes() == content
    whole = clips(range(1, 2))
    assert tree(root).items() < whole.items()


def test_archives_can_be_kept_and_serve_again(said: Said, server: ZenodoServer, root: Path) -> None:
    said("--actors", "1", "--keep-archives")
    assert tree(root) == clips(range(1, 2)) | {f"{KEPT}/{FIRST}": ARCHIVES[FIRST]}
    server.sent = 0
    said("--actors", "1", "--modality", "both")
    assert server.sent == len(server.listing())
    assert tree(root) == clips(range(1, 2), modality="both") | {f"{KEPT}/{FIRST}": ARCHIVES[FIRST]}


def test_what_a_killed_call_left_is_tidied_up(said: Said, root: Path) -> None:
    said("--actors", "1-2")
    (root / UNFINISHED).mkdir()
    left = [
        *(root / UNFINISHED / name for name in (".lock", FIRST, f"{FIRST}.part", f".{FIRST}.lock")),
        root / "Actor_01" / ".01-01-01-01-01-01-01.mp4.unfinished",
    ]
    for path in left:
        path.write_bytes(b"half")
    assert said("--actors", "1-2").startswith("nothing to do")
    assert tree(root) == clips(range(1, 3))
    assert not (root / UNFINISHED).exists()


def test_two_calls_on_one_folder_do_not_meet(
    failed: Callable[..., tuple[str, str]], said: Said, root: Path
) -> None:
    with locked(root / UNFINISHED / ".lock", wait=False):
        _, line = failed("--actors", "1")
    assert f"another emorec prepare is at work in {root}: wait until it has ended" in line
    said("--actors", "1")
    with locked(root / UNFINISHED / ".lock", wait=False):
        assert said("--actors", "1").startswith("nothing to do")


def test_verifying_finds_what_is_missing_or_cut(
    failed: Callable[..., tuple[str, str]], said: Said, root: Path
) -> None:
    output, line = failed("--actors", "1-2", "--verify")
    assert f"120 of 120 clips of 2 actors are not in {root}" in line
    said("--actors", "1-2")
    assert (
        said("--actors", "1-2", "--verify")
        == f"all 120 clips of 2 actors in {root} are there and whole\n"
    )
    first, second, *_ = sorted(tree(root))
    (root / first).write_bytes((root / first).read_bytes()[:-1])
    _, line = failed("--actors", "1-2", "--verify")
    assert "1 of 120 clips of 2 actors are broken" in line
    assert f"{root / first} (its end is missing)" in line
    (root / second).unlink()
    output, line = failed("--verify", "--actors", "1-2")
    assert "1 of 120 clips of 2 actors are not in" in line
    (row,) = [text for text in output.splitlines() if FIRST in text]
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [FIRST, "59", "60"]


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


def test_bars_are_shown_where_somebody_watches() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=150, highlight=False)
    archive = RavdessArchive(1, "speech")
    remote = RemoteFile("http://x/a", 2_000_000, "md5:" + 32 * "0")
    job = Job(archive, archive.clips("av"), Path("nowhere"), 2_000_000, remote)
    other = Job(RavdessArchive(2, "speech"), archive.clips("av"), Path("nowhere"), 10, remote)
    with JobsProgress([job, other], console) as progress:
        progress.downloaded(job, 500_000)
        progress._progress.refresh()
        half = stream.getvalue()
        progress.downloaded(job, 2_000_000)
        progress.unpacked(job, 600_000)
        progress._progress.refresh()
        progress.done(job)
        progress.failed(other, "why")
    assert "2 archives" in half
    assert f"{archive.name}" in half
    assert "0.5/2.0 MB" in half
    assert "unpacking Speech_Actor_01" in stream.getvalue()
    assert f"{archive.name}: 60 clips unpacked (1 of 2 archives)" in stream.getvalue()
    assert progress.failures == {other: "why"}


def test_the_second_call_takes_less_than_two_seconds_and_no_heavy_library(
    said: Said, root: Path
) -> None:
    said("--actors", "1-4", "--channel", "both")
    words = ["prepare", "ravdess", "--root", str(root), "--actors", "1-4", "--channel", "both"]
    words += NO_FRAMES
    program = (
        f"import sys; from emorec.cli import main; main({words!r})\n"
        "heavy = {'torch', 'lightning', 'cv2', 'numpy', 'decord', 'av', 'requests', 'filelock'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    def call() -> float:
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[0].startswith("nothing to do: all 416 clips of 4 actors")
        assert done.stdout.splitlines()[-1] == "[]"
        return time.monotonic() - begin

    assert min(call() for _ in range(3)) < 2


@pytest.mark.parametrize("moment", ["while bytes come", "while it waits", "while nobody answers"])
def test_ctrl_c_ends_it_soon_and_the_same_command_goes_on(
    said: Said, server: ZenodoServer, root: Path, moment: str
) -> None:
    server.bytes_a_second = 20_000
    if moment == "while it waits":
        server.always = dict.fromkeys(ARCHIVES, say(429, Retry_After="100"))
    if moment == "while nobody answers":
        server.always = dict.fromkeys(ARCHIVES, lambda _: time.sleep(20))
    words = ("prepare", "--root", str(root), "--actors", "1-3", *NO_FRAMES)
    with started(*words, cwd=root.parent, **os.environ) as process:
        wait_for(lambda: len(server.asked) > 3, process)
        time.sleep(0.3)
        begin = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert time.monotonic() - begin < 6
    assert process.returncode == 130
    assert output.splitlines()[-1] == "stopped; the same command goes on from here"
    assert "Traceback" not in errors
    assert {Path(name).suffix for name in tree(root)} <= {".part", ".lock"}
    assert moment != "while bytes come" or any(tree(root).values())
    server.always, server.bytes_a_second = {}, None
    said("--actors", "1-3")
    assert tree(root) == clips(range(1, 4))
