"""Command-line arguments become videos with an output folder each."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from emorec.cli.commands.predict import find_sources
from emorec.data.video.reader import ClipError
from emorec.inference.video import VideoFile


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.mp4", "a.MOV", "sub/a.mov", "sub/c.mkv", "sub/notes.txt", ".hidden/d.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def videos(*arguments: str) -> list[str]:
    return [str(source.video) for source in find_sources(arguments).sources]


def output_folders(*arguments: str) -> list[str]:
    return [source.folder.as_posix() for source in find_sources(arguments).sources]


def test_a_folder_is_its_sorted_videos_and_other_files_are_reported_in_one_line(
    folder: Path,
) -> None:
    assert videos(".") == ["a.MOV", "b.mp4", "sub/a.mov", "sub/c.mkv"]
    assert find_sources(["."]).notes == ["1 file is not a video or picture in .: sub/notes.txt"]


def test_usual_endings_are_found_in_either_case_and_sound_or_pictures_by_the_network(
    tmp_path: Path,
) -> None:
    names = "a.ts b.M2TS c.mts d.vob e.mpg f.DV g.mxf h.wmv i.flv j.3gp k.ogv l.asf m.f4v n.divx"
    pictures, sounds = ["o.JPG", "p.png"], ["x.WAV", "y.mp3", "z.opus"]
    for name in (*names.split(), *pictures, *sounds):
        (tmp_path / name).touch()
    found = find_sources([str(tmp_path)])
    assert [source.name for source in found.sources] == [*names.split(), *pictures]
    found = find_sources([str(tmp_path)], sound=True, pictures=False)
    assert [source.name for source in found.sources] == [*names.split(), *sounds]
    found = find_sources([str(tmp_path)], sound=True)
    assert [source.name for source in found.sources] == [*names.split(), *pictures, *sounds]


def test_linked_folders_count_once(folder: Path) -> None:
    data = folder / "data"
    data.mkdir()
    (data / "linked").symlink_to(folder / "sub")
    (data / "again").symlink_to(data)
    assert videos("data") == ["data/linked/a.mov", "data/linked/c.mkv"]


def test_a_pattern_is_expanded(folder: Path) -> None:
    assert videos("*.mp4", "**/*.mkv") == ["b.mp4", "sub/c.mkv"]


def test_a_file_is_accepted_with_any_name(folder: Path) -> None:
    assert videos("sub/notes.txt") == ["sub/notes.txt"]


def test_a_repeated_file_counts_once(folder: Path) -> None:
    assert videos("b.mp4", "*.mp4", "sub/../b.mp4", str(folder / "b.mp4")) == ["b.mp4"]


def test_a_folder_that_cannot_be_read_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def refuse(path: str | Path) -> Any:
        if Path(path).name == "sub":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_sources(["."])
    assert [source.name for source in found.sources] == ["a.MOV", "b.mp4"]
    assert found.errors == ["can't read ./sub: Permission denied"]
    assert find_sources(["sub"]).errors == ["can't read sub: Permission denied"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(ClipError, match=r"a\.mp4: it is a pipe"):
        VideoFile(tmp_path / "a.mp4")


def test_a_number_is_a_camera_unless_it_is_a_file(folder: Path) -> None:
    (folder / "7").touch()
    result = find_sources(["0", "7"])
    assert [source.video for source in result.sources] == [0, Path("7")]
    assert [source.name for source in result.sources] == ["camera 0", "7"]
    assert result.sources[0].folder == Path("camera_0")


def test_a_file_named_like_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "[take 1].mp4").touch()
    assert videos("[take 1].mp4") == ["[take 1].mp4"]


@pytest.mark.parametrize(
    ("argument", "error"),
    [
        ("gone.mp4", "no such file or folder: gone.mp4"),
        ("*.avi", "no file matches *.avi"),
        ("empty", "no video or picture in empty"),
    ],
)
def test_a_missing_file_is_one_error_and_the_others_are_kept(
    folder: Path, argument: str, error: str
) -> None:
    result = find_sources([argument, "b.mp4"])
    assert result.errors == [error]
    assert [source.name for source in result.sources] == ["b.mp4"]


def test_output_folders_are_named_after_the_video_or_its_path(
    folder: Path,
) -> None:
    assert output_folders("b.mp4", "sub/c.mkv") == ["b", "c"]
    assert output_folders(".") == ["a", "b", "sub/a", "c"]


def test_two_videos_of_the_same_name_have_different_folders(folder: Path) -> None:
    (folder / "b.avi").touch()
    (folder / "B.mkv").touch()
    result = output_folders(".")
    assert len({name.lower() for name in result}) == len(result) == 6


def test_files_of_earlier_predictions_are_skipped(folder: Path) -> None:
    (folder / "predictions" / "b").mkdir(parents=True)
    for name in ("annotated.mp4", "timeline.csv", "timeline.png"):
        (folder / "predictions" / "b" / name).touch()
    assert not [name for name in videos(".") if name.startswith("predictions")]
    (folder / "sub" / "annotated.mp4").touch()  # the same name by coincidence
    assert "sub/annotated.mp4" in videos(".")
