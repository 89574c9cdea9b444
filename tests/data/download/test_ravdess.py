"""RAVDESS archives: documented clips, missing clips and unpacking."""

import random
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from emorec.data.download.http import RemoteFile
from emorec.data.download.ravdess import (
    Job,
    RavdessArchive,
    Selection,
    archives_of,
    clip_files,
    clip_path,
    damage_of,
    plan_downloads,
    required_bytes,
    unpack,
)
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.split import ACTORS
from emorec.errors import UserError
from tests import videos
from tests.zenodo_server import clip_content, ravdess_zip, tree, zipped

SPEECH = RavdessArchive(5, "speech")
CLIP, OTHER = SPEECH.clips("av")[:2]


def selection(root: Path, modality: str = "av") -> Selection:
    return Selection(root, (SPEECH,), modality)


def test_all_archives_hold_the_documented_number_of_clips() -> None:
    archives = archives_of(ACTORS, "both")
    assert len({archive.name for archive in archives}) == 24 + 23
    assert "Video_Song_Actor_18.zip" not in {archive.name for archive in archives}
    stems = {str(name) for archive in archives for name in archive.clips()}
    # of its 7,356 files, 1,440 and 1,012 are audio only
    assert len(stems) == 7356 - 1440 - 1012
    assert all(str(RavdessName.parse(stem)) == stem for stem in stems)


@pytest.mark.parametrize(
    ("channel", "modality", "count"),
    [("speech", "av", 60), ("speech", "video", 60), ("song", "av", 44), ("song", "both", 88)],
)
def test_an_archive_holds_the_clips_of_its_actor(channel: str, modality: str, count: int) -> None:
    clips = RavdessArchive(7, channel).clips(modality)
    assert len(set(clips)) == count
    assert {(name.actor, name.channel) for name in clips} == {(7, channel)}


@pytest.mark.parametrize(
    ("actors", "channel", "reason"),
    [([0], "speech", "no actor 0"), ([1, 99], "both", "no actor 99"), ([18], "song", "actor 18")],
)
def test_actors_without_an_archive_are_refused(
    actors: list[int], channel: str, reason: str
) -> None:
    with pytest.raises(UserError, match=reason):
        archives_of(actors, channel)


def test_clips_are_found_in_nested_folders(tmp_path: Path) -> None:
    first, second, *rest = SPEECH.clips("av")
    nested = tmp_path / "Video_Speech_Actor_05" / "Actor_05" / f"{second}.MP4"
    for path in (clip_path(tmp_path, first), nested):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    assert selection(tmp_path).missing() == {SPEECH: rest}


def test_empty_hidden_and_other_files_are_ignored(tmp_path: Path) -> None:
    empty, hidden, sound, folder, dangling, *_ = SPEECH.clips("av")
    (tmp_path / ".hidden").mkdir()
    clip_path(tmp_path, empty).parent.mkdir()
    clip_path(tmp_path, empty).touch()
    (tmp_path / ".hidden" / f"{hidden}.mp4").write_bytes(b"x")
    clip_path(tmp_path, sound).with_suffix(".wav").write_bytes(b"x")
    clip_path(tmp_path, folder).mkdir()
    clip_path(tmp_path, dangling).symlink_to("nowhere")
    assert clip_files(tmp_path) == clip_files(tmp_path / "none") == {}


def make_job(size: int, *, clips: int = 60, file: Path = Path("nowhere.zip")) -> Job:
    remote = RemoteFile("a.zip", "http://x/a", size, "md5:" + 32 * "0")
    return Job(SPEECH, SPEECH.clips()[:clips], file, size, remote)


def test_required_disk_is_that_of_concurrent_downloads_and_all_clips(tmp_path: Path) -> None:
    # half of the archive, and 20 % for sound
    assert make_job(1000).unpacked_bytes == 600
    jobs = [make_job(1000), make_job(2000), make_job(3000)]
    unpacked = 600 + 1200 + 1800
    assert required_bytes(jobs, 1, keep_archives=False) == 3000 + unpacked
    assert required_bytes(jobs, 2, keep_archives=False) == 5000 + unpacked
    assert required_bytes(jobs, 1, keep_archives=True) == 6000 + unpacked
    (tmp_path / "a.zip.part").write_bytes(bytes(400))
    resumed = make_job(1000, file=tmp_path / "a.zip")
    assert required_bytes([resumed], 1, keep_archives=False) == 600 + 600
    assert required_bytes([make_job(1000, clips=6)], 1, keep_archives=False) == 1000 + 60
    assert required_bytes([], 3, keep_archives=False) == 0


def test_an_archive_that_zenodo_does_not_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"does not list {SPEECH.name}"):
        plan_downloads(selection(tmp_path), {})


def test_only_the_requested_clips_are_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(ravdess_zip(SPEECH))
    clips = SPEECH.clips("video")
    written: list[int] = []
    unpack(file, clips, tmp_path / "ravdess", written.append)
    contents = {f"Actor_05/{name}.mp4": clip_content(str(name)) for name in clips}
    assert tree(tmp_path / "ravdess") == contents
    assert sum(written) == sum(map(len, contents.values()))
    assert selection(tmp_path / "ravdess", "video").missing() == {}


@pytest.mark.parametrize(
    "member",
    [
        "../../{}",
        "/etc/{}",
        "Actor_01/../../{}",
        "C:/{}",
        "..\\{}",
        "deep/er/Actor_09/{}",
    ],
)
def test_member_names_of_an_archive_can_not_escape_the_root(tmp_path: Path, member: str) -> None:
    file = tmp_path / "a.zip"
    extra = [("../outside.txt", b"x"), ("/tmp/outside.txt", b"x"), ("Actor_05/setup.exe", b"x")]
    file.write_bytes(zipped([(member.format(f"{CLIP}.mp4"), b"clip"), *extra]))
    with suppress(UserError):  # on Linux a backslash is an ordinary character
        unpack(file, [CLIP], tmp_path / "to" / "ravdess")
    assert set(tree(tmp_path)) <= {"a.zip", f"to/ravdess/Actor_05/{CLIP}.mp4"}


def test_a_link_in_an_archive_is_written_as_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    link = zipfile.ZipInfo(f"{CLIP}.mp4")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, b"/etc/passwd")
    unpack(file, [CLIP], tmp_path)
    assert not clip_path(tmp_path, CLIP).is_symlink()


def test_a_clip_missing_in_the_archive_is_named_and_nothing_is_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(zipped([(f"{CLIP}.mp4", b"x")]))
    with pytest.raises(UserError, match=rf"lacks 1 of 2 clips, such as {OTHER}\.mp4"):
        unpack(file, [CLIP, OTHER], tmp_path)
    assert set(tree(tmp_path)) == {"a.zip"}


def test_an_interrupted_call_leaves_no_partial_clip(tmp_path: Path) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "a.zip"
    file.write_bytes(ravdess_zip(SPEECH))
    with pytest.raises(KeyboardInterrupt):
        unpack(file, [CLIP], tmp_path / "ravdess", interrupt)
    assert tree(tmp_path / "ravdess") == {}


@pytest.mark.parametrize("seed", range(4))
def test_a_corrupted_archive_gives_intact_clips_or_one_line(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    contents = {CLIP: generator.randbytes(200), OTHER: b"b" * 300}
    members = [(f"Actor_05/{name}.mp4", content) for name, content in contents.items()]
    intact = zipped([("Actor_05/", b""), *members])
    file, lines = tmp_path / "a.zip", []
    for number in range(150):
        content = bytearray(intact)
        for _ in range(generator.choice((1, 1, 3, 10))):
            content[generator.randrange(len(content))] = generator.randrange(256)
        file.write_bytes(content)
        root = tmp_path / str(number)
        try:
            unpack(file, contents, root)
        except UserError as error:
            lines.append(str(error))
        else:
            assert len(tree(root)) == 2
        expected = {f"Actor_05/{name}.mp4": content for name, content in contents.items()}
        assert tree(root).items() <= expected.items()
    assert 0 < len(lines) < 150
    assert not [line for line in lines if "\n" in line]


def test_a_truncated_video_is_damaged(tmp_path: Path) -> None:
    for faststart in (True, False):
        path = videos.write_video(tmp_path / f"{faststart}.mp4", faststart=faststart, sound=True)
        assert damage_of(path) is None
        content = path.read_bytes()
        for length in (0, 1, *(len(content) * percent // 100 for percent in (20, 50, 90, 99))):
            path.write_bytes(content[:length])
            assert damage_of(path) is not None, (faststart, length)
        path.write_bytes(content[:-1])
        assert damage_of(path) == "cut off"
    path.write_text("no video")
    assert damage_of(path) is not None
    assert damage_of(tmp_path / "none.mp4") is not None


def test_mp4_boxes_may_have_64_bit_lengths_or_extend_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    header = struct.pack(">I4s", 8, b"ftyp") + struct.pack(">I4s", 8, b"moov")
    path.write_bytes(header + struct.pack(">I4sQ", 1, b"mdat", 20) + b"1234")
    assert damage_of(path) is None
    path.write_bytes(header + struct.pack(">I4s", 0, b"mdat") + b"1234")
    assert damage_of(path) is None
    path.write_bytes(header)
    assert damage_of(path) == "cut off"


@pytest.mark.real
def test_every_real_clip_is_intact(ravdess_root: Path) -> None:
    files = clip_files(ravdess_root).values()
    assert files
    assert {path: damage for path in files if (damage := damage_of(path))} == {}
