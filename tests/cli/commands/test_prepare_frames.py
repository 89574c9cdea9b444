"""From an archive on a server to a cache of decoded frames."""

from collections.abc import Iterator
from inspect import signature
from pathlib import Path

import pytest
import yaml

from emorec.cli import main
from emorec.cli.commands.prepare import prepare as command
from emorec.data import RavdessDataModule
from emorec.data.cache.build import build_cache
from emorec.data.download.ravdess import archives_of
from emorec.data.download.zenodo import ZENODO_VARIABLE
from tests import videos
from tests.zenodo_server import zenodo, zipped

SMALL = ("--num_frames", "3", "--image_size", "[14,21]", "--face", "none")


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Archive of one actor whose clips alternate between five videos."""
    folder = tmp_path_factory.mktemp("videos")
    contents = [
        videos.write_video(folder / f"{length}.mp4", length).read_bytes() for length in range(5, 10)
    ]
    (archive,) = archives_of([7], "speech")
    clips = [
        (f"Actor_07/{name}.mp4", contents[index % 5]) for index, name in enumerate(archive.clips())
    ]
    return {archive.name: zipped(clips)}


@pytest.fixture
def cache(
    archives: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("EMOREC_RAVDESS_ROOT", str(tmp_path / "ravdess"))
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "cache"))
    with zenodo(archives) as server:
        monkeypatch.setenv(ZENODO_VARIABLE, server.address)
        yield tmp_path / "cache"


def prepare(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    capsys.readouterr()
    main(["prepare", "ravdess", "--actors", "7", *arguments])
    return capsys.readouterr().out.splitlines()


def test_a_run_reads_the_prepared_frames(
    cache: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    *_, last = prepare(capsys, *SMALL)
    assert last == f"frames of 60 of 60 clips are in {cache} (3 of 14 x 21 pixels each)"
    module = RavdessDataModule(num_frames=3, image_size=(14, 21), num_workers=0)
    caplog.clear()
    clips = module.find().clips
    reader = build_cache(clips, module.frame_spec, workers=1)
    assert not [text for text in caplog.messages if "decoded" in text]
    assert reader.files.keys() == set(clips)
    assert videos.shown_indices(reader(clips[1])) == [0, 2, 5]  # the video has six frames


def test_the_defaults_are_those_of_the_shipped_configs() -> None:
    part = Path(__file__).parents[3] / "configs" / "parts" / "ravdess.yaml"
    settings = yaml.safe_load(part.read_text())["init_args"]
    defaults = {name: each.default for name, each in signature(command).parameters.items()}
    for name in ("num_frames", "image_size", "face"):
        assert defaults[name] == settings[name]


def test_a_second_call_has_nothing_to_do(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(capsys, *SMALL)
    first, last = prepare(capsys, *SMALL)
    assert first.startswith("nothing to do: all 60 clips of 1 actor")
    assert last.startswith("frames of 60 of 60 clips are in")


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit):
        prepare(capsys, *arguments)
    return capsys.readouterr().err


def test_verify_finds_missing_and_damaged_clips_and_frames(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = cache.parent / "ravdess"
    assert f"60 of 60 clips of 1 actor are not in {root}" in error_of(capsys, "--verify")
    prepare(capsys, *SMALL)
    clips, frames = prepare(capsys, "--verify")
    assert clips == f"all 60 clips of 1 actor in {root} are there and intact"
    assert frames.endswith(": no damaged clips")
    for file in cache.rglob("*.npy"):
        file.write_bytes(bytes(file.stat().st_size))
    _, frames = prepare(capsys, "--verify")
    assert frames.endswith(": 5 damaged clips")  # each of the five videos has twelve copies
    prepare(capsys, *SMALL)
    _, frames = prepare(capsys, "--verify")
    assert frames.endswith(": no damaged clips")
    first, second, *_ = sorted(root.rglob("*.mp4"))
    first.write_bytes(first.read_bytes()[:-1])
    assert (
        f"1 of 60 clips of 1 actor are damaged, delete them and run emorec prepare again: {first} ("
        in error_of(capsys, "--verify")
    )
    second.unlink()
    assert "1 of 60 clips of 1 actor are not in" in error_of(capsys, "--verify")


def test_a_broken_clip_is_named_with_the_remedy(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(capsys, *SMALL)
    broken = sorted(cache.parent.joinpath("ravdess").rglob("*.mp4"))[0]
    broken.write_bytes(broken.read_bytes()[:200])
    *_, summary, damaged, advice = prepare(capsys, *SMALL)
    assert summary.startswith("frames of 59 of 60 clips are in")
    assert damaged.startswith(f"damaged: {broken}: ")
    assert advice == "delete the damaged clips and run emorec prepare again"
    broken.unlink()
    *_, last = prepare(capsys, *SMALL)
    assert last.startswith("frames of 60 of 60 clips are in")
