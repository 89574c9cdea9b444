"""The cache of decoded clips: content, errors, damage, concurrency, spans and sound."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from emorec.data.audio import NO_SOUND, AudioSpec
from emorec.data.cache.build import ClipReader, build_cache
from emorec.data.cache.store import DATABASE, CacheError, checksum_of, clear_cache, list_cache
from emorec.data.clip import Clip, Half
from emorec.data.preprocessing import FrameSpec, resize_frames
from emorec.data.synthetic.clips import encode_mp4
from emorec.data.video.reader import ClipError, Decoder, decode, linspace_indices
from tests import videos
from tests.data.cache.misbehaving import CountingPasses, Misbehaving, clips_of, write_files
from tests.data.test_audio import RATE, tone, write_film, write_wav

SPEC = FrameSpec(num_frames=6, size=(32, 32))
LENGTHS = (7, 23, 40)

SCRIPT = """
import sys
from pathlib import Path
from emorec.data.cache.build import build_cache
from emorec.data.clip import Clip
from emorec.data.preprocessing import FrameSpec
clips = [Clip(path=path, label=0, actor=1, take="") for path in sorted(Path(sys.argv[1]).glob("*.mp4"))]
reader = build_cache(clips, FrameSpec(num_frames=6, size=(32, 32)), sys.argv[2], workers=2)
print([int(reader(clip).sum()) for clip in clips])
"""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("clips")
    return [
        Clip(path=videos.write_video(folder / f"{length}.mp4", length), label=0, actor=1, take="")
        for length in LENGTHS
    ]


def build(clips: list[Clip], folder: Path, spec: FrameSpec | AudioSpec = SPEC) -> ClipReader:
    """Build a cache with one subprocess: for few clips a second one takes longer to start than it saves."""
    return build_cache(clips, spec, str(folder), workers=1, progress=False)


def is_cached(reader: ClipReader, clips: list[Clip]) -> bool:
    """Return whether every clip is cached and equal to its decoded frames."""
    return reader.files.keys() == set(clips) and all(
        np.array_equal(np.load(reader.files[clip]), reader.spec.load(clip)) for clip in clips
    )


@pytest.mark.parametrize("num_frames", [6, 10, 16])
@pytest.mark.parametrize("resize", ["shorter_side", "squash"])
def test_the_cache_contains_evenly_spaced_frames(
    clips: list[Clip], tmp_path: Path, num_frames: int, resize: str
) -> None:
    spec = FrameSpec(num_frames=num_frames, size=(32, 32), resize=resize)  # type: ignore[arg-type]
    reader = build(clips, tmp_path, spec)
    for clip, length in zip(clips, LENGTHS, strict=True):
        frames = decode(clip.path, partial(linspace_indices, num_frames=num_frames)).frames
        assert np.array_equal(reader(clip), resize_frames(frames, (32, 32), spec.resize))
        assert videos.shown_indices(reader(clip)) == linspace_indices(length, num_frames)


def test_spans_of_a_video_are_cached_next_to_the_full_video(
    clips: list[Clip], tmp_path: Path
) -> None:
    span = Clip(path=clips[2].path, label=0, actor=1, take="", span_seconds=(0.5, 1.0))
    reader = build([clips[2], span], tmp_path)
    assert is_cached(reader, [clips[2], span])
    assert videos.shown_indices(reader(span))[0] == 15


def test_each_half_of_a_frame_can_be_a_clip(tmp_path: Path) -> None:
    frames = np.zeros((5, 32, 64, 3), dtype=np.uint8)
    frames[:, :, 32:] = 200
    path = tmp_path / "two.mp4"
    path.write_bytes(encode_mp4(frames, fps=5))
    left, right, full = (
        Clip(path=path, label=0, actor=1, take="", half=half)
        for half in ("left", "right", None)  # type: ignore[arg-type]
    )
    reader = build([left, right, full], tmp_path / "cache")
    assert reader(left).mean() < 20
    assert reader(right).mean() > 180
    assert 80 < reader(full).mean() < 120
    assert is_cached(reader, [left, right, full])


@pytest.mark.parametrize("cached", [True, False])
def test_broken_clips_are_found_with_the_reason_and_healthy_ones_pass(
    tmp_path: Path, cached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def path(name: str) -> Path:
        return tmp_path / f"{name}.mp4"

    original = videos.write_video(path("healthy"), bframes=3, open_gop=True, sound=True)
    healthy = [
        original,
        videos.write_video(path("one gop"), gop=250),
        videos.write_video(path("still"), still=True),
        videos.hide_end(videos.write_video(path("one too many, as RAVDESS"), bframes=2), 1),
        videos.cut_without_encoding(original, path("cut"), 17),
        videos.cut_without_encoding(original, path("cut and not hidden"), 17, hide=False),
    ]
    broken = {
        path("missing"): "can't be read: No such file",
        path("empty"): "the file is empty",
        path("text"): "not a video",
        videos.write_sound(path("sound")): "there are no pictures in it",
        videos.write_video(path("one"), 1): "only one frame",
        videos.hide_end(videos.write_video(path("lies"), bframes=2), 2): (
            "lies about its length: promises 40 frames, of which 38 can be decoded"
        ),
        videos.empty_middle(videos.write_video(path("hole"))): "damaged or cut off",
        videos.flip_bits(videos.write_video(path("flips")), 20): "damaged: ",
    }
    path("empty").touch()
    path("text").write_text("no video")
    for percent in (10, 50, 90, 99):
        cut_off = videos.write_video(path(f"cut off at {percent}"))
        broken[videos.truncate(cut_off, percent)] = "damaged or cut off"
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "cache"))
    clips = clips_of([*healthy, *broken])
    cache = "auto" if cached else "none"
    for _ in range(2):
        reader = build_cache(clips, SPEC, cache, workers=2)
        assert [clip.path for clip in reader.errors] == list(broken)
        for clip, reason in reader.errors.items():
            assert reason.startswith(broken[clip.path])
            assert "\n" not in reason
        assert [clip.path for clip in reader.files] == (healthy if cached else [])


def test_a_clip_is_decoded_again_only_if_its_content_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = Misbehaving(log=str(tmp_path / "log.txt"))
    paths = write_files(tmp_path, "a", "b", "damaged")
    for expected in (["a", "b", "damaged"], []):
        reader = build(clips_of([*paths, *paths]), tmp_path / "cache", spec)
        assert [clip.path.name for clip in reader.errors] == ["damaged"]
        assert spec.decoded() == expected
    monkeypatch.chdir(tmp_path)
    build(clips_of([Path("a"), Path("b")]), tmp_path / "cache", spec)
    assert spec.decoded() == []

    (tmp_path / "a").write_text("other pictures")
    os.utime(tmp_path / "b", ns=(1, 1))
    (tmp_path / "c").write_text("pictures of c")
    build(clips_of([*paths, tmp_path / "c"]), tmp_path / "cache", spec)
    assert spec.decoded() == ["a", "c"]


def test_another_version_of_the_decoder_invalidates_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = Misbehaving(log=str(tmp_path / "log.txt"))
    for _ in range(2):
        build(clips_of(write_files(tmp_path, "a")), tmp_path / "cache", spec)
        assert spec.decoded() == ["a"]
        module = import_module("emorec.data.preprocessing")
        monkeypatch.setattr(module, "decoder_version", lambda decoder: f"{decoder} 9")


def test_a_clip_is_identified_by_its_content_and_not_its_path(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    videos.write_video(old / "a.mp4", 5)
    first = build(clips_of([old / "a.mp4"]), tmp_path / "cache")
    old.rename(new)
    os.utime(new / "a.mp4", ns=(1, 1))
    copy = new / "b.mp4"
    copy.write_bytes((new / "a.mp4").read_bytes())
    moved = build(clips_of([new / "a.mp4", copy]), tmp_path / "cache")
    assert set(moved.files.values()) == set(first.files.values())
    assert list_cache(tmp_path / "cache")[0].ready == 1


@pytest.mark.parametrize("damage", ["altered", "cut off", "gone", "database gone"])
def test_damage_is_detected_and_repaired(
    clips: list[Clip], tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = build(clips, tmp_path).files[clips[1]]
    if damage == "altered":
        file.write_bytes(file.read_bytes()[:-4] + b"\0\1\2\3")
    elif damage == "cut off":
        file.write_bytes(file.read_bytes()[:-1])
    elif damage == "gone":
        file.unlink()
    else:
        (tmp_path / DATABASE).unlink()
    assert is_cached(build(clips, tmp_path), clips)
    assert ("1 cached clips were damaged" in caplog.text) == (damage != "database gone")


@pytest.mark.parametrize("cleared", [True, False])
def test_a_clip_whose_cached_file_is_lost_is_decoded(
    clips: list[Clip], tmp_path: Path, cleared: bool
) -> None:
    reader = build(clips, tmp_path)
    if cleared:
        clear_cache(tmp_path)
    else:
        reader.files[clips[0]].write_bytes(b"")
    assert np.array_equal(reader(clips[0]), SPEC.load(clips[0]))


def test_too_little_disk_space_is_an_error_before_decoding(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(CacheError, match=r"3 clips need .* GB .* are free: .*--data.cache"):
        build(clips, tmp_path)


def test_a_folder_that_cant_be_created_is_named(clips: list[Clip], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match=r"can't keep clips in .*file/cache: Not a directory"):
        build(clips, tmp_path / "file" / "cache")


def test_without_a_cache_an_unwritable_folder_is_not_an_error(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "file" / "cache"))
    for _ in range(2):
        reader = build_cache(clips, SPEC, "none", workers=1)
        assert (reader.files, reader.errors) == ({}, {})
        assert np.array_equal(reader(clips[0]), SPEC.load(clips[0]))


def test_concurrent_processes_build_one_cache(clips: list[Clip], tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(clips[0].path.parent), str(tmp_path / "cache")]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = {run.communicate(timeout=200)[0] for run in runs}
    assert [run.returncode for run in runs] == [0] * 4
    assert len(outputs) == 1
    assert list_cache(tmp_path / "cache")[0].ready == len(clips)
    assert is_cached(build(clips, tmp_path / "cache"), clips)


@pytest.mark.slow
@pytest.mark.nightly
def test_a_killed_cache_build_is_completed_by_the_next_call(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    paths = [videos.write_video(folder / f"{length:02}.mp4", length) for length in range(20, 44)]
    clips = clips_of(paths)
    command = [sys.executable, "-c", SCRIPT, str(folder), str(tmp_path / "cache")]
    duration = 0.0
    random = np.random.default_rng(0)
    for kill in range(4):
        start_time = time.monotonic()
        run = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        if kill == 0:
            run.communicate(timeout=200)
            duration = time.monotonic() - start_time
            shutil.rmtree(tmp_path / "cache")
            continue
        time.sleep(random.uniform(0.3, 1.0) * duration)
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
    reader = build(clips, tmp_path / "cache")
    assert is_cached(reader, clips)
    assert {path.suffix for path in reader.files[clips[0]].parent.iterdir()} == {".npy"}


@pytest.mark.parametrize(
    "num_workers",
    # a fork copies the locks that threads of earlier tests may hold: by night, on its own
    [0, pytest.param(1, marks=pytest.mark.nightly)],
)
def test_a_clip_that_hangs_is_an_error_with_its_name(
    clips: list[Clip], monkeypatch: pytest.MonkeyPatch, num_workers: int
) -> None:
    from emorec.data.augment import ClipTransform
    from emorec.data.dataset import ClipDataset, make_loader

    module = import_module("emorec.data.cache.build")
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(FrameSpec, "load", lambda *arguments: time.sleep(60))
    dataset = ClipDataset(clips, ClipReader(SPEC), ClipTransform((14, 14)))
    with pytest.raises(ClipError, match=r"7.mp4: decoding hangs: no end after 0.5 s"):
        next(iter(make_loader(dataset, batch_size=1, num_workers=num_workers)))


# Spans of one video

FPS = 15
"""Frame rate at which sixty frames, the number of distinct grey levels, are four seconds."""


def utterances(path: Path, number: int, last: float = 3.0) -> list[Clip]:
    """Return overlapping spans of half a second, of both halves of the frame, in random order."""
    starts = np.random.default_rng(0).permutation(np.linspace(0, last, number))
    halves: list[Half] = ["left", "right"]
    return [
        Clip(
            path=path,
            label=0,
            actor="a",
            take=f"{path.stem}_{index:02d}",
            span_seconds=(round(float(start), 3), round(float(start) + 0.5, 3)),
            half=halves[index % 2],
        )
        for index, start in enumerate(starts)
    ]


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
def test_spans_decoded_together_equal_those_decoded_separately(
    tmp_path: Path, decoder: Decoder
) -> None:
    first_video, second_video = (
        videos.write_video(tmp_path / f"{name}.mp4", 60, fps=FPS) for name in "ab"
    )
    single = Clip(path=second_video, label=0, actor="b", take="b")
    clips = [*utterances(first_video, 20), *utterances(second_video, 3), single]
    reader = build(
        clips, tmp_path / "cache", FrameSpec(num_frames=4, size=(32, 32), decoder=decoder)
    )
    assert reader.errors == {}
    assert is_cached(reader, clips)


def test_a_video_is_decoded_once_for_all_of_its_spans(tmp_path: Path) -> None:
    spec = CountingPasses(num_frames=4, size=(32, 32), log=str(tmp_path / "passes.txt"))
    first_video, second_video = (
        videos.write_video(tmp_path / f"{name}.mp4", 60, fps=FPS) for name in "ab"
    )
    single = Clip(path=second_video, label=0, actor="b", take="b")
    build(
        [*utterances(first_video, 20), *utterances(second_video, 3), single],
        tmp_path / "cache",
        spec,
    )
    assert spec.passes() == [1, 3, 4, 16]


def test_what_two_specifications_lack_is_decoded_once_for_both(tmp_path: Path) -> None:
    spec = CountingPasses(num_frames=4, size=(32, 32), log=str(tmp_path / "passes.txt"))
    also = replace(spec, size=(16, 16))
    path = videos.write_video(tmp_path / "a.mp4", 60, fps=FPS)
    one_frame = videos.write_video(tmp_path / "one.mp4", 1)
    cached, whole, broken = clips_of(
        [
            videos.write_video(tmp_path / "b.mp4", 20),
            videos.write_video(tmp_path / "c.mp4", 30),
            one_frame,
        ]
    )
    clips = [cached, whole, broken, *utterances(path, 3)]
    untouched = build([cached], tmp_path / "cache", also).files[cached]
    before = untouched.stat().st_mtime_ns
    reader = build_cache(clips, spec, str(tmp_path / "cache"), also=also, workers=1, progress=False)
    other = build(clips, tmp_path / "cache", also)
    assert spec.passes() == [1, 1, 1, 1, 3]
    for again in (reader, other):
        assert again.errors == {broken: "only one frame, in which nothing can move"}
        assert is_cached(again, [clip for clip in clips if clip != broken])
    assert untouched.stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="not made of the frames"):
        build_cache(
            clips, spec, str(tmp_path / "cache"), also=replace(also, num_frames=5), workers=1
        )


def test_an_error_of_one_span_does_not_affect_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 60, fps=FPS)
    valid = utterances(path, 5, last=1.0)
    too_late = Clip(path=path, label=0, actor="a", take="a_99", span_seconds=(60.0, 61.0))
    reader = build([*valid, too_late], tmp_path / "cache")
    assert reader.errors == {too_late: "no frame starts between 60 s and 61 s"}
    assert reader.files.keys() == set(valid)

    damaged = videos.flip_bits(videos.write_video(tmp_path / "b.mp4", 60, fps=FPS), 20)
    clips = utterances(damaged, 8)
    joint = build(clips, tmp_path / "together")
    monkeypatch.setattr("emorec.data.cache.build.MAX_SPANS", 1)
    separate = build(clips, tmp_path / "alone")

    def results(reader: ClipReader) -> dict[Clip, object]:
        # the number of errors depends on how far a decoder decodes ahead
        reasons = {clip: reason.split(":")[0] for clip, reason in reader.errors.items()}
        return reasons | {clip: checksum_of(file) for clip, file in reader.files.items()}

    assert results(joint) == results(separate)
    assert "damaged" in results(joint).values()


# Sound

AUDIO = AudioSpec(sound_rate=RATE, sound_seconds=0.5)


def sound_clip(path: Path, **more: object) -> Clip:
    return Clip(path=path, label=0, actor=1, take=path.stem, **more)  # type: ignore[arg-type]


@pytest.fixture
def sounds(tmp_path: Path) -> list[Clip]:
    return [
        sound_clip(write_wav(tmp_path / f"{pitch}.wav", [tone(0.5, RATE, pitch)], RATE))
        for pitch in (300, 500)
    ]


def test_cached_sound_equals_decoded_sound(sounds: list[Clip], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    for _ in range(2):
        reader = build(sounds, folder, AUDIO)
        assert is_cached(reader, sounds)
        reader.files[sounds[0]].write_bytes(b"damaged")  # detected by the next call
    assert is_cached(build(sounds, folder, AUDIO), sounds)
    (listing,) = list_cache(folder)
    assert (listing.name, listing.ready) == (AUDIO.name, 2)
    assert clear_cache(folder) >= 2 * 8000 * 2
    assert not list(folder.glob("sound-*"))


@pytest.mark.parametrize("cache", ["none", "CACHE"])
def test_missing_sound_is_distinguished_from_broken_sound(
    sounds: list[Clip], tmp_path: Path, cache: str
) -> None:
    silent_video = sound_clip(videos.write_video(tmp_path / "film.mp4", 5))
    text = sound_clip(tmp_path / "text.wav")
    text.path.write_text("no sound")
    cache_path = str(tmp_path / "cache") if cache == "CACHE" else cache
    reader = build_cache([*sounds, silent_video, text], AUDIO, cache_path, workers=1)
    assert reader.errors.keys() == {silent_video, text}
    assert reader.errors[silent_video] == NO_SOUND
    assert reader.errors[text].startswith("neither a video nor a sound file")


def test_sound_can_be_in_a_separate_file(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "a.wav", [tone(0.5, RATE)], RATE)
    silent_video = videos.write_video(tmp_path / "film.mp4", 60)
    clip = sound_clip(silent_video, sound_path=wav, span_seconds=(1.0, 1.5), half="left")
    reader = build([clip], tmp_path / "cache", AUDIO)
    np.testing.assert_allclose(reader(clip) / 32767, tone(0.5, RATE), atol=1e-3)


# Notes


@pytest.mark.parametrize("cache", ["CACHE", "none"])
def test_clips_that_pyav_reads_in_place_of_decord_are_named_in_one_line(
    tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "check"))
    paths = [videos.write_video(tmp_path / f"{n}.ts", n, bframes=2, gop=10) for n in (39, 40)]
    whole = videos.write_video(tmp_path / "whole.mp4")
    broken = videos.flip_bits(videos.write_video(tmp_path / "broken.mp4"), 20)
    clips = clips_of([*paths, whole, broken])
    spans = [replace(clips[1], span_seconds=span) for span in ((0.0, 0.5), (0.5, 1.0))]
    spec = replace(SPEC, decoder="decord")
    cache = str(tmp_path / "cache") if cache == "CACHE" else cache
    reader = build_cache([*clips, *spans], spec, cache, workers=1, progress=False)
    assert [clip.path for clip in reader.errors] == [broken]
    assert videos.shown_indices(reader(clips[1])) == linspace_indices(40, 6)
    assert videos.shown_indices(reader(spans[1])) == [15, 17, 20, 23, 26, 29]
    (line,) = [record.message for record in caplog.records if "PyAV" in record.message]
    assert "reads 4 clips wrongly" in line
    assert "40.ts from 0.5 to 1 s (other pictures)" in line
    assert "whole.mp4" not in line


def test_holes_of_sound_are_named_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    late = write_film(tmp_path / "late.mkv", [(1.0, tone(1.0, RATE))], 2.0)
    whole = write_film(tmp_path / "whole.mkv", [(0.0, tone(2.0, RATE))], 2.0)
    first_half = sound_clip(late, span_seconds=(0.0, 1.5))
    build([sound_clip(late), sound_clip(whole), first_half], tmp_path / "cache", AUDIO)
    (line,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert "2 clips" in line
    assert "late.mkv (0 to 1 s)" in line
