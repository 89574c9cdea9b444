"""CSV files as data modules: classes, people and spans reach subsets and batches."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emorec.data import CSVDataModule
from emorec.data.clip import UNLABELLED
from emorec.errors import UserError
from tests import videos
from tests.data.audio.test_decode import RATE, tone, write_wav

PEOPLE = [f"p{number}" for number in range(1, 15)]
EMOTIONS = ("sad", "angry", "happy")
"""Emotions in the order of the file, which is not alphabetical."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the same video for each person and emotion."""
    folder = tmp_path_factory.mktemp("mine")
    video = videos.write_video(tmp_path_factory.mktemp("video") / "video.mp4", 40)
    for person in PEOPLE:
        (folder / person).mkdir()
        for emotion in EMOTIONS:
            os.link(video, folder / person / f"{emotion}.mp4")
    return folder


def write_csv(folder: Path, rows: Sequence[Sequence[object]], name: str = "clips.csv") -> Path:
    with (folder / name).open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / name


def write_all_clips(folder: Path, *, people: bool = True) -> Path:
    rows = [
        [f"{person}/{emotion}.mp4", emotion, person] for person in PEOPLE for emotion in EMOTIONS
    ]
    table = [["path", "label", "group"], *rows]
    columns = 3 if people else 2
    return write_csv(folder, [row[:columns] for row in table], f"{columns}.csv")


def make_data(root: Path, stage: str | None = "fit", **arguments: Any) -> CSVDataModule:
    small = {"num_frames": 2, "image_size": 16, "batch_size": 8, "num_workers": 0}
    data = CSVDataModule(str(root), **{**small, **arguments})
    if stage:
        data.setup(stage)
    return data


def test_classes_are_read_from_the_file_in_alphabetical_order(folder: Path) -> None:
    data = make_data(write_all_clips(folder), stage=None)
    assert data.class_names == ("angry", "happy", "sad")
    assert data.hparams["labels"] == ["angry", "happy", "sad"]
    clips = data.find().clips
    assert [clip.label for clip in clips[:3]] == [2, 0, 1]
    assert [clip.actor for clip in clips[:4]] == ["p1", "p1", "p1", "p2"]
    assert [clip.path for clip in clips[:2]] == [folder / "p1/sad.mp4", folder / "p1/angry.mp4"]


def test_a_specified_order_of_classes_is_saved(folder: Path) -> None:
    data = make_data(write_all_clips(folder), stage=None, labels=["sad", "happy", "shy", "angry"])
    assert data.class_names == ("sad", "happy", "shy", "angry")
    assert [clip.label for clip in data.find().clips[:3]] == [0, 3, 1]
    assert data.hparams["labels"] == ["sad", "happy", "shy", "angry"]


def test_subsets_have_disjoint_people_and_are_recorded(folder: Path) -> None:
    data = make_data(write_all_clips(folder))
    record = data.split_record()
    assert {subset: len(record[subset]) for subset in ("train", "val", "test")} == {
        "train": 10,
        "val": 2,
        "test": 2,
    }
    assert sorted(record["train"] + record["val"] + record["test"]) == sorted(PEOPLE)
    assert record["num_clips"] == {"train": 30, "val": 6, "test": 6}
    assert record["name"] == "by person, seed 0"
    for subset, clips in data.subsets.items():
        assert {clip.actor for clip in clips} == set(record[subset])
        assert {clip.path.parent.name for clip in clips} == set(record[subset])
    labels = torch.cat([batch["label"] for batch in data.val_dataloader()])
    assert sorted(labels.tolist()) == [0, 0, 1, 1, 2, 2]


def test_the_run_s_seed_does_not_change_the_split(folder: Path) -> None:
    path = write_all_clips(folder)
    first, second = (make_data(path, seed=seed).split for seed in (0, 1))
    assert first == second
    assert make_data(path, split_seed=1).split.test != first.test


def test_the_folds_test_each_person_once(folder: Path) -> None:
    path = write_all_clips(folder)
    tested = [
        person
        for fold in range(1, 8)
        for person in make_data(path, "test", num_folds=7, fold=fold).split.test
    ]
    assert sorted(tested) == sorted(PEOPLE)


def test_without_people_clips_are_split_with_one_warning_before_the_run(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = make_data(write_all_clips(folder, people=False), stage=None)
    data.prepare_data()
    data.setup("fit")
    assert data.split.name == "by clip, seed 0"
    assert {clip.actor for clip in data.all_clips} == {
        f"{person}/{emotion}.mp4" for person in PEOPLE for emotion in EMOTIONS
    }
    (warning,) = data.warnings()
    assert "a person may be in training AND in test" in warning
    assert "--data.group_column" in warning
    assert caplog.messages.count(warning) == 1
    assert make_data(write_all_clips(folder)).warnings() == []


def test_subsets_of_the_file_are_used(folder: Path) -> None:
    subsets = ["train"] * 8 + ["dev"] * 3 + ["TEST"] * 3
    rows = [
        [f"{person}/{emotion}.mp4", emotion, person, subset]
        for person, subset in zip(PEOPLE, subsets, strict=True)
        for emotion in EMOTIONS
    ]
    path = write_csv(folder, [["path", "label", "group", "split"], *rows], "subsets.csv")
    split = make_data(path).split
    assert split.name == "of the file"
    assert split.train == tuple(PEOPLE[:8])
    assert split.val == tuple(PEOPLE[8:11])
    assert make_data(path, split_column="none").split.name == "by person, seed 0"
    with pytest.raises(UserError, match=r"leave out data.fold, .*--data.split_column none"):
        make_data(path, fold=1)


def test_a_span_contains_the_frames_that_start_in_it(folder: Path) -> None:
    """The grey level of a frame is its number, at 30 frames per second."""
    rows = [
        ["p1/sad.mp4", "sad", "p1", "0.2", "0.5"],
        ["p1/sad.mp4", "angry", "p1", "1", ""],
        ["p1/happy.mp4", "happy", "p1", "", ""],
    ]
    path = write_csv(folder, [["path", "label", "group", "start", "end"], *rows], "spans.csv")
    data = make_data(path, "predict", batch_size=1, image_size=64)
    indices = [
        videos.shown_indices(batch["frames"][0].permute(0, 2, 3, 1).numpy())
        for batch in data.predict_dataloader()
    ]
    assert indices == [[6, 14], [30, 39], [0, 39]]
    addresses = [clip.address.partition("#")[2] for clip in data.all_clips]
    assert addresses == ["t=0.2,0.5", "t=1", ""]


@pytest.mark.parametrize("cache", ["auto", "none"])
def test_a_span_without_frames_does_not_affect_the_rest_of_its_video(
    cache: str, folder: Path
) -> None:
    rows = [
        [f"{person}/sad.mp4", label, person, *span]
        for person in PEOPLE
        for label, span in (("a", (0, 0.5)), ("b", (0.5, 1)))
    ]
    header = ["path", "label", "group", "start", "end"]
    path = write_csv(folder, [header, *rows, ["p1/sad.mp4", "b", "p1", 9, 10]], "beyond.csv")
    with pytest.raises(UserError, match=r"p1/sad.mp4.* \(no frame starts between 9 s and 10 s\)"):
        make_data(path, "predict", cache=cache)
    data = make_data(path, "predict", on_error="skip", cache=cache)
    assert [clip.span_seconds for clip in data.all_clips] == [(0, 0.5), (0.5, 1)] * len(PEOPLE)
    assert len(data.skipped) == 1


def test_missing_videos_are_reported_at_once_or_skipped(folder: Path) -> None:
    text = write_all_clips(folder).read_text()
    path = folder / "missing.csv"
    path.write_text(text + "gone/1.mp4,sad,p1\ngone/2.mp4,sad,p2\n")
    with pytest.raises(UserError, match=r"2 of 44 clips .*gone/1.mp4 .*gone/2.mp4 "):
        make_data(path, "predict")
    data = make_data(path, "predict", on_error="skip")
    assert len(data.all_clips) == 42
    assert data.split_record()["skipped"] == ["1.mp4", "2.mp4"]
    empty_folder = folder / "elsewhere"
    empty_folder.mkdir()
    (empty_folder / "clips.csv").write_text(text)
    with pytest.raises(UserError, match=r"none of the 42 videos .* such as .*p1/sad.mp4"):
        make_data(empty_folder)


def test_clips_without_a_label_are_used_for_prediction_only(
    folder: Path,
) -> None:
    path = folder / "some.csv"
    text = write_all_clips(folder).read_text()
    path.write_text(text.replace("p3/sad.mp4,sad", "p3/sad.mp4,"))
    data = make_data(path)
    assert data.class_names == ("angry", "happy", "sad")
    assert sum(map(len, data.subsets.values())) == 41
    unlabelled = [clip for clip in data.all_clips if clip.label == UNLABELLED]
    assert [clip.path.parent.name for clip in unlabelled] == ["p3"]
    assert "1 of 42 clips have no label" in data.warnings()[0]
    unlabelled_csv = write_csv(folder, [["path"], ["p1/sad.mp4"]], "alone.csv")
    batch = next(iter(make_data(unlabelled_csv, "predict", labels=["x", "y"]).predict_dataloader()))
    assert batch["label"].tolist() == [UNLABELLED]
    with pytest.raises(UserError, match="no clip left for train"):
        make_data(unlabelled_csv, labels=["x", "y"])


@pytest.mark.parametrize(
    ("arguments", "value", "remedy"),
    [
        ({"val_share": 0.6, "test_share": 0.6}, "val_share 0.6", "from 0 to 1, and together at"),
        ({"num_folds": 1}, "data.num_folds 1", "at least 2"),
        ({"labels": ["sad"]}, "the classes are sad", "--data.labels"),
        ({"labels": ["sad", "sad"]}, "the classes are sad, sad", "--data.labels"),
        ({"labels": ["sad", "shy"]}, "unknown labels angry, happy", "--data.labels"),
        ({"fold": 9}, "data.fold is 9", "choose 1 to 5"),
    ],
)
def test_invalid_arguments_are_refused(
    folder: Path, arguments: dict[str, Any], value: str, remedy: str
) -> None:
    with pytest.raises(UserError, match=f"{value}.*{remedy}"):
        make_data(write_all_clips(folder), **arguments)


def test_a_file_of_one_class_needs_the_names_of_the_others(folder: Path) -> None:
    path = write_csv(folder, [["path", "label"], ["p1/sad.mp4", "sad"]], "one.csv")
    with pytest.raises(UserError, match=r"its labels are sad: .*--data.labels"):
        make_data(path)


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(UserError, match=r"no CSV file: name it with --data.root FILE.csv$"):
        CSVDataModule()


def test_the_sound_of_a_span_is_cut_to_its_seconds(tmp_path: Path) -> None:
    """The remaining samples on both sides are silent."""
    videos.write_video(tmp_path / "a.mp4", 60, sound=True)
    rows = [["a.mp4", "x", "0.5", ""], ["a.mp4", "y", "0.5", "1"]]
    path = write_csv(tmp_path, [["path", "label", "start", "end"], *rows])
    data = make_data(path, "predict", image_size=64, sound=True, sound_seconds=3.0)
    (batch,) = data.predict_dataloader()
    samples_above_threshold = [sound.abs().gt(0.02).nonzero() for sound in batch["sound"]]
    seconds = [int(samples.max() - samples.min()) / 16000 for samples in samples_above_threshold]
    assert seconds == pytest.approx([1.5, 0.5], abs=0.1)


def test_sound_files_are_clips_of_a_network_that_hears(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    rows = [["path", "label", "group", "split"]]
    for number, subset in enumerate(("train", "train", "val", "val")):
        path = tmp_path / "sounds" / f"{number}.wav"
        write_wav(path, [tone(0.5, RATE, 300 + 100 * number)], RATE)
        # a name without its folder is searched for
        rows.append(
            [path.name if number else f"sounds/{path.name}", "ab"[number % 2], number, subset]
        )
    data = make_data(
        write_csv(tmp_path, rows), num_frames=0, sound=True, sound_seconds=0.5, split_column="split"
    )
    (batch,) = data.val_dataloader()
    expected = [tone(0.5, RATE, pitch) for pitch in (500, 600)]
    np.testing.assert_allclose(batch["sound"], expected, atol=1e-3)
    assert batch["heard"].all()
