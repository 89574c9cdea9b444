"""Data module of IEMOCAP: spans, halves and sounds of utterances in batches."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorec.data import IemocapDataModule
from emorec.data.video.reader import linspace_indices
from emorec.errors import UserError
from tests.iemocap_set import DIALOGUES, FPS, grey, name_of, tone


def make_data(root: Path, stage: str = "fit", **arguments: Any) -> IemocapDataModule:
    small = {"num_frames": 3, "image_size": 16, "batch_size": 7, "num_workers": 0, "fold": 1}
    data = IemocapDataModule(str(root), **{**small, **arguments})
    data.prepare_data()
    data.setup(stage)
    return data


def expected_levels(
    session: int, dialogue: str, number: int, speaker: str, seconds: float = 100.0
) -> list[int]:
    """Return the grey levels of three frames in the middle of an utterance, as written to the data set."""
    (turn,) = (
        turn for turn in DIALOGUES[dialogue] if (turn.speaker, turn.number) == (speaker, number)
    )
    # a frame belongs to the span that it starts in
    middle, half_length = (turn.start + turn.end) / 2, min(seconds, turn.end - turn.start) / 2
    start, end = middle - half_length - 1e-3, middle + half_length - 1e-3
    frames = [index for index in range(60) if start <= index / FPS < end]
    half = "left" if dialogue.startswith(speaker) else "right"
    level = grey(session, dialogue, half)
    return [level + frames[int(index)] for index in linspace_indices(len(frames), 3)]


@pytest.mark.parametrize("cache", ["none", "folder"])
@pytest.mark.parametrize("decoder", ["decord", "pyav"])
@pytest.mark.parametrize("seconds", [None, 0.5])
def test_a_clip_contains_the_time_and_half_of_its_utterance(
    drawn_iemocap: Path, tmp_path: Path, cache: str, decoder: str, seconds: float | None
) -> None:
    cache = str(tmp_path) if cache == "folder" else cache
    options: dict[str, Any] = {"decoder": decoder, "middle_seconds": seconds}
    data = make_data(drawn_iemocap, cache=cache, merge_excited=True, **options)
    for _ in range(2):  # the second time from the cache, if enabled
        clips = [*data.subsets["train"], *data.subsets["val"]]
        assert len(clips) == 40
        for clip in clips:
            turn = clip.take.rpartition("_")[2]
            session, dialogue = int(clip.take[4]), clip.take[5:].rpartition("_")[0]
            levels = data.read_frames(clip).astype(float).mean(axis=(1, 2, 3))
            expected = expected_levels(session, dialogue, int(turn[1:]), turn[0], seconds or 100.0)
            assert abs(levels - expected).max() < 1.5, (clip, levels, expected)
        data.setup("fit")


def test_the_sound_of_a_clip_is_its_wav_file(drawn_iemocap: Path, tmp_path: Path) -> None:
    rate = 4000
    data = make_data(
        drawn_iemocap, cache=str(tmp_path), sound=True, sound_rate=rate, sound_seconds=1.0
    )
    clips = data.subsets["val"]
    (batch, second_batch) = data.val_dataloader()
    sounds = [*batch["sound"], *second_batch["sound"]]
    assert len(sounds) == len(clips) == 8
    for clip, sound in zip(clips, sounds, strict=True):
        (turn,) = (
            turn
            for dialogue, turns in DIALOGUES.items()
            for turn in turns
            if name_of(2, dialogue, turn) == clip.take
        )
        assert sound.shape == (rate,)
        # in Hz, as the sound lasts one second
        loudest = np.abs(np.fft.rfft(sound.numpy())).argmax()
        assert abs(int(loudest) - tone(2, turn)) <= 1


def test_sound_needs_no_videos(drawn_iemocap: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(drawn_iemocap, tmp_path / "release"))
    for session in root.iterdir():
        shutil.rmtree(session / "dialog" / "avi")
    data = make_data(
        root, num_frames=0, sound=True, sound_seconds=0.5, cache=str(tmp_path / "cache")
    )
    (batch, _) = data.val_dataloader()
    assert batch["sound"].shape == (7, 8000)
    with pytest.raises(UserError, match=r"Session1 is .*lacks dialog/avi/DivX"):
        make_data(root)


def test_class_weights_are_inverse_to_the_class_frequencies(drawn_iemocap: Path) -> None:
    data = make_data(drawn_iemocap, merge_excited=True, balance="weights")
    assert data.class_names == ("angry", "happy", "neutral", "sad")
    weights = data.class_weights
    assert weights is not None
    assert weights[1] * 2 == weights[0] == weights[2] == weights[3]
    assert make_data(drawn_iemocap, classes=3).class_names == ("angry", "neutral", "sad")


def test_a_broken_utterance_does_not_affect_its_dialogue(
    drawn_iemocap: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(drawn_iemocap, tmp_path / "release"))
    path = root / "Session3/dialog/EmoEvaluation/Ses03F_impro01.txt"
    path.write_text(path.read_text().replace("[0.5000 - 1.5000]", "[70.5000 - 71.5000]"))
    broken = r"1 of 32 clips .*Ses03F_impro01.avi \(no frame starts between 70.5 s and 71.5 s\)"
    with pytest.raises(UserError, match=broken):
        make_data(root)
    data = make_data(root, on_error="skip")
    takes = {clip.take for clip in data.subsets["train"]}
    assert "Ses03F_impro01_F000" not in takes
    assert {"Ses03F_impro01_F001", "Ses03F_impro01_M000"} <= takes
    assert data.split_record()["skipped"] == ["Ses03F_impro01.avi"]


def test_clips_of_the_same_file_differ_in_the_hash_of_the_split(drawn_iemocap: Path) -> None:
    four, three = (
        make_data(drawn_iemocap, classes=classes).split_record()["hash"] for classes in (4, 3)
    )
    assert four == make_data(drawn_iemocap).split_record()["hash"] != three


def test_excluded_and_incomplete_utterances_are_logged_in_a_line_each(
    drawn_iemocap: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = Path(shutil.copytree(drawn_iemocap, tmp_path / "release"))
    (root / "Session1/dialog/avi/DivX/Ses01F_impro01.avi").unlink()
    with caplog.at_level("INFO", "emorec"):
        make_data(root)
    assert caplog.messages[:2] == [
        "36 utterances of angry, happy, neutral, sad; "
        "excluded labels: 10 excited, 10 frustrated, 5 without agreement",
        "left out 4 utterances: Ses01F_impro01_F000 (no avi); Ses01F_impro01_F001 (no avi); "
        "Ses01F_impro01_M000 (no avi); Ses01F_impro01_M001 (no avi)",
    ]


def test_the_folder_is_the_argument_or_else_the_environment_variable(
    drawn_iemocap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMOREC_IEMOCAP_ROOT", raising=False)
    with pytest.raises(UserError, match=r"no data folder: .*EMOREC_IEMOCAP_ROOT; ask for IEMOCAP"):
        IemocapDataModule(fold=1).find()
    monkeypatch.setenv("EMOREC_IEMOCAP_ROOT", str(drawn_iemocap))
    assert len(IemocapDataModule(fold=1).find().clips) == 40


def test_excited_can_not_be_merged_without_the_class_happy() -> None:
    with pytest.raises(UserError, match=r"merge_excited true .* data.classes 3 leaves out"):
        IemocapDataModule(classes=3, merge_excited=True)


def test_the_actors_of_a_missing_session_are_named(drawn_iemocap: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(drawn_iemocap, tmp_path / "release"))
    shutil.rmtree(root / "Session2")
    with pytest.raises(UserError, match=r"no clip of val actors Ses02F, Ses02M"):
        make_data(root)


def test_the_random_split_gives_a_leak_warning_before_training(
    drawn_iemocap: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_data(drawn_iemocap, split="seed_random", fold=None)
    assert [text for text in caplog.messages if text.startswith("LEAK: split seed_random")]
    caplog.clear()
    make_data(drawn_iemocap)
    assert not [text for text in caplog.messages if "LEAK" in text]
