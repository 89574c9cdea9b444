"""A CSV file becomes sides and loaders with the classes, people and spans that it lists."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from emorec.checkpoint import class_path
from emorec.data import CSVDataModule, HACERDataModule
from emorec.data.clip import UNLABELLED
from emorec.errors import UserError
from tests import videos

PEOPLE = [f"p{number}" for number in range(1, 15)]
EMOTIONS = ("sad", "angry", "happy")
"""In the order of the file, which is not that of the alphabet."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video for each person and emotion, all the same one."""
    folder = tmp_path_factory.mktemp("mine")
    video = videos.write_video(tmp_path_factory.mktemp("video") / "video.mp4", 40)
    for person in PEOPLE:
        (folder / person).mkdir()
        for emotion in EMOTIONS:
            os.link(video, folder / person / f"{emotion}.mp4")
    return folder


def table(folder: Path, rows: Sequence[Sequence[object]], name: str = "clips.csv") -> Path:
    with (folder / name).open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / name


def listed(folder: Path, *, group: str | None = "group") -> Path:
    """A file of all videos, with their people unless they are left out."""
    head = ["path", "label", *([group] if group else [])]
    rows = [
        [f"{person}/{emotion}.mp4", emotion, *([person] if group else [])]
        for person in PEOPLE
        for emotion in EMOTIONS
    ]
    return table(folder, [head, *rows], f"{group}.csv")


def data(root: Path, stage: str | None = "fit", **arguments: Any) -> CSVDataModule:
    small = {"num_frames": 2, "image_size": 16, "batch_size": 8, "num_workers": 0}
    module = CSVDataModule(str(root), **{**small, **arguments})
    if stage:
        module.setup(stage)
    return module


def test_the_classes_are_those_of_the_file_in_the_order_of_the_alphabet(folder: Path) -> None:
    module = data(listed(folder), stage=None)
    assert module.class_names == ("angry", "happy", "sad")
    clips = module.find().clips
    assert [clip.label for clip in clips[:3]] == [2, 0, 1]
    assert [clip.actor for clip in clips[:4]] == ["p1", "p1", "p1", "p2"]
    assert [clip.path for clip in clips[:2]] == [folder / "p1/sad.mp4", folder / "p1/angry.mp4"]


def test_the_classes_may_be_given_in_an_order_that_checkpoints_keep(folder: Path) -> None:
    module = data(listed(folder), stage=None, labels=["sad", "happy", "shy", "angry"])
    assert module.class_names == ("sad", "happy", "shy", "angry")
    assert [clip.label for clip in module.find().clips[:3]] == [0, 3, 1]
    assert module.hparams["labels"] == ["sad", "happy", "shy", "angry"]
    assert data(listed(folder), stage=None).hparams["labels"] == ["angry", "happy", "sad"]


def test_each_side_has_its_own_people_and_the_record_names_them(folder: Path) -> None:
    module = data(listed(folder))
    record = module.split_record()
    assert {side: len(record[side]) for side in ("train", "val", "test")} == {
        "train": 10,
        "val": 2,
        "test": 2,
    }
    assert sorted(record["train"] + record["val"] + record["test"]) == sorted(PEOPLE)
    assert record["num_clips"] == {"train": 30, "val": 6, "test": 6}
    assert record["name"] == "by person, seed 0"
    for side, clips in module.sides.items():
        assert {clip.actor for clip in clips} == set(record[side])
        assert {clip.path.parent.name for clip in clips} == set(record[side])
    labels = torch.cat([batch["label"] for batch in module.val_dataloader()])
    assert sorted(labels.tolist()) == [0, 0, 1, 1, 2, 2]


def test_the_run_s_seed_does_not_change_who_is_tested(folder: Path) -> None:
    one, other = (data(listed(folder), seed=seed).split for seed in (0, 1))
    assert one == other
    assert data(listed(folder), split_seed=1).split.test != one.test


def test_folds_test_everybody_once(folder: Path) -> None:
    tested = [
        person
        for fold in range(1, 8)
        for person in data(listed(folder), "test", num_folds=7, fold=fold).split.test
    ]
    assert sorted(tested) == sorted(PEOPLE)


def test_without_people_every_clip_is_one_and_a_loud_warning_says_what_that_means(
    folder: Path,
) -> None:
    module = data(listed(folder, group=None))
    assert module.split.name == "by clip, seed 0"
    assert {clip.actor for clip in module.all_clips} == {
        f"{person}/{emotion}.mp4" for person in PEOPLE for emotion in EMOTIONS
    }
    (warning,) = module.remarks()
    assert (
        "does not say who is in the picture, so a person may be in training AND in test" in warning
    )
    assert data(listed(folder)).remarks() == []


def test_what_there_is_to_remark_is_told_once_before_the_run(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = data(listed(folder, group=None), stage=None)
    module.prepare_data()
    module.setup("fit")
    assert sum("training AND in test" in record.message for record in caplog.records) == 1


def test_sides_of_the_file_are_obeyed(folder: Path) -> None:
    sides = ["train"] * 8 + ["dev"] * 3 + ["TEST"] * 3
    rows = [
        [f"{person}/{emotion}.mp4", emotion, person, side]
        for person, side in zip(PEOPLE, sides, strict=True)
        for emotion in EMOTIONS
    ]
    path = table(folder, [["path", "label", "group", "split"], *rows], "sides.csv")
    split = data(path).split
    assert (split.name, split.train, split.val) == (
        "of the file",
        tuple(PEOPLE[:8]),
        tuple(PEOPLE[8:11]),
    )
    assert data(path, split_column="none").split.name == "by person, seed 0"
    with pytest.raises(UserError, match="says itself who trains and who is tested: leave out data"):
        data(path, fold=1)


def test_a_span_becomes_the_frames_that_start_in_it(folder: Path) -> None:
    """The grey level of a frame tells its number: 30 a second."""
    rows = [
        ["p1/sad.mp4", "sad", "p1", "0.2", "0.5"],
        ["p1/sad.mp4", "angry", "p1", "1", ""],
        ["p1/happy.mp4", "happy", "p1", "", ""],
    ]
    path = table(folder, [["path", "label", "group", "start", "end"], *rows], "spans.csv")
    module = data(path, "predict", cache="none", image_size=64)
    shown = [
        videos.shown_indices(batch["frames"][0].permute(0, 2, 3, 1).numpy())
        for batch in data(path, "predict", batch_size=1, image_size=64).predict_dataloader()
    ]
    assert shown == [[6, 14], [30, 39], [0, 39]]
    assert [clip.address.partition("#")[2] for clip in module.all_clips] == [
        "t=0.2,0.5",
        "t=1",
        "",
    ]


@pytest.mark.parametrize("cache", ["auto", "none"])
def test_a_span_without_frames_leaves_the_rest_of_its_video_alone(cache: str, folder: Path) -> None:
    rows = [
        [f"{person}/sad.mp4", label, person, *span]
        for person in PEOPLE
        for label, span in (("a", (0, 0.5)), ("b", (0.5, 1)))
    ]
    head = ["path", "label", "group", "start", "end"]
    path = table(folder, [head, *rows, ["p1/sad.mp4", "b", "p1", 9, 10]], "beyond.csv")
    with pytest.raises(UserError, match=r"p1/sad.mp4 \(no frame starts between 9 s and 10 s\)"):
        data(path, "predict", cache=cache)
    module = data(path, "predict", on_error="skip", cache=cache)
    assert [clip.span_seconds for clip in module.all_clips] == [(0, 0.5), (0.5, 1)] * len(PEOPLE)
    assert len(module.skipped) == 1


def test_missing_videos_are_told_all_in_one_go_or_left_out(folder: Path) -> None:
    text = listed(folder).read_text() + "gone/1.mp4,sad,p1\ngone/2.mp4,sad,p2\n"
    path = folder / "missing.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=r"2 of 44 clips can't be used: .*gone/1.mp4 .*gone/2.mp4 "):
        data(path, "predict")
    module = data(path, "predict", on_error="skip")
    assert len(module.all_clips) == 42
    assert module.split_record()["skipped"] == ["1.mp4", "2.mp4"]
    other = folder / "elsewhere"
    other.mkdir()
    with pytest.raises(
        UserError, match=r"none of the 42 videos of .* is there, not even .*p1/sad.mp4"
    ):
        data(table(other, [row.split(",") for row in listed(folder).read_text().split()]))


def test_clips_without_a_label_are_predicted_and_neither_train_nor_are_tested(folder: Path) -> None:
    path = folder / "some.csv"
    path.write_text(listed(folder).read_text().replace("p3/sad.mp4,sad", "p3/sad.mp4,"))
    module = data(path)
    assert module.class_names == ("angry", "happy", "sad")
    assert sum(map(len, module.sides.values())) == 41
    assert [clip.path.parent.name for clip in module.all_clips if clip.label == UNLABELLED] == [
        "p3"
    ]
    assert "1 of 42 clips have no label" in module.remarks()[0]
    alone = table(folder, [["path"], ["p1/sad.mp4"]], "alone.csv")
    batch = next(iter(data(alone, "predict", labels=["x", "y"]).predict_dataloader()))
    assert batch["label"].tolist() == [UNLABELLED]
    with pytest.raises(UserError, match="split of clips without labels: no clip left for train"):
        data(alone, labels=["x", "y"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"val_share": 0.6, "test_share": 0.6},
            "both are shares of all clips, from 0 to 1, and tog",
        ),
        ({"num_folds": 1}, "data.num_folds 1 has to be at least 2"),
        ({"labels": ["sad"]}, "the classes are sad: it takes two or more, each named once"),
        ({"labels": ["sad", "sad"]}, "the classes are sad, sad: it takes two or more"),
        ({"labels": ["sad", "shy"]}, "no class is called angry, happy; the classes are sad, shy"),
        ({"fold": 9}, "data.fold is 9: choose 1 to 5"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    folder: Path, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        data(listed(folder), **arguments)


def test_a_file_of_one_class_tells_nothing_apart(folder: Path) -> None:
    path = table(folder, [["path", "label"], ["p1/sad.mp4", "sad"]], "one.csv")
    with pytest.raises(UserError, match="tells no classes apart, its labels are sad: name"):
        data(path)


def test_no_file_is_told_with_how_to_name_one() -> None:
    with pytest.raises(UserError, match=r"no CSV file: name it with --data.root FILE.csv$"):
        CSVDataModule()


def test_hacer_is_read_by_its_own_columns_and_split_by_person(hacer_clips: Path) -> None:
    module = HACERDataModule(str(hacer_clips), num_frames=2, image_size=16, num_workers=0)
    module.setup("fit")
    assert module.class_names == ("angry", "disgust", "happy", "neutral", "sad")
    for clip in module.all_clips:
        _, emotion, _, person = clip.path.stem.split("_")
        assert (module.class_names[int(clip.label)], clip.actor) == (emotion, person)  # type: ignore[arg-type]
    assert sorted(module.split.train + module.split.val + module.split.test) == list("abcdefghij")
    assert class_path(type(module)) == "emorec.data.HACERDataModule"
    assert module.hparams["labels"] == list(module.class_names)


def test_hacer_s_own_sides_divide_clips_and_are_refused_unless_asked_for_as_such(
    hacer_clips: Path,
) -> None:
    small: dict[str, Any] = {"num_frames": 2, "image_size": 16, "num_workers": 0}
    with pytest.raises(UserError, match="people on two sides: a in train and in test"):
        HACERDataModule(str(hacer_clips), split_column="type", **small).find()
    by_clip = HACERDataModule(str(hacer_clips), split_column="type", group_column="none", **small)
    by_clip.setup("fit")
    assert len(by_clip.sides["test"]) == 10
    assert "training AND in test" in by_clip.remarks()[0]


def test_who_lacks_hacer_is_told_where_it_is_and_how_it_lies(tmp_path: Path) -> None:
    how = "HACER is on Kaggle: .*HACER_dataset.csv with the folder HACER beside it"
    for root in (None, tmp_path, tmp_path / "no.csv"):
        with pytest.raises(UserError, match=how):
            HACERDataModule(root and str(root)).find()


def test_the_sound_of_a_span_is_that_of_its_seconds(tmp_path: Path) -> None:
    """Silence on both sides fills up to the length that was asked for."""
    videos.write_video(tmp_path / "a.mp4", 60, sound=True)
    rows = [["a.mp4", "x", "0.5", ""], ["a.mp4", "y", "0.5", "1"]]
    path = table(tmp_path, [["path", "label", "start", "end"], *rows])
    module = data(path, "predict", image_size=64, sound=True, sound_seconds=3.0)
    (batch,) = module.predict_dataloader()
    loud = [sound.abs().gt(0.02).nonzero() for sound in batch["sound"]]
    heard = [int(samples.max() - samples.min()) / 16000 for samples in loud]
    assert heard == pytest.approx([1.5, 0.5], abs=0.1)
