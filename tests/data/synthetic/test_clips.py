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


def write(root: Path, settings: ClipSettings = TINY, **wanted):
    wanted = {"actors": [1], "takes": 1, "num_workers": 0, **wanted}
    return write_dataset(root, settings=settings, **wanted)


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}


# --- the plan


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


def test_two_takes_already_show_both_intensities_and_both_statements():
    names = [name for name in plan(actors=[3], takes=2) if name.emotion == "sad"]
    assert {name.intensity for name in names} == {"normal", "strong"}
    assert {name.statement for name in names} == {1, 2}


def test_the_written_clips_are_what_the_ravdess_reader_finds(tmp_path):
    written = write(tmp_path, actors=[2, 11])
    found = find_clips(tmp_path)
    assert found.other_files == ()
    assert sorted(clip.path for clip in found.clips) == sorted(written)
    assert {clip.actor for clip in found.clips} == {2, 11}
    assert sorted(clip.label for clip in found.clips) == sorted([*range(8), *range(8)])


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"takes": 0}, "takes is 0: choose 1 to 8"),
        ({"takes": 9}, "takes is 9: choose 1 to 8"),
        ({"actors": [25]}, "no actor 25"),
    ],
)
def test_a_data_set_that_ravdess_could_not_hold_is_refused(tmp_path, wanted, message):
    with pytest.raises(UserError, match=message):
        write(tmp_path, **wanted)
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


# --- the content of a clip


@pytest.mark.parametrize(("width", "height"), [(112, 112), (64, 36), (36, 64), (50, 50)])
def test_decord_and_pyav_decode_every_frame_that_was_drawn(tmp_path, width, height):
    settings = ClipSettings(width=width, height=height, num_frames=46)
    path = next(p for p in write(tmp_path, settings) if p.name.startswith("01-01-08"))
    drawn = draw_clip(RavdessName.parse(path.stem), settings)
    reader = decord.VideoReader(str(path))
    by_decord = np.stack([reader.next().asnumpy() for _ in range(len(reader))])
    with av.open(str(path)) as container:
        by_pyav = np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])
    assert by_decord.shape == drawn.shape == (46, height, width, 3)
    np.testing.assert_array_equal(by_decord, by_pyav)
    jumping = reader.get_batch([45, 3, 20, 3]).asnumpy()
    np.testing.assert_array_equal(jumping, by_decord[[45, 3, 20, 3]])
    # the encoder loses colour detail at this size, but each frame stays nearest to its own drawing
    assert np.abs(by_decord.astype(int) - drawn).mean() < 6
    distances = np.abs(by_decord[::5, None].astype(np.int16) - drawn[None, ::5]).mean((2, 3, 4))
    np.testing.assert_allclose(distances.diagonal(), distances.min(axis=1), atol=0.2)


def test_a_clip_is_h264_with_sound_as_long_as_its_frames(tmp_path):
    settings = ClipSettings(width=32, height=32, num_frames=30, fps=20)
    path = write(tmp_path, settings)[4]
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.average_rate, video.start_time) == (20, 0)
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    # the last of the packets, of 1024 samples each, is filled up
    assert 0 <= len(sound) - 30 / 20 * SAMPLE_RATE < 1024
    voiced = voice_clip(RavdessName.parse(path.stem), settings)
    size = min(len(sound), len(voiced))
    assert np.corrcoef(sound[:size], voiced[:size])[0, 1] > 0.95


def test_a_video_only_twin_holds_the_same_frames_and_no_sound(tmp_path):
    paths = write(tmp_path, twins=True)
    assert len(paths) == 16
    for path in paths[::2]:
        twin = path.with_name("02" + path.name[2:])
        with av.open(str(twin)) as container:
            assert not container.streams.audio
        frames, twins = (decord.VideoReader(str(p))[:].asnumpy() for p in (path, twin))
        np.testing.assert_array_equal(frames, twins)


# --- the same every time


def test_the_files_are_the_same_to_the_byte_whatever_the_number_of_workers(tmp_path):
    write(tmp_path / "none", num_workers=0)
    write(tmp_path / "two", num_workers=2)
    assert contents(tmp_path / "none") == contents(tmp_path / "two")


def test_another_seed_gives_other_actors_and_other_takes():
    other = ClipSettings(width=32, height=32, num_frames=7, seed=1)
    name = RavdessName.parse("01-01-03-02-01-01-01")
    assert (draw_clip(name, TINY) == draw_clip(name, TINY)).all()
    assert (draw_clip(name, TINY) != draw_clip(name, other)).mean() > 0.5
    first, second = (perform(name, num_frames=7, seed=seed).poses for seed in (0, 1))
    assert not np.allclose(first, second)


def test_two_takes_of_one_sentence_differ():
    first, second = (
        perform(RavdessName.parse(f"01-01-04-02-01-{repetition}-01"), num_frames=46, seed=0).poses
        for repetition in ("01", "02")
    )
    assert 0.01 < np.abs(first - second).mean() < 0.3


# --- what happens to files that are there


def test_a_second_call_writes_nothing_and_an_interrupted_one_is_finished(tmp_path):
    paths = write(tmp_path)
    whole = contents(tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in paths}
    assert write(tmp_path) == []
    assert stamps == {path: path.stat().st_mtime_ns for path in paths}
    paths[3].unlink()
    assert write(tmp_path) == [paths[3]]
    assert contents(tmp_path) == whole


def test_a_clip_takes_its_name_only_when_it_is_complete(tmp_path, monkeypatch):
    def full(path, data):
        with path.open("wb") as file:
            file.write(data[:100])
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left on device"):
        write(tmp_path)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("foreign", [b"not a video", None])
def test_a_file_written_with_other_settings_is_never_overwritten(tmp_path, foreign):
    paths = write(tmp_path, ClipSettings(width=32, height=32, num_frames=7, seed=5))
    if foreign is not None:
        paths[0].write_bytes(foreign)
    before = contents(tmp_path)
    with pytest.raises(UserError, match=rf"{paths[0].name} is there already .* seed 0: choose"):
        write(tmp_path, actors=[1, 2])
    assert contents(tmp_path) == before


def test_a_folder_that_is_a_file_is_one_clear_line(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"can't write .*taken.*choose another folder"):
        write(tmp_path / "taken")
