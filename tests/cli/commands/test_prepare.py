"""`emorec prepare` with a local server that has the archives of four actors."""

import errno
import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from emorec.cli import main
from emorec.cli.commands.prepare_output import JobsProgress
from emorec.data.download import http, ravdess
from emorec.data.download.http import RemoteFile
from emorec.data.download.ravdess import (
    ARCHIVES_FOLDER,
    UNFINISHED_FOLDER,
    Job,
    RavdessArchive,
    archives_of,
)
from emorec.data.download.zenodo import ZENODO_VARIABLE
from tests.program import PATIENCE_SECONDS, start_emorec, wait_for
from tests.zenodo_server import (
    Misbehaviour,
    ZenodoServer,
    clip_content,
    drop,
    ignore_range,
    ravdess_zip,
    respond_with,
    tree,
    wrong_byte,
    zenodo,
    zipped,
)

NO_FRAMES = ("--cache", "none")
"""Clips of these archives are random bytes; test_prepare_frames has decodable videos."""

ARCHIVES = {archive.name: ravdess_zip(archive) for archive in archives_of(range(1, 5), "both")}
FIRST, SECOND, THIRD = (f"Video_Speech_Actor_0{actor}.zip" for actor in (1, 2, 3))

Output = Callable[..., str]
Failure = Callable[..., tuple[str, str]]


def clips(actors: range, channel: str = "speech", modality: str = "av") -> dict[str, bytes]:
    """Return the expected files below the root."""
    return {
        f"Actor_{name.actor:02d}/{name}.mp4": clip_content(str(name))
        for archive in archives_of(actors, channel)
        for name in archive.clips(modality)
    }


def size_text(num_bytes: int) -> str:
    return f"{num_bytes / 1000:.1f} kB"


def rows(output: str) -> list[list[str]]:
    """Return the cells of the printed tables."""
    lines = [line.split("│")[1:-1] for line in output.splitlines() if "│" in line]
    return [[cell.strip() for cell in line] for line in lines]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "ravdess"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, root: Path) -> Iterator[ZenodoServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("EMOREC_RAVDESS_ROOT", str(root))
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.01)
    with zenodo(dict(ARCHIVES)) as running:
        monkeypatch.setenv(ZENODO_VARIABLE, running.address)
        yield running


@pytest.fixture
def prepare(capsys: pytest.CaptureFixture[str], server: ZenodoServer) -> Output:
    """Return a function that runs `emorec prepare` and returns its output."""

    def call(*arguments: str) -> str:
        capsys.readouterr()
        main(["prepare", *arguments, *NO_FRAMES])
        return capsys.readouterr().out

    return call


@pytest.fixture
def error_of(capsys: pytest.CaptureFixture[str], server: ZenodoServer) -> Failure:
    """Return a function that runs a failing call and returns its output and error line."""

    def call(*arguments: str) -> tuple[str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            main(["prepare", *arguments, *NO_FRAMES])
        assert exit_info.value.code == 2
        output = capsys.readouterr()
        *_, last = output.err.splitlines()
        assert last.startswith("emorec prepare: error: ")
        return output.out, last

    return call


def test_the_clips_are_downloaded_once(prepare: Output, server: ZenodoServer, root: Path) -> None:
    first = prepare("ravdess", "--root", str(root), "--actors", "1-3")
    assert tree(root) == clips(range(1, 4))
    size = size_text(3 * len(ARCHIVES[FIRST]))
    assert first.startswith(f"download {size} and unpack 180 clips of 3 archives to {root}: takes")
    assert f"{FIRST}: 60 clips unpacked" in first
    assert f"all 180 clips of 3 actors are in {root} (0 min " in first
    num_requests = len(server.requests)
    assert prepare("--actors", "1-3") == f"nothing to do: all 180 clips of 3 actors are in {root}\n"
    assert len(server.requests) == num_requests == 1 + 3


@pytest.mark.parametrize(
    ("channel", "modality"), [("song", "av"), ("both", "video"), ("both", "both")]
)
def test_channel_and_modality_select_clips(
    prepare: Output, root: Path, channel: str, modality: str
) -> None:
    prepare("--actors", "2,4", "--channel", channel, "--modality", modality)
    assert tree(root) == clips(range(2, 5, 2), channel, modality)


def test_existing_clips_are_not_downloaded_again(
    prepare: Output, server: ZenodoServer, root: Path
) -> None:
    prepare("--actors", "1")
    server.requests.clear()
    assert "unpack 60 clips of 1 archive " in prepare("--actors", "1-2")
    assert [name for name, _ in server.requests] == ["", SECOND]
    assert tree(root) == clips(range(1, 3))


@pytest.mark.parametrize("misbehaviour", [drop(0), ignore_range, wrong_byte, respond_with(503)])
def test_a_misbehaving_server_does_not_change_the_clips(
    prepare: Output, server: ZenodoServer, root: Path, misbehaviour: Misbehaviour
) -> None:
    (root / UNFINISHED_FOLDER).mkdir(parents=True)
    (root / UNFINISHED_FOLDER / f"{FIRST}.part").write_bytes(ARCHIVES[FIRST][:3000])
    for name in ARCHIVES:
        server.misbehave[name] += [drop(7000), misbehaviour]
    prepare("--actors", "1-2")
    assert tree(root) == clips(range(1, 3))


@pytest.mark.parametrize("spelling", [("--dry-run",), ("--dry_run",), ("--dry-run", "true")])
def test_a_dry_run_prints_the_plan_and_changes_nothing(
    prepare: Output, server: ZenodoServer, root: Path, spelling: tuple[str, ...]
) -> None:
    output = prepare("--actors", "1-2", *spelling)
    size = len(ARCHIVES[FIRST])
    assert rows(output) == [
        [name, size_text(size), "60", "download, unpack"] for name in (FIRST, SECOND)
    ]
    total = size_text(2 * size)
    assert f"download {total} and unpack 120 clips of 2 archives to {root}: takes" in output
    assert "free disk" in output
    assert not root.exists()
    assert [name for name, _ in server.requests] == [""]


def test_a_dry_run_skips_existing_clips_and_archives(
    prepare: Output, server: ZenodoServer, root: Path
) -> None:
    prepare("--actors", "1")
    (root / UNFINISHED_FOLDER).mkdir()
    half = ARCHIVES[SECOND][: len(ARCHIVES[SECOND]) // 2]
    (root / UNFINISHED_FOLDER / f"{SECOND}.part").write_bytes(half)
    (root / UNFINISHED_FOLDER / THIRD).write_bytes(ARCHIVES[THIRD])
    before = tree(root)
    steps = {name: step for name, *_, step in rows(prepare("--actors", "1-3", "--dry-run"))}
    assert steps == {
        FIRST: "nothing: its clips are there",
        SECOND: "download from 50 % on, unpack",
        THIRD: "unpack",
    }
    server.requests.clear()
    assert prepare("--actors", "1", "--dry-run").startswith("nothing to do: all 60 clips of 1 act")
    assert server.requests == []
    assert tree(root) == before


def test_manually_downloaded_archives_are_unpacked_offline_and_kept(
    prepare: Output, server: ZenodoServer, root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "by hand"
    folder.mkdir()
    for name, content in ARCHIVES.items():
        (folder / name).write_bytes(content)
    output = prepare("--actors", "1-2", "--from", str(folder))
    assert output.startswith("unpack 120 clips of 2 archives")
    assert tree(root) == clips(range(1, 3))
    assert tree(folder) == ARCHIVES
    assert server.requests == []


def test_clips_of_unpacked_archives_are_copied_and_backslashes_are_folders(
    prepare: Output, server: ZenodoServer, root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "by hand"
    unpacked = folder / FIRST.removesuffix(".zip")
    with zipfile.ZipFile(io.BytesIO(ARCHIVES[FIRST])) as archive:
        archive.extractall(unpacked)
    with (
        zipfile.ZipFile(io.BytesIO(ARCHIVES[SECOND])) as archive,
        zipfile.ZipFile(folder / SECOND, "w") as windows,
    ):
        for name in archive.namelist():
            windows.writestr(name.replace("/", "\\"), archive.read(name))
    before = tree(folder)
    output = prepare("--actors", "1-2", "--from", str(folder))
    assert f"{FIRST}: 60 clips copied" in output
    assert f"{SECOND}: 60 clips unpacked" in output
    assert tree(root) == clips(range(1, 3))
    assert tree(folder) == before
    assert server.requests == []


def test_a_missing_archive_is_named_and_the_others_are_unpacked(
    error_of: Failure, server: ZenodoServer, root: Path, tmp_path: Path
) -> None:
    (tmp_path / FIRST).write_bytes(ARCHIVES[FIRST])
    _, line = error_of("--actors", "1,3", f"--from={tmp_path}")
    assert f"not in {tmp_path}: {THIRD}; download these archives from" in line
    assert tree(root) == clips(range(1, 2))
    output, line = error_of("--from", str(tmp_path))
    assert f"not in {tmp_path}: {SECOND}, {THIRD}, " in output
    assert "and 20 more" in output
    assert "23 of 24 archives failed" in line
    assert server.requests == []


def test_a_damaged_archive_in_the_folder_is_named_and_not_deleted(
    error_of: Failure, root: Path, tmp_path: Path
) -> None:
    content = bytearray(ARCHIVES[FIRST])
    content[len(content) // 4] ^= 1
    (tmp_path / FIRST).write_bytes(content)
    _, line = error_of("--actors", "1", "--from", str(tmp_path))
    assert f"{tmp_path / FIRST} is damaged (Bad CRC-32 for file " in line
    assert "delete it and download it again" in line
    assert (tmp_path / FIRST).read_bytes() == content
    assert tree(root).items() < clips(range(1, 2)).items()


def test_archives_can_be_kept_and_are_reused(
    prepare: Output, server: ZenodoServer, root: Path
) -> None:
    archive_files = {f"{ARCHIVES_FOLDER}/{FIRST}": ARCHIVES[FIRST]}
    prepare("--actors", "1", "--keep-archives")
    assert tree(root) == clips(range(1, 2)) | archive_files
    server.sent = 0
    prepare("--actors", "1", "--modality", "both")
    assert server.sent == len(server.listing())
    assert tree(root) == clips(range(1, 2), modality="both") | archive_files


def test_a_terminal_shows_a_progress_bar_per_archive_and_a_total(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=150, highlight=False)
    archive = RavdessArchive(1, "speech")
    remote = RemoteFile("a.zip", "http://x/a", 2_000_000, "md5:" + 32 * "0")
    first_job = Job(archive, archive.clips("av"), Path("nowhere"), 2_000_000, remote)
    second_job = Job(RavdessArchive(2, "speech"), archive.clips("av"), Path("nowhere"), 10, remote)

    def wait_until_drawn(text: str) -> None:
        while text not in stream.getvalue():
            time.sleep(0.01)

    with JobsProgress([first_job, second_job], console) as progress:
        progress.downloaded(first_job, 500_000)
        wait_until_drawn("0.5/2.0 MB")
        progress.downloaded(first_job, 2_000_000)
        progress.unpacked(first_job, 600_000)
        wait_until_drawn("unpacking Speech_Actor_01")
        progress.done(first_job)
        progress.failed(second_job, "reason")
    output = stream.getvalue()
    assert "2 archives" in output
    assert f"{archive.name}: 60 clips unpacked (1 of 2 archives)" in capsys.readouterr().out
    assert progress.failures == {second_job: "reason"}


def test_a_call_with_nothing_to_do_imports_no_heavy_library(prepare: Output, root: Path) -> None:
    arguments = ["--root", str(root), "--actors", "1-4", "--channel", "both"]
    prepare(*arguments)
    program = (
        f"import sys; from emorec.cli import main; main({['prepare', *arguments, *NO_FRAMES]!r})\n"
        "heavy = {'torch', 'lightning', 'cv2', 'numpy', 'decord', 'av', 'requests', 'filelock'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    first, *_, last = process.stdout.splitlines()
    assert first.startswith("nothing to do: all 416 clips of 4 actors")
    assert last == "[]"


def test_a_failed_archive_does_not_affect_the_others_and_all_failures_are_listed(
    error_of: Failure, prepare: Output, server: ZenodoServer, root: Path
) -> None:
    server.always = {SECOND: wrong_byte, THIRD: respond_with(403)}
    output, line = error_of("--actors", "1-4")
    assert "2 of 4 archives failed" in line
    assert {name for name, *_ in rows(output)} == {SECOND, THIRD}
    assert f"{SECOND}: failed (" in output
    assert f"{SECOND}: expected md5 " in output
    assert f"can't get {THIRD}: {server.url(THIRD)} answers 403" in output
    failed = ("Actor_02", "Actor_03")
    everything = clips(range(1, 5))
    assert tree(root) == {
        name: content for name, content in everything.items() if name[:8] not in failed
    }
    server.always.clear()
    prepare("--actors", "1-4")
    assert tree(root) == everything


def test_a_single_failure_is_one_line(error_of: Failure, server: ZenodoServer) -> None:
    server.always[FIRST] = wrong_byte
    output, line = error_of("--actors", "1")
    assert f"error: {FIRST}: expected md5 " in line
    assert "--from FOLDER" in line
    assert "incomplete" not in output


def test_an_archive_without_the_clips_is_refused_and_writes_nothing_elsewhere(
    error_of: Failure, server: ZenodoServer, root: Path
) -> None:
    members = [("../../outside.mp4", b"x"), ("Actor_01/01-01-01-01-01-01-01.mp4", b"x")]
    server.files[FIRST] = zipped(members)
    _, line = error_of("--actors", "1")
    assert "lacks 59 of 60 clips" in line
    assert set(tree(root.parent)) == {f"ravdess/{UNFINISHED_FOLDER}/{FIRST}"}


def test_too_little_disk_space_is_reported_before_the_download(
    error_of: Failure, server: ZenodoServer, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emorec.cli.commands.prepare_steps.free_bytes", lambda _: 100_000)
    _, line = error_of("--actors", "1-4")
    assert f"not enough disk in {root}: " in line
    assert "100.0 kB are free (make room, choose fewer --actors" in line
    assert [name for name, _ in server.requests] == [""]
    assert not root.exists()


def test_a_full_disk_is_one_line_and_stops_all_downloads(
    error_of: Failure,
    prepare: Output,
    server: ZenodoServer,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextmanager
    def raise_no_space(path: Path) -> Iterator[None]:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
        yield

    with monkeypatch.context() as patch:
        patch.setattr(ravdess, "atomic_write", raise_no_space)
        output, line = error_of("--actors", "1-4", "--num_downloads", "1")
    assert "the disk is full: can't write " in line
    assert "Actor_01" in line
    assert "failed" not in output
    requested = {name for name, _ in server.requests}
    assert FIRST in requested
    assert "Video_Speech_Actor_04.zip" not in requested
    prepare("--actors", "1-4")
    assert tree(root) == clips(range(1, 5))


@pytest.mark.parametrize(
    ("arguments", "value", "remedy"),
    [
        (["--actors", "25"], "no actor 25", "1 to 24"),
        (["--actors", "x"], "'x'", "numbers and ranges"),
        (["--actors", "18", "--channel", "song"], "actor 18", ""),
        (["--num_downloads", "0"], "num_downloads is 0", "at least 1"),
        (["--num_frames", "0"], "num_frames is 0", "at least 1"),
        (["--num_downloads", "many"], "many", "Got value: many"),
        (["--channel", "opera"], "opera", "['speech', 'song', 'both']"),
        (["--from", "none"], "none", "--from"),
        (["--from"], "--from", ""),
        (["--form", "x"], "--form", "--from"),
        (["--dryrun"], "--dryrun", "--dry_run"),
        (["iemocap"], "iemocap", "ravdess"),
        (["ravdess", "ravdess"], "ravdess", ""),
        (["--root", __file__], __file__, "--root DIR"),
    ],
)
def test_a_mistake_is_one_line_and_starts_no_download(
    error_of: Failure,
    server: ZenodoServer,
    arguments: list[str],
    value: str,
    remedy: str,
) -> None:
    output, line = error_of(*arguments)
    assert value in line
    assert remedy in line
    assert output == ""
    assert server.requests == []


def test_a_missing_root_folder_is_an_error(
    error_of: Failure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMOREC_RAVDESS_ROOT")
    _, line = error_of()
    assert "--root DIR or EMOREC_RAVDESS_ROOT" in line


def test_without_a_network_the_error_names_an_alternative(
    error_of: Failure, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.setenv(ZENODO_VARIABLE, "http://127.0.0.1:1")
    _, line = error_of()
    assert "can't get the list of files of Zenodo's record 1188976: " in line
    assert "Connection refused; try again later; --from FOLDER" in line
    assert not root.exists()


def test_leftovers_of_a_killed_call_are_removed(prepare: Output, root: Path) -> None:
    prepare("--actors", "1-2")
    (root / UNFINISHED_FOLDER).mkdir()
    leftovers = [
        *(root / UNFINISHED_FOLDER / name for name in (".lock", FIRST, f"{FIRST}.part")),
        root / "Actor_01" / ".01-01-01-01-01-01-01.mp4.unfinished",
    ]
    for path in leftovers:
        path.write_bytes(b"half")
    assert prepare("--actors", "1-2").startswith("nothing to do")
    assert tree(root) == clips(range(1, 3))
    assert not (root / UNFINISHED_FOLDER).exists()


def test_a_concurrent_call_in_the_same_folder_is_refused(
    error_of: Failure, prepare: Output, root: Path
) -> None:
    with ravdess.exclusive(root):
        _, line = error_of("--actors", "1")
    assert f"another emorec prepare is running in {root}: wait" in line
    prepare("--actors", "1")
    with ravdess.exclusive(root):
        assert prepare("--actors", "1").startswith("nothing to do")


@pytest.mark.parametrize(
    "phase",
    [
        "while bytes come",
        pytest.param("while it waits", marks=pytest.mark.nightly),
        pytest.param("while nobody answers", marks=pytest.mark.nightly),
    ],
)
def test_ctrl_c_stops_it_and_the_same_command_resumes(
    prepare: Output, server: ZenodoServer, root: Path, phase: str
) -> None:
    server.bytes_a_second = 20_000
    if phase == "while it waits":
        server.always = dict.fromkeys(ARCHIVES, respond_with(429, Retry_After="100"))
    if phase == "while nobody answers":
        server.always = dict.fromkeys(ARCHIVES, lambda _: time.sleep(20))
    arguments = ("prepare", "--root", str(root), "--actors", "1-3", *NO_FRAMES)
    with start_emorec(*arguments, cwd=root.parent, **os.environ) as process:
        wait_for(lambda: len(server.requests) > 3, process)
        if phase == "while bytes come":
            wait_for(lambda: any(tree(root).values()), process)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert output.splitlines()[-1] == "stopped; run the same command again to resume"
    assert "Traceback" not in errors
    assert {Path(name).suffix for name in tree(root)} <= {".part"}
    assert phase != "while bytes come" or any(tree(root).values())
    server.always, server.bytes_a_second = {}, None
    prepare("--actors", "1-3")
    assert tree(root) == clips(range(1, 4))
