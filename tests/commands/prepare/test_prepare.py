"""The clips are brought, once, and nothing else."""

import io
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from emorec.cli.commands.prepare_progress import JobsProgress
from emorec.data.download.download import RemoteFile
from emorec.data.download.ravdess_archives import KEPT, UNFINISHED, RavdessArchive
from emorec.data.download.ravdess_jobs import Job
from tests.commands.prepare.asked import ARCHIVES, FIRST, NO_FRAMES, Said, clips
from tests.zenodo_server import (
    Misbehaviour,
    ZenodoServer,
    announce,
    append,
    drop,
    ignore_range,
    say,
    tree,
    wrong_byte,
    wrong_range,
)


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
