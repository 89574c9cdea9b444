"""RAVDESS names and folders."""

from pathlib import Path

import pytest

from emorec.data.clip import EMOTIONS
from emorec.data.ravdess import RavdessName, find_clips
from emorec.errors import UserError


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_name_says_all_that_the_data_set_page_promises() -> None:
    name = RavdessName.parse("02-01-06-01-02-01-12")  # the example on the Zenodo page
    assert (name.modality, name.channel, name.emotion) == ("video", "speech", "fearful")
    assert (name.intensity, name.statement, name.repetition) == ("normal", 2, 1)
    assert (name.actor, name.sex) == (12, "female")


def test_every_take_of_ravdess_survives_the_way_through_its_name() -> None:
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
def test_a_name_that_ravdess_does_not_have_is_refused_with_the_reason(
    stem: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        RavdessName.parse(stem)


def test_files_of_one_performance_are_one_take() -> None:
    with_sound, silent = (
        RavdessName.parse("01-01-03-02-01-02-07"),
        RavdessName.parse("02-01-03-02-01-02-07"),
    )
    assert with_sound.take == silent.take
    assert with_sound.take != RavdessName.parse("01-01-03-02-01-01-07").take


@pytest.mark.parametrize("nesting", ["", "Actor_01", "Video_Speech_Actor_01/Actor_01", "a/b/c/d"])
def test_clips_are_found_in_any_nesting(tmp_path: Path, nesting: str) -> None:
    touch(tmp_path / nesting, "01-01-08-01-01-01-01.mp4")
    (clip,) = find_clips(tmp_path).clips
    assert (EMOTIONS[int(clip.label)], clip.actor) == ("surprised", 1)


def test_modality_and_channel_choose_what_is_taken(tmp_path: Path) -> None:
    touch(
        tmp_path, "01-01-03-01-01-01-01.mp4", "02-01-03-01-01-01-01.mp4", "01-02-03-01-01-01-01.mp4"
    )

    def stems(**wanted: str) -> list[str]:
        return [clip.path.stem[:5] for clip in find_clips(tmp_path, **wanted).clips]  # type: ignore[arg-type]

    assert stems() == ["01-01"]
    assert stems(modality="video") == ["02-01"]
    assert stems(modality="both") == ["01-01", "02-01"]
    assert stems(channel="song") == ["01-02"]
    assert stems(modality="both", channel="both") == ["01-01", "01-02", "02-01"]


def test_what_is_no_clip_is_listed_and_never_taken(tmp_path: Path) -> None:
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
    listed = {path.relative_to(tmp_path).as_posix(): reason for path, reason in folder.others}
    assert listed.keys() == {
        "copy/01-01-03-01-01-01-01.mp4",
        "Actor_01/01-01-03-01-01-02-01.avi",
        "holiday.mp4",
    }
    assert "second copy" in listed["copy/01-01-03-01-01-01-01.mp4"]


def test_a_folder_that_is_not_there_or_holds_no_clip_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such folder: .*nowhere"):
        find_clips(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no av speech clip of RAVDESS below"):
        find_clips(tmp_path)
    touch(tmp_path, "holiday.mp4")
    with pytest.raises(UserError, match=r"holiday.mp4 is the first that is none: not seven"):
        find_clips(tmp_path)


def test_the_real_clips_are_sixty_an_actor(ravdess_root: Path) -> None:
    clips = find_clips(ravdess_root).clips
    actors = {clip.actor for clip in clips}
    assert len(clips) == 60 * len(actors)
    counts = [sum(clip.label == label for clip in clips) // len(actors) for label in range(8)]
    assert counts == [4, 8, 8, 8, 8, 8, 8, 8]  # neutral is half
