"""Words become videos, each with a folder of its own."""

from pathlib import Path

import pytest

from emorec.inference.sources import find_sources


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.mp4", "a.MOV", "sub/a.mov", "sub/c.mkv", "sub/notes.txt", ".hidden/d.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def videos(*words: str) -> list[str]:
    return [str(source.video) for source in find_sources(words).sources]


def folders(*words: str) -> list[str]:
    return [source.folder.as_posix() for source in find_sources(words).sources]


def test_a_folder_is_all_its_videos_sorted_and_other_files_are_noted_in_one_line(
    here: Path,
) -> None:
    assert videos(".") == ["a.MOV", "b.mp4", "sub/a.mov", "sub/c.mkv"]
    assert find_sources(["."]).notes == ["1 file is no video in .: sub/notes.txt"]


def test_folders_behind_links_count_once(here: Path) -> None:
    data = here / "data"
    data.mkdir()
    (data / "linked").symlink_to(here / "sub")
    (data / "again").symlink_to(data)
    assert videos("data") == ["data/linked/a.mov", "data/linked/c.mkv"]


def test_a_pattern_is_what_it_matches(here: Path) -> None:
    assert videos("*.mp4", "**/*.mkv") == ["b.mp4", "sub/c.mkv"]


def test_a_file_is_itself_whatever_its_name(here: Path) -> None:
    assert videos("sub/notes.txt") == ["sub/notes.txt"]


def test_a_file_that_is_named_twice_comes_once(here: Path) -> None:
    assert videos("b.mp4", "*.mp4") == ["b.mp4"]


def test_a_number_is_a_camera_unless_it_is_a_file(here: Path) -> None:
    (here / "7").touch()
    found = find_sources(["0", "7"])
    assert [source.video for source in found.sources] == [0, Path("7")]
    assert [source.name for source in found.sources] == ["camera 0", "7"]
    assert found.sources[0].folder == Path("camera_0")


def test_a_file_whose_name_looks_like_a_pattern_is_itself(here: Path) -> None:
    (here / "[take 1].mp4").touch()
    assert videos("[take 1].mp4") == ["[take 1].mp4"]


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("gone.mp4", "no such file or folder: gone.mp4"),
        ("*.avi", "no file matches *.avi"),
        ("empty", "no video in empty"),
    ],
)
def test_a_missing_file_is_one_line_and_the_rest_stays(here: Path, word: str, line: str) -> None:
    found = find_sources([word, "b.mp4"])
    assert found.errors == [line]
    assert [source.name for source in found.sources] == ["b.mp4"]


def test_a_folder_is_named_as_the_video_and_where_that_is_not_enough_by_its_path(
    here: Path,
) -> None:
    assert folders("b.mp4", "sub/c.mkv") == ["b", "c"]
    assert folders(".") == ["a", "b", "sub/a", "c"]


def test_two_videos_of_one_name_have_two_folders(here: Path) -> None:
    (here / "b.avi").touch()
    (here / "B.mkv").touch()
    found = folders(".")
    assert len({name.lower() for name in found}) == len(found) == 6


def test_what_an_earlier_prediction_wrote_is_not_predicted(here: Path) -> None:
    (here / "predictions" / "b").mkdir(parents=True)
    for name in ("annotated.mp4", "timeline.csv"):
        (here / "predictions" / "b" / name).touch()
    assert "predictions/b/annotated.mp4" not in videos(".")
    (here / "sub" / "annotated.mp4").touch()  # whose name is a coincidence
    assert "sub/annotated.mp4" in videos(".")
