"""IEMOCAP through the whole chain: spans and halves reach the network, and a leak reaches the comparison."""

import contextlib
import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorec import checkpoint
from emorec.cli import main
from emorec.data import IemocapDataModule
from emorec.data.decoding.sample import linspace_indices
from emorec.data.iemocap_split import SPEAKERS
from emorec.errors import UserError
from emorec.report.comparison import compare_runs
from emorec.report.runs import find_runs
from emorec.report.sentences import summarize_comparison
from tests.iemocap_set import DIALOGUES, FPS, grey, name_of, tone

SMALL = (
    *("--model", "LateFusion", "--model.weights", "none", "--data", "IemocapDataModule"),
    *("--data.num_frames", "2", "--data.image_size", "16", "--data.batch_size", "8"),
    *("--data.num_workers", "0", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"),
)


def data(root: Path, stage: str = "fit", **arguments: Any) -> IemocapDataModule:
    small = {"num_frames": 3, "image_size": 16, "batch_size": 7, "num_workers": 0, "fold": 1}
    module = IemocapDataModule(str(root), **{**small, **arguments})
    module.prepare_data()
    module.setup(stage)
    return module


def expected_levels(
    session: int, dialogue: str, number: int, speaker: str, seconds: float = 100.0
) -> list[int]:
    """Grey of three frames of the middle of an utterance, worked out from how the set is drawn."""
    (turn,) = (
        turn for turn in DIALOGUES[dialogue] if (turn.speaker, turn.number) == (speaker, number)
    )
    # a frame belongs to the span it starts in
    middle, half_length = (turn.start + turn.end) / 2, min(seconds, turn.end - turn.start) / 2
    start, end = middle - half_length - 1e-3, middle + half_length - 1e-3
    frames = [at for at in range(60) if start <= at / FPS < end]
    half = "left" if dialogue.startswith(speaker) else "right"
    level = grey(session, dialogue, half)
    return [level + frames[int(at)] for at in linspace_indices(len(frames), 3)]


@pytest.mark.parametrize("cache", ["none", "folder"])
@pytest.mark.parametrize("decoder", ["decord", "pyav"])
@pytest.mark.parametrize("seconds", [None, 0.5])
def test_an_utterance_shows_its_own_time_and_its_own_half(
    drawn_iemocap: Path, tmp_path: Path, cache: str, decoder: str, seconds: float | None
) -> None:
    cache = str(tmp_path) if cache == "folder" else cache
    how: dict[str, Any] = {"decoder": decoder, "middle_seconds": seconds}
    module = data(drawn_iemocap, cache=cache, merge_excited=True, **how)
    for _ in range(2):  # the second time from the cache, where there is one
        clips = module.sides["train"] + module.sides["val"]
        assert len(clips) == 40
        for clip in clips:
            said = clip.take.rpartition("_")[2]
            session, dialogue = int(clip.take[4]), clip.take[5:].rpartition("_")[0]
            shown = module.source(clip).astype(float).mean(axis=(1, 2, 3))
            expected = expected_levels(session, dialogue, int(said[1:]), said[0], seconds or 100.0)
            assert abs(shown - expected).max() < 1.5, (clip, shown, expected)
        module.setup("fit")


def test_an_utterance_sounds_as_its_own_wav(drawn_iemocap: Path, tmp_path: Path) -> None:
    rate = 4000
    module = data(
        drawn_iemocap, cache=str(tmp_path), sound=True, sound_rate=rate, sound_seconds=1.0
    )
    clips = module.sides["val"]
    (batch, other) = module.val_dataloader()
    sounds = [*batch["sound"], *other["sound"]]
    assert len(sounds) == len(clips) == 8
    for clip, sound in zip(clips, sounds, strict=True):
        (turn,) = (
            turn
            for dialogue, turns in DIALOGUES.items()
            for turn in turns
            if name_of(2, dialogue, turn) == clip.take
        )
        assert sound.shape == (rate,)
        loudest = np.abs(np.fft.rfft(sound.numpy())).argmax()  # of one second: in Hz
        assert abs(int(loudest) - tone(2, turn)) <= 1


def test_a_copy_without_videos_can_be_heard(drawn_iemocap: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(drawn_iemocap, tmp_path / "release"))
    for session in root.iterdir():
        shutil.rmtree(session / "dialog" / "avi")
    module = data(root, num_frames=0, sound=True, sound_seconds=0.5, cache=str(tmp_path / "cache"))
    (batch, _) = module.val_dataloader()
    assert batch["sound"].shape == (7, 8000)
    with pytest.raises(UserError, match=r"Session1 is .*lacks dialog/avi/DivX"):
        data(root)


def test_classes_and_weights_are_those_of_the_utterances(drawn_iemocap: Path) -> None:
    module = data(drawn_iemocap, merge_excited=True, balance="weights")
    assert module.class_names == ("angry", "happy", "neutral", "sad")
    weights = module.class_weights
    assert weights is not None
    assert weights[1] * 2 == weights[0] == weights[2] == weights[3]
    assert data(drawn_iemocap, classes=3).class_names == ("angry", "neutral", "sad")


def test_a_broken_utterance_does_not_take_its_dialogue_with_it(
    drawn_iemocap: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(drawn_iemocap, tmp_path / "release"))
    path = root / "Session3/dialog/EmoEvaluation/Ses03F_impro01.txt"
    path.write_text(path.read_text().replace("[0.5000 - 1.5000]", "[70.5000 - 71.5000]"))
    broken = r"1 of 32 clips .*Ses03F_impro01.avi \(no frame starts between 70.5 s and 71.5 s\)"
    with pytest.raises(UserError, match=broken):
        data(root)
    module = data(root, on_error="skip")
    takes = {clip.take for clip in module.sides["train"]}
    assert "Ses03F_impro01_F000" not in takes
    assert {"Ses03F_impro01_F001", "Ses03F_impro01_M000"} <= takes
    assert module.split_record()["skipped"] == ["Ses03F_impro01.avi"]


def test_clips_of_one_file_count_apart_in_the_hash_of_the_clip_list(drawn_iemocap: Path) -> None:
    four, three = (
        data(drawn_iemocap, classes=classes).split_record()["hash"] for classes in (4, 3)
    )
    assert four == data(drawn_iemocap).split_record()["hash"] != three


def test_what_is_left_out_is_told_in_a_line_each(
    drawn_iemocap: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = Path(shutil.copytree(drawn_iemocap, tmp_path / "release"))
    (root / "Session1/dialog/avi/DivX/Ses01F_impro01.avi").unlink()
    with caplog.at_level("INFO", "emorec"):
        data(root)
    assert caplog.messages[:2] == [
        "36 utterances of angry, happy, neutral, sad; "
        "left out for their label: 10 excited, 10 frustrated, 5 without agreement",
        "left out 4 utterances: Ses01F_impro01_F000 (no avi); Ses01F_impro01_F001 (no avi); "
        "Ses01F_impro01_M000 (no avi); Ses01F_impro01_M001 (no avi)",
    ]


def test_the_folder_is_the_argument_or_else_the_variable(
    drawn_iemocap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMOREC_IEMOCAP_ROOT", raising=False)
    with pytest.raises(UserError, match=r"no data folder: .*EMOREC_IEMOCAP_ROOT; ask for IEMOCAP"):
        IemocapDataModule(fold=1).find()
    monkeypatch.setenv("EMOREC_IEMOCAP_ROOT", str(drawn_iemocap))
    assert len(IemocapDataModule(fold=1).find().clips) == 40


def test_excited_can_not_be_happy_where_happy_is_no_class() -> None:
    with pytest.raises(UserError, match=r"merge_excited true .* data.classes 3 leaves out"):
        IemocapDataModule(classes=3, merge_excited=True)


def test_a_session_that_is_missing_is_told(drawn_iemocap: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(drawn_iemocap, tmp_path / "release"))
    shutil.rmtree(root / "Session2")
    with pytest.raises(UserError, match=r"no clip of val actors Ses02F, Ses02M"):
        data(root)


@pytest.fixture(scope="module")
def runs(drawn_iemocap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network trained and tested on two folds, and on the seed's random split."""
    folder = tmp_path_factory.mktemp("runs")
    splits = (("--data.fold", "1"), ("--data.fold", "2"), ("--data.split", "seed_random"))
    with contextlib.chdir(folder):
        for number, words in enumerate(splits):
            main(["fit", *SMALL, "--data.root", str(drawn_iemocap), *words])
            best = f"lightning_logs/LateFusion/version_{number}/checkpoints/best.ckpt"
            main(["test", "--ckpt", best, "--trainer.accelerator", "cpu"])
    return folder / "lightning_logs" / "LateFusion"


def test_a_tested_run_names_each_utterance_and_who_spoke(runs: Path) -> None:
    with (runs / "version_0" / "test" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    expected = {
        f"Ses01{dialogue}.avi#id={name_of(1, dialogue, turn)}": (f"Ses01{turn.speaker}", turn.code)
        for dialogue, turns in DIALOGUES.items()
        for turn in turns
        if turn.code in ("neu", "ang", "sad", "hap")
    }
    said = {row["path"].rpartition("/")[2]: (row["actor"], row["emotion"][:3]) for row in rows}
    assert said == expected
    metrics = json.loads((runs / "version_0" / "test" / "metrics.json").read_text())
    assert (metrics["split"]["name"], metrics["split"]["fold"]) == ("loso5", 1)
    assert metrics["split"]["test"] == ["Ses01F", "Ses01M"]


def test_folds_are_compared_as_one_model(runs: Path) -> None:
    tested, _ = find_runs([runs / "version_0", runs / "version_1"])
    comparison = compare_runs(tested, resamples=50)
    (result,) = comparison.results
    assert not result.leaks
    assert len(comparison.clips) == 16
    assert comparison.actors == ("Ses01F", "Ses01M", "Ses02F", "Ses02M")


def test_the_random_split_is_marked_as_a_leak(runs: Path) -> None:
    comparison = compare_runs(find_runs([runs / "version_2"])[0], resamples=50)
    (result,) = comparison.results
    validated, tested, chosen = result.leaks
    assert validated.endswith("are in the training and the validation set")
    assert tested.endswith("are in the training and the test set")
    assert chosen.endswith("are in the validation and the test set")
    assert all("Ses05M" in line for line in result.leaks)
    assert summarize_comparison(comparison)[0].startswith("LEAK in LateFusion: actors ")


def test_the_random_split_is_told_and_is_the_only_one_that_may_test_whom_it_knows(
    runs: Path, drawn_iemocap: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaking = runs / "version_2" / "checkpoints" / "best.ckpt"
    said = checkpoint.read(leaking).split
    assert said["train"] == list(SPEAKERS)
    main(["test", "--ckpt", str(leaking), "--trainer.accelerator", "cpu"])
    shown = capsys.readouterr().out
    assert "unseen" not in shown
    assert "actors it was trained with" in shown
    for ckpt, words in (
        (leaking, ("--data.split", "loso5", "--data.fold", "1")),
        (
            runs / "version_0" / "checkpoints" / "best.ckpt",
            ("--data.split", "seed_random", "--data.fold", "null"),
        ),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["test", "--ckpt", str(ckpt), "--trainer.accelerator", "cpu", *words])
        assert ended.value.code
        assert "was trained: it can't be measured on them" in capsys.readouterr().err


def test_the_leak_is_warned_of_before_training(
    drawn_iemocap: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data(drawn_iemocap, split="seed_random", fold=None)
    assert [text for text in caplog.messages if text.startswith("LEAK: split seed_random")]
    caplog.clear()
    data(drawn_iemocap)
    assert not [text for text in caplog.messages if "LEAK" in text]
