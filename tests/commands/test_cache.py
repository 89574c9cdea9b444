"""`emorec cache` says what is kept, and removes that and nothing else."""

import json
import sqlite3
from pathlib import Path

import pytest

from emorec.cli import main
from emorec.data.cache.kept import clear, kept, verify
from emorec.data.cache.look_through import look_through
from emorec.data.clip import Clip
from emorec.data.recipe import Recipe
from tests import videos

SMALL, LARGE = Recipe(num_frames=2, size=(8, 8)), Recipe(num_frames=3, size=(16, 16))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cache with two clips under two recipes, one broken, in a folder where something else lies too."""
    (tmp_path / "text.mp4").write_text("no video")
    paths = [videos.write_video(tmp_path / "a.mp4", 5), tmp_path / "text.mp4"]
    clips = [Clip(path=path, label=0, actor=1, take="") for path in paths]
    for recipe in (SMALL, LARGE):
        look_through(clips, recipe, tmp_path / "cache", keep_frames=True, workers=1)
    (tmp_path / "cache" / "thesis.lock").touch()
    return tmp_path / "cache"


def test_it_lists_every_recipe_with_its_clips_and_its_size(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    main(["cache", "--folder", str(folder)])
    lines = capsys.readouterr().out.splitlines()
    for recipe in (SMALL, LARGE):
        assert recipe.name.startswith("x".join(map(str, recipe.shape[:3])) + "-")
        (line,) = [line for line in lines if recipe.name in line]
        assert line.split()[:3] == [recipe.name, "1", "1"]
    assert {one.name: one.num_bytes for one in kept(folder)} == {
        SMALL.name: 2 * 8 * 8 * 3 * 2,
        LARGE.name: 3 * 16 * 16 * 3 * 2,
    }


def test_the_manifest_says_of_each_clip_its_key_shape_status_and_error(folder: Path) -> None:
    rows = sqlite3.connect(folder / "manifest.sqlite").execute(
        "SELECT file, length(clip), status, shape, error FROM clips WHERE recipe = ?", (LARGE.name,)
    )
    assert sorted(
        (file, key, status, json.loads(shape)) for file, key, status, shape, _ in rows
    ) == [
        ("a.mp4", 32, "ready", [3, 16, 16, 3]),
        ("text.mp4", 32, "broken", [3, 16, 16, 3]),
    ]


def test_one_recipe_is_removed_and_the_other_stays(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["cache", "--clear", SMALL.name, "--folder", str(folder)])
    assert capsys.readouterr().out.startswith("freed 0.00 MB in")
    assert [one.name for one in kept(folder)] == [LARGE.name]
    assert not list(folder.glob(f"{SMALL.name}*"))
    assert (folder / f"{LARGE.name}.frames").exists()


def test_all_is_removed_but_what_is_not_ours(folder: Path) -> None:
    assert clear(folder) > 0
    assert [path.name for path in folder.iterdir()] == ["thesis.lock"]
    assert kept(folder) == []


def test_whoever_reads_goes_on_after_the_cache_was_cleared(folder: Path, tmp_path: Path) -> None:
    clip = Clip(path=tmp_path / "a.mp4", label=0, actor=1, take="")
    looked = look_through([clip], LARGE, folder, keep_frames=True, workers=1)
    source = looked.source(LARGE)
    before = source(clip)
    clear(folder)
    assert (source(clip) == before).all()


def test_verifying_finds_what_was_altered_and_the_next_look_mends_it(
    folder: Path, tmp_path: Path
) -> None:
    assert verify(folder) == {SMALL.name: 0, LARGE.name: 0}
    frames = folder / f"{LARGE.name}.frames"
    right = frames.read_bytes()
    frames.write_bytes(bytes(len(right)))
    assert verify(folder) == {SMALL.name: 0, LARGE.name: 1}
    clip = Clip(path=tmp_path / "a.mp4", label=0, actor=1, take="")
    look_through([clip], LARGE, folder, keep_frames=True, workers=1)
    assert verify(folder) == {SMALL.name: 0, LARGE.name: 0}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--clear", "other"], "emorec cache: error: no frames 'other' in"),
        (
            ["--clean", "all"],
            "emorec cache: error: --clean: there is no such option, did you mean --clear?",
        ),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["cache", *words, "--folder", str(folder)])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(line)


def test_an_empty_cache_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["cache", "--folder", str(tmp_path / "none")])
    assert capsys.readouterr().out == f"no frames are kept in {tmp_path / 'none'}\n"
