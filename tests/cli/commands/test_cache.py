"""`emorec cache`: listing and clearing cached frames."""

from pathlib import Path

import pytest

from emorec.cli import main
from emorec.data.cache.build import build_cache
from emorec.data.cache.store import list_cache
from emorec.data.clip import Clip
from emorec.data.preprocessing import FrameSpec
from tests import videos

SMALL, LARGE = FrameSpec(num_frames=2, size=(8, 8)), FrameSpec(num_frames=3, size=(16, 16))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Cache of two specifications with two clips each, one of them broken, next to an unrelated file."""
    (tmp_path / "text.mp4").write_text("no video")
    paths = [videos.write_video(tmp_path / "a.mp4", 5), tmp_path / "text.mp4"]
    clips = [Clip(path=path, label=0, actor=1, take="") for path in paths]
    for spec in (SMALL, LARGE):
        build_cache(clips, spec, str(tmp_path / "cache"), workers=1)
    (tmp_path / "cache" / "thesis.lock").touch()
    return tmp_path / "cache"


def test_every_specification_is_listed_with_its_clips_and_its_size(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    main(["cache", "--folder", str(folder)])
    lines = capsys.readouterr().out.splitlines()
    for spec in (SMALL, LARGE):
        assert spec.name.startswith("x".join(map(str, spec.shape[:3])) + "-")
        (line,) = [line for line in lines if spec.name in line]
        assert line.split()[:5] == [spec.name, "1", "1", "0.00", "MB"]


def test_one_specification_is_removed_and_the_other_stays(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["cache", "--clear", SMALL.name, "--folder", str(folder)])
    assert capsys.readouterr().out.startswith("freed 0.00 MB in")
    assert [listing.name for listing in list_cache(folder)] == [LARGE.name]
    assert not list(folder.glob(f"{SMALL.name}*"))
    assert len(list((folder / LARGE.name).glob("*.npy"))) == 1


def test_all_is_removed_except_other_files(folder: Path) -> None:
    main(["cache", "--clear", "all", "--folder", str(folder)])
    assert [path.name for path in folder.iterdir()] == ["thesis.lock"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--clear", "other"], "emorec cache: error: no frames 'other' in"),
        (
            ["--clean", "all"],
            "emorec cache: error: unknown option --clean (did you mean --clear?)",
        ),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["cache", *arguments, "--folder", str(folder)])
    assert exit_info.value.code == 2
    assert capsys.readouterr().err.startswith(message)


def test_an_empty_cache_is_not_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["cache", "--folder", str(tmp_path / "none")])
    assert capsys.readouterr().out == f"no frames are kept in {tmp_path / 'none'}\n"
