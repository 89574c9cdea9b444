"""What RAVDESS promises, what of it is here, and what becomes of its archives."""

import struct
from pathlib import Path

import pytest

from emorec.data.download.disk import free_bytes
from emorec.data.download.download import RemoteFile
from emorec.data.download.mp4_boxes import what_is_missing
from emorec.data.download.ravdess_archives import (
    KEPT,
    UNFINISHED,
    RavdessArchive,
    archives_of,
    place_of,
    unpack_clips,
)
from emorec.data.download.ravdess_jobs import Job, disk_bytes, jobs_from_folder, jobs_from_zenodo
from emorec.data.download.ravdess_wanted import Wanted, clips_below
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.split import ACTORS
from emorec.errors import UserError
from tests import videos
from tests.zenodo_server import clip_content, ravdess_zip, tree, zipped

NO_HASH = "md5:" + 32 * "0"
SPEECH = RavdessArchive(5, "speech")


def wanted(root: Path, actors: str = "5", modality: str = "av") -> Wanted:
    return Wanted(root, tuple(archives_of([int(actors)], "speech")), modality)


def test_all_archives_hold_what_zenodo_says_of_ravdess() -> None:
    archives = archives_of(ACTORS, "both")
    assert len(archives) == len({archive.name for archive in archives}) == 24 + 23
    assert "Video_Song_Actor_18.zip" not in {archive.name for archive in archives}
    stems = {str(name) for archive in archives for name in archive.clips()}
    # of its 7,356 files, 1,440 and 1,012 are sounds alone
    assert len(stems) == 7356 - 1440 - 1012
    assert all(str(RavdessName.parse(stem)) == stem for stem in stems)


@pytest.mark.parametrize(
    ("channel", "modality", "count"),
    [
        ("speech", "av", 60),
        ("speech", "video", 60),
        ("speech", "both", 120),
        ("song", "av", 44),
        ("song", "both", 88),
    ],
)
def test_an_archive_holds_so_many_clips_of_its_actor(
    channel: str, modality: str, count: int
) -> None:
    clips = RavdessArchive(7, channel).clips(modality)
    assert len(set(clips)) == count
    assert {name.actor for name in clips} == {7}
    assert {name.channel for name in clips} == {channel}
    assert {name.modality for name in clips} == {"av", "video"} & (
        {"av", "video"} if modality == "both" else {modality}
    )


@pytest.mark.parametrize("actors", [[0], [25], [1, 99]])
def test_an_actor_that_ravdess_does_not_have_is_refused(actors: list[int]) -> None:
    with pytest.raises(UserError, match=rf"no actor {actors[-1]}: RAVDESS has 1 to 24"):
        archives_of(actors, "speech")


def test_actor_18_did_not_sing() -> None:
    with pytest.raises(UserError, match="actor 18 did not sing"):
        archives_of([18], "song")
    assert archives_of([18], "both") == [RavdessArchive(18, "speech")]
    assert [archive.actor for archive in archives_of([19, 18, 17], "song")] == [17, 19]


def test_clips_are_found_however_deep_they_lie(tmp_path: Path) -> None:
    first, second, *rest = SPEECH.clips("av")
    for path in (
        place_of(tmp_path, first),
        tmp_path / "Video_Speech_Actor_05" / "Actor_05" / f"{second}.MP4",
    ):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    assert wanted(tmp_path).missing() == {SPEECH: rest}


def test_what_is_no_clip_does_not_count_as_one(tmp_path: Path) -> None:
    empty, hidden, sound, folder, nowhere, *_ = SPEECH.clips("av")
    (tmp_path / ".hidden").mkdir()
    place_of(tmp_path, empty).parent.mkdir()
    place_of(tmp_path, empty).touch()
    (tmp_path / ".hidden" / f"{hidden}.mp4").write_bytes(b"x")
    place_of(tmp_path, sound).with_suffix(".wav").write_bytes(b"x")
    place_of(tmp_path, folder).mkdir()
    place_of(tmp_path, nowhere).symlink_to("nowhere")
    assert clips_below(tmp_path) == {}
    assert wanted(tmp_path).missing() == {SPEECH: list(SPEECH.clips("av"))}


def test_a_folder_that_is_not_there_has_no_clips(tmp_path: Path) -> None:
    assert clips_below(tmp_path / "none") == {}


def test_only_the_clips_asked_for_are_unpacked_each_to_its_actor(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(ravdess_zip(SPEECH))
    clips = SPEECH.clips("video")
    unpack_clips(file, SPEECH, clips, tmp_path / "ravdess")
    assert tree(tmp_path / "ravdess") == {
        f"Actor_05/{name}.mp4": clip_content(str(name)) for name in clips
    }
    assert wanted(tmp_path / "ravdess", modality="video").missing() == {}


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("Actor_06/01-01-01-01-01-01-06.mp4", "does not belong there"),
        ("Actor_05/01-02-01-01-01-01-05.mp4", "does not belong there"),
        ("Actor_05/03-01-01-01-01-01-05.wav", "does not belong there"),
        ("Actor_05/01-01-01-02-01-01-05.mp4", "does not belong there"),
        ("Actor_05/../01-01-01-01-01-01-05.mp4", "would leave the folder"),
    ],
    ids=["another actor", "sung", "sound alone", "strong neutral", "outside"],
)
def test_an_archive_with_another_member_is_refused(
    tmp_path: Path, member: str, reason: str
) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(zipped([(member, b"x")]))
    with pytest.raises(UserError, match=f"a.zip is refused: its member '{member}' {reason}"):
        unpack_clips(file, SPEECH, SPEECH.clips("av"), tmp_path / "ravdess")
    assert not (tmp_path / "ravdess").exists()


def job(size: int, *, clips: int = 60, here: Path | None = None) -> Job:
    remote = RemoteFile("http://x/a", size, NO_HASH)
    file = here or Path("nowhere.zip")
    return Job(SPEECH, SPEECH.clips()[:clips], file, size, remote)


def test_disk_is_reckoned_from_what_is_at_once_on_its_way_and_what_is_unpacked(
    tmp_path: Path,
) -> None:
    # half of an archive, and a fifth more for sound
    assert job(1000).unpacked_bytes == 600
    jobs = [job(1000), job(2000), job(3000)]
    unpacked = 600 + 1200 + 1800
    assert disk_bytes(jobs, 1, keep_archives=False) == 3000 + unpacked
    assert disk_bytes(jobs, 2, keep_archives=False) == 5000 + unpacked
    assert disk_bytes(jobs, 9, keep_archives=False) == 6000 + unpacked
    assert disk_bytes(jobs, 1, keep_archives=True) == 6000 + unpacked
    (tmp_path / "a.zip.part").write_bytes(bytes(400))
    assert disk_bytes([job(1000, here=tmp_path / "a.zip")], 1, keep_archives=False) == 600 + 600
    assert disk_bytes([job(1000, clips=6)], 1, keep_archives=False) == 1000 + 60
    assert disk_bytes([], 3, keep_archives=False) == 0


def test_free_disk_of_a_folder_to_be_made_is_that_of_the_folder_it_is_made_in(
    tmp_path: Path,
) -> None:
    assert abs(free_bytes(tmp_path / "a" / "b") - free_bytes(tmp_path)) < 1e9
    assert free_bytes(Path("/proc/self/none/none")) == 0


def test_archives_go_to_a_hidden_folder_unless_they_are_kept_already(tmp_path: Path) -> None:
    files = {SPEECH.name: RemoteFile("http://x/a", 10, NO_HASH)}
    (planned,) = jobs_from_zenodo(wanted(tmp_path).missing(), files, tmp_path)
    assert planned.file == tmp_path / UNFINISHED / SPEECH.name
    (tmp_path / KEPT).mkdir()
    (tmp_path / KEPT / SPEECH.name).touch()
    (planned,) = jobs_from_zenodo(wanted(tmp_path).missing(), files, tmp_path)
    assert planned.file == tmp_path / KEPT / SPEECH.name


def test_an_archive_that_zenodo_does_not_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not list Video_Speech_Actor_05.zip"):
        jobs_from_zenodo(wanted(tmp_path).missing(), {}, tmp_path)


def test_archives_in_a_folder_are_found_by_their_names(tmp_path: Path) -> None:
    missing = Wanted(tmp_path / "root", tuple(archives_of([4, 5], "speech")), "av").missing()
    (tmp_path / SPEECH.name).write_bytes(b"12345")
    (planned,), absent = jobs_from_folder(missing, tmp_path)
    assert (planned.archive, planned.size, planned.remote) == (SPEECH, 5, None)
    assert absent == [RavdessArchive(4, "speech")]
    with pytest.raises(UserError, match=r"no such folder: .*none .*--from"):
        jobs_from_folder(missing, tmp_path / "none")


def test_real_videos_are_whole_and_cut_ones_are_not(tmp_path: Path) -> None:
    for number, faststart in enumerate((True, False)):
        path = videos.write_video(tmp_path / f"{number}.mp4", 10, faststart=faststart)
        assert what_is_missing(path) is None
        content = path.read_bytes()
        for percent in (0, 1, 20, 50, 90, 99):
            path.write_bytes(content[: len(content) * percent // 100])
            assert what_is_missing(path) is not None, (faststart, percent)
        path.write_bytes(content[:-1])
        assert what_is_missing(path) == "its end"
        path.write_bytes(content + b"1234567")
        assert what_is_missing(path) is not None


@pytest.mark.parametrize("content", [b"", b"text, as it were", bytes(100), b"<html>" + bytes(40)])
def test_what_is_no_mp4_has_no_beginning_of_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    assert what_is_missing(tmp_path / "a.mp4") == (
        "the beginning of an mp4" if content else "its type"
    )


def test_boxes_may_be_long_or_reach_to_the_end_but_not_be_shorter_than_their_heads(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.mp4"
    head = struct.pack(">I4s", 8, b"ftyp") + struct.pack(">I4s", 8, b"moov")
    path.write_bytes(head + struct.pack(">I4sQ", 1, b"mdat", 20) + b"1234")
    assert what_is_missing(path) is None
    path.write_bytes(head + struct.pack(">I4s", 0, b"mdat") + b"1234")
    assert what_is_missing(path) is None
    path.write_bytes(head)
    assert what_is_missing(path) == "its pictures"
    path.write_bytes(head + struct.pack(">I4s", 7, b"mdat"))
    assert what_is_missing(path) == "a box at byte 16"


@pytest.mark.real
def test_every_real_clip_is_whole(ravdess_root: Path) -> None:
    found = clips_below(ravdess_root)
    assert found
    assert {path: what for path in found.values() if (what := what_is_missing(path))} == {}
