"""Selecting a decoder: imports, and errors if a library is missing."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from emorec.data.video.reader import ClipError, Decoder, decode, decoder_version
from emorec.errors import UserError
from tests import videos


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return videos.write_video(tmp_path / "clip.mp4", 5)


def test_a_missing_library_is_one_line_with_the_install_command(
    clip: Path, monkeypatch: pytest.MonkeyPatch, decoder: Decoder
) -> None:
    package = {"pyav": "av"}.get(decoder, decoder)
    monkeypatch.delitem(sys.modules, f"emorec.data.video.{decoder}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError) as error:
        decode(clip, range, decoder=decoder)
    assert not isinstance(error.value, ClipError)
    assert str(error.value).startswith(f"{decoder_version(decoder)} is installed but can't be lo")

    def raise_not_found(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", raise_not_found)
    extra = {"decord": "emorec", "torchcodec": "emorec[torchcodec]", "pyav": "emorec"}
    for call in (lambda: decode(clip, range, decoder=decoder), lambda: decoder_version(decoder)):
        with pytest.raises(UserError) as error:
            call()
        assert str(error.value) == f"{decoder} is not installed: pip install '{extra[decoder]}'"


def test_torchcodec_without_ffmpeg_is_one_line_with_the_install_command(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchcodec = pytest.importorskip("torchcodec")
    monkeypatch.delitem(sys.modules, "emorec.data.video.torchcodec", raising=False)
    monkeypatch.setattr(torchcodec, "ffmpeg_major_version", None)
    with pytest.raises(UserError) as error:
        decode(clip, range, decoder="torchcodec")
    assert re.fullmatch(
        r"torchcodec [\d.]+ is installed but can't be loaded: it finds no FFmpeg: apt install .*",
        str(error.value),
    )


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


@pytest.mark.slow
def test_only_the_selected_library_is_imported(clip: Path, decoder: Decoder) -> None:
    code = """
import sys
from pathlib import Path
from emorec.data.video.reader import decode, decoder_version
libraries = {"decord", "torchcodec", "av", "torch"}
print(decoder_version(sys.argv[1]))
assert not libraries & set(sys.modules)
decode(Path(sys.argv[2]), range, decoder=sys.argv[1])
print(*sorted(libraries & set(sys.modules)))
"""
    version, imported = run(code, decoder, clip).stdout.splitlines()
    assert re.fullmatch(r"(decord2?|torchcodec|av) \d+\.[\w.+]+", version)
    # PyAV checks the others; torchcodec returns tensors and imports torch
    expected = {"pyav": "av", "decord": "av decord", "torchcodec": "av torch torchcodec"}
    assert imported == expected[decoder]


@pytest.mark.slow
def test_a_decoder_is_silent_about_damage_unless_errors_are_logged(
    tmp_path: Path, decoder: Decoder
) -> None:
    path = videos.flip_bits(videos.write_video(tmp_path / "clip.mp4"), 20)
    code = """
import sys
from pathlib import Path
from emorec.data.video.reader import decode, log_errors_to_stderr
decode(Path(sys.argv[2]), range, decoder=sys.argv[1])
print("logging now", file=sys.stderr, flush=True)
for _ in range(2):
    log_errors_to_stderr(sys.argv[1])
decode(Path(sys.argv[2]), range, decoder=sys.argv[1])
"""
    quiet, logged = run(code, decoder, path).stderr.split("logging now\n")
    assert quiet == ""
    assert re.search("error while decoding MB", logged)
