"""RAVDESS file names and folders."""

from dataclasses import replace
from pathlib import Path

import pytest

from emorec.data import CSVDataModule, RavdessDataModule
from emorec.data.clip import EMOTIONS
from emorec.data.sets.ravdess.parser import RavdessName, find_clips, parse_actors
from emorec.errors import UserError


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_the_example_of_the_zenodo_page_is_parsed() -> None:
    name = RavdessName.parse("02-01-06-01-02-01-12")
    assert (name.modality, name.channel, name.emotion) == ("video", "speech", "fearful")
    assert (name.intensity, name.statement, name.repetition) == ("normal", 2, 1)
    assert (name.actor, name.sex) == (12, "female")


def test_all_names_of_speech_survive_a_round_trip() -> None:
    speech = [
        f"{modality:02d}-01-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor:02d}"
        for modality in (1, 2, 3)
        for emotion in range(1, 9)
        for intensity in ((1,) if emotion == 1 else (1, 2))
        for statement in (1, 2)
        for repetition in (1, 2)
        for actor in range(1, 25)
    ]
    assert len(speech) == 3 * 60 * 24
    assert [str(RavdessName.parse(stem)) for stem in speech] == speech


@pytest.mark.parametrize(
    ("stem", "reason"),
    [
        ("holiday", "seven two-digit fields"),
        ("01-01-03-01-01-01", "seven two-digit fields"),
        ("1-1-3-1-1-1-1", "seven two-digit fields"),
        ("01-01-03-01-01-01-01-01", "seven two-digit fields"),
        ("04-01-03-01-01-01-01", "modality 04"),
        ("01-03-03-01-01-01-01", "channel 03"),
        ("01-01-09-01-01-01-01", "emotion 09"),
        ("01-01-00-01-01-01-01", "emotion 00"),
        ("01-01-03-03-01-01-01", "intensity 03"),
        ("01-01-03-01-03-01-01", "statement 03"),
        ("01-01-03-01-01-03-01", "repetition 03"),
        ("01-01-03-01-01-01-25", "actor 25"),
        ("01-01-01-02-01-01-01", "no strong neutral"),
        ("01-02-07-01-01-01-01", "no sung disgust"),
    ],
)
def test_an_impossible_name_is_refused_with_the_reason(stem: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        RavdessName.parse(stem)


def test_files_of_one_performance_are_one_take() -> None:
    with_sound = RavdessName.parse("01-01-03-02-01-02-07")
    assert with_sound.take == RavdessName.parse("02-01-03-02-01-02-07").take
    assert with_sound.take != RavdessName.parse("01-01-03-02-01-01-07").take


@pytest.mark.parametrize("nesting", ["", "Actor_01", "Video_Speech_Actor_01/Actor_01", "a/b/c/d"])
def test_clips_are_found_in_any_nesting(tmp_path: Path, nesting: str) -> None:
    touch(tmp_path / nesting, "01-01-08-01-01-01-01.mp4")
    (clip,) = find_clips(tmp_path).clips
    assert (EMOTIONS[int(clip.label)], clip.actor) == ("surprised", 1)  # type: ignore[arg-type]


def test_modality_and_channel_select_clips(tmp_path: Path) -> None:
    touch(
        tmp_path, "01-01-03-01-01-01-01.mp4", "02-01-03-01-01-01-01.mp4", "01-02-03-01-01-01-01.mp4"
    )

    def stems(**selection: str) -> list[str]:
        return [clip.path.stem[:5] for clip in find_clips(tmp_path, **selection).clips]  # type: ignore[arg-type]

    assert stems() == ["01-01"]
    assert stems(modality="video") == ["02-01"]
    assert stems(modality="both") == ["01-01", "02-01"]
    assert stems(channel="song") == ["01-02"]
    assert stems(modality="both", channel="both") == ["01-01", "01-02", "02-01"]


def test_other_files_and_duplicates_are_listed_with_the_reason(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "Actor_01/01-01-03-01-01-01-01.mp4",
        "copy/01-01-03-01-01-01-01.mp4",
        "Actor_01/01-01-03-01-01-02-01.avi",
        "holiday.mp4",
        "Actor_01/.DS_Store",
        "03-01-03-01-01-01-01.wav",
    )
    folder = find_clips(tmp_path)
    assert [clip.path.parent.name for clip in folder.clips] == ["Actor_01"]
    reasons = {path.relative_to(tmp_path).as_posix(): reason for path, reason in folder.other_files}
    assert reasons.keys() == {
        "copy/01-01-03-01-01-01-01.mp4",
        "Actor_01/01-01-03-01-01-02-01.avi",
        "holiday.mp4",
    }
    assert "second copy" in reasons["copy/01-01-03-01-01-01-01.mp4"]


def test_sound_files_are_clips_of_the_same_takes(tmp_path: Path) -> None:
    stem = "01-03-01-01-01-07"
    for name in (f"01-{stem}.mp4", f"03-{stem}.wav", "03-01-04-01-01-01-08.mp4"):
        (tmp_path / name).touch()
    folder = find_clips(tmp_path, modality="audio")
    assert [(clip.path.name, clip.take, clip.actor) for clip in folder.clips] == [
        (f"03-{stem}.wav", stem, 7)
    ]
    assert [path.name for path, _ in folder.other_files] == ["03-01-04-01-01-01-08.mp4"]
    (tmp_path / f"01-{stem}.mp4").unlink()
    with pytest.raises(UserError, match=r"--data\.modality audio takes the 2 clips that it has"):
        find_clips(tmp_path)


def test_a_network_that_sees_is_refused_sound_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"modality audio has no pictures: .*--data\.num_frames 0"):
        RavdessDataModule(str(tmp_path), modality="audio")


def test_ravdess_is_read_by_decord_and_other_data_by_pyav(tmp_path: Path) -> None:
    assert RavdessDataModule(str(tmp_path)).hparams["decoder"] == "decord"
    data = CSVDataModule(str(tmp_path / "a.csv"), labels=["a", "b"])
    assert data.hparams["decoder"] == "auto"
    names = {replace(data.frame_spec, decoder=name).name for name in ("auto", "pyav")}
    assert len(names) == 1


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such folder: .*nowhere .*--data.root"):
        find_clips(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no av speech clip of RAVDESS below"):
        find_clips(tmp_path)
    touch(tmp_path, "holiday.mp4")
    with pytest.raises(UserError, match=r"1 other files, such as holiday.mp4: not seven"):
        find_clips(tmp_path)


@pytest.mark.parametrize("text", ["", "a", "4-1", "1,,2", "-3"])
def test_a_list_of_actors_that_can_t_be_parsed_is_refused(text: str) -> None:
    assert parse_actors("3,1-2, 5") == [1, 2, 3, 5]
    with pytest.raises(UserError, match="write numbers and ranges, as in 1-4,23,24"):
        parse_actors(text)


@pytest.mark.real
def test_there_are_sixty_real_clips_per_actor(ravdess_root: Path) -> None:
    clips = find_clips(ravdess_root).clips
    num_actors = len({clip.actor for clip in clips})
    assert len(clips) == 60 * num_actors
    counts = [sum(clip.label == label for clip in clips) // num_actors for label in range(8)]
    assert counts == [4, 8, 8, 8, 8, 8, 8, 8]  # neutral has no strong intensity
