from pathlib import Path

import av
import decord
import numpy as np
import pytest

from emorec.data.sets.ravdess.parser import RavdessName, find_clips
from emorec.data.synthetic.clips import draw_clip, plan, voice_clip, write_dataset
from emorec.data.synthetic.expression import perform
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.synthetic.voice import SAMPLE_RATE
from emorec.errors import UserError

TINY = ClipSettings(width=32, height=32, num_frames=7)


def write(root: Path, settings: ClipSettings = TINY, **options):
    options = {"actors": [1], "takes": 1, "num_workers": 0, **options}
    return write_dataset(root, settings=settings, **options)


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}


# Plan


def test_eight_takes_of_24_actors_are_the_1440_spoken_clips_of_ravdess():
    names = plan(actors=range(1, 25), takes=8)
    expected = {
        f"01-01-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor:02d}"
        for actor in range(1, 25)
        for emotion in range(1, 9)
        for intensity in ((1,) if emotion == 1 else (1, 2))
        for statement in (1, 2)
        for repetition in (1, 2)
    }
    assert len(names) == 1440
    assert {str(name) for name in names} == expected


def test_two_takes_have_both_intensities_and_both_statements():
    names = [name for name in plan(actors=[3], takes=2) if name.emotion == "sad"]
    assert {name.intensity for name in names} == {"normal", "strong"}
    assert {name.statement for name in names} == {1, 2}


def test_the_ravdess_reader_finds_the_written_clips(tmp_path):
    written = write(tmp_path, actors=[2, 11])
    index = find_clips(tmp_path)
    assert index.other_files == ()
    assert sorted(clip.path for clip in index.clips) == sorted(written)
    assert {clip.actor for clip in index.clips} == {2, 11}
    assert sorted(clip.label for clip in index.clips) == sorted([*range(8), *range(8)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"takes": 0}, "takes is 0: choose 1 to 8"),
        ({"takes": 9}, "takes is 9: choose 1 to 8"),
        ({"actors": [25]}, "no actor 25"),
    ],
)
def test_arguments_beyond_the_names_of_ravdess_are_refused(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        write(tmp_path, **options)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 33}, "width is 33"),
        ({"height": 0}, "height is 0"),
        ({"width": 48}, "width is 48: decord can't read"),
        ({"num_frames": 0}, "num_frames is 0"),
        ({"fps": 0}, "fps is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_clip_settings_are_refused_with_their_value(settings, message):
    with pytest.raises(UserError, match=message):
        ClipSettings(**settings)


# Content of a clip


@pytest.mark.parametrize(("width", "height"), [(112, 112), (64, 36), (36, 64), (50, 50)])
def test_decord_and_pyav_decode_the_drawn_frames(tmp_path, width, height):
    settings = ClipSettings(width=width, height=height, num_frames=46)
    path = next(p for p in write(tmp_path, settings) if p.name.startswith("01-01-08"))
    expected = draw_clip(RavdessName.parse(path.stem), settings)
    reader = decord.VideoReader(str(path))
    by_decord = np.stack([reader.next().asnumpy() for _ in range(len(reader))])
    with av.open(str(path)) as container:
        by_pyav = np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])
    assert by_decord.shape == expected.shape == (46, height, width, 3)
    np.testing.assert_array_equal(by_decord, by_pyav)
    random_access = reader.get_batch([45, 3, 20, 3]).asnumpy()
    np.testing.assert_array_equal(random_access, by_decord[[45, 3, 20, 3]])
    # the encoder loses colour detail at this size, but each frame stays closest to its own drawing
    assert np.abs(by_decord.astype(int) - expected).mean() < 6
    distances = np.abs(by_decord[::5, None].astype(np.int16) - expected[None, ::5]).mean((2, 3, 4))
    np.testing.assert_allclose(distances.diagonal(), distances.min(axis=1), atol=0.2)


def test_a_clip_is_h264_with_sound_as_long_as_its_frames(tmp_path):
    settings = ClipSettings(width=32, height=32, num_frames=30, fps=20)
    path = write(tmp_path, settings)[4]
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.average_rate, video.start_time) == (20, 0)
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    # the last packet of 1024 samples is padded
    assert 0 <= len(sound) - 30 / 20 * SAMPLE_RATE < 1024
    voiced = voice_clip(RavdessName.parse(path.stem), settings)
    size = min(len(sound), len(voiced))
    assert np.corrcoef(sound[:size], voiced[:size])[0, 1] > 0.95


def test_video_only_files_have_the_same_frames_and_no_sound(tmp_path):
    paths = write(tmp_path, twins=True)
    assert len(paths) == 16
    for path in paths[::2]:
        video_only = path.with_name("02" + path.name[2:])
        with av.open(str(video_only)) as container:
            assert not container.streams.audio
        frames, video_only_frames = (
            decord.VideoReader(str(p))[:].asnumpy() for p in (path, video_only)
        )
        np.testing.assert_array_equal(frames, video_only_frames)


# Reproducibility


def test_files_are_bitwise_equal_for_any_number_of_workers(tmp_path):
    write(tmp_path / "none", num_workers=0)
    write(tmp_path / "two", num_workers=2)
    assert contents(tmp_path / "none") == contents(tmp_path / "two")


def test_another_seed_gives_different_actors_and_takes():
    other_settings = ClipSettings(width=32, height=32, num_frames=7, seed=1)
    name = RavdessName.parse("01-01-03-02-01-01-01")
    assert (draw_clip(name, TINY) == draw_clip(name, TINY)).all()
    assert (draw_clip(name, TINY) != draw_clip(name, other_settings)).mean() > 0.5
    first, second = (perform(name, num_frames=7, seed=seed).poses for seed in (0, 1))
    assert not np.allclose(first, second)


def test_two_takes_of_one_sentence_differ():
    first, second = (
        perform(RavdessName.parse(f"01-01-04-02-01-{repetition}-01"), num_frames=46, seed=0).poses
        for repetition in ("01", "02")
    )
    assert 0.01 < np.abs(first - second).mean() < 0.3


# Existing files


def test_existing_clips_are_kept_and_missing_ones_written(tmp_path):
    paths = write(tmp_path)
    complete = contents(tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in paths}
    assert write(tmp_path) == []
    assert stamps == {path: path.stat().st_mtime_ns for path in paths}
    paths[3].unlink()
    assert write(tmp_path) == [paths[3]]
    assert contents(tmp_path) == complete


def test_an_incomplete_clip_is_never_left_under_its_name(tmp_path, monkeypatch):
    def write_part_and_raise(path, data):
        with path.open("wb") as file:
            file.write(data[:100])
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", write_part_and_raise)
    with pytest.raises(UserError, match="No space left on device"):
        write(tmp_path)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("foreign", [b"not a video", None])
def test_a_file_written_with_other_settings_is_never_overwritten(tmp_path, foreign):
    paths = write(tmp_path, ClipSettings(width=32, height=32, num_frames=7, seed=5))
    if foreign is not None:
        paths[0].write_bytes(foreign)
    original = contents(tmp_path)
    with pytest.raises(UserError, match=rf"{paths[0].name} is there already .* seed 0: choose"):
        write(tmp_path, actors=[1, 2])
    assert contents(tmp_path) == original


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"can't write .*taken.*choose another folder"):
        write(tmp_path / "taken")
