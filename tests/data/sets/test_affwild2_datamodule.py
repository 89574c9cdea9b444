"""Data module of Aff-Wild2: batches of labelled windows, and predictions for its challenges."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emorec.data import AffWild2DataModule
from emorec.data.sets.affwild2.submission import interpolate, smooth_over_time
from emorec.errors import UserError
from tests.affwild2 import (
    EXPR_HEADER,
    NUM_FRAMES,
    affect,
    expression,
    write_affwild2,
    write_features,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("affwild2")
    write_affwild2(folder / "root", size=16)
    write_features(folder / "root", folder / "features", 3)
    return folder / "root"


def make_data(root: Path, stage: str = "fit", **arguments: Any) -> AffWild2DataModule:
    options = {"num_frames": 1, "image_size": 16, "batch_size": 8, "num_workers": 0}
    data = AffWild2DataModule(root=str(root), **(options | arguments))
    data.setup(stage)
    return data


def frame_of(clip: Any) -> tuple[str, int]:
    return clip.take, int(clip.path.stem)


def test_a_label_belongs_to_the_frame_of_its_clip(root: Path) -> None:
    data = make_data(root, num_frames=3)
    for batch in data.train_dataloader():
        assert batch["frames"].shape[1:] == (3, 3, 16, 16)
        assert batch["label"].dtype == torch.float32
        for index, label in zip(batch["index"].tolist(), batch["label"], strict=True):
            expected = torch.tensor(affect(*frame_of(data.subsets["train"][index])))
            torch.testing.assert_close(label, expected)


def test_an_expression_is_a_class(root: Path) -> None:
    data = make_data(root, "test", task="expr")
    assert data.num_classes == 8
    assert data.target_names == ()
    for batch in data.test_dataloader():
        for index, label in zip(batch["index"].tolist(), batch["label"].tolist(), strict=True):
            assert label == expression(*frame_of(data.subsets["test"][index]))


def test_worker_processes_make_the_same_batches(root: Path) -> None:
    single_process, workers = (
        make_data(root, num_workers=number, augment=True) for number in (0, 1)
    )
    for expected, batch in zip(
        single_process.train_dataloader(), workers.train_dataloader(), strict=True
    ):
        assert torch.equal(expected["frames"], batch["frames"])
        assert torch.equal(expected["label"], batch["label"])


def test_only_training_frames_are_undersampled_and_their_labels_recorded(root: Path) -> None:
    complete = make_data(root, task="expr")
    undersampled = make_data(root, task="expr", balance="histogram")
    assert len(undersampled.subsets["train"]) < len(complete.subsets["train"])
    assert undersampled.subsets["val"].rows.tolist() == complete.subsets["val"].rows.tolist()  # type: ignore[attr-defined]
    assert undersampled.labels_before_and_after is not None
    before, after = undersampled.labels_before_and_after
    assert before.tolist() == [clip.label for clip in complete.subsets["train"]]
    assert after.tolist() == [clip.label for clip in undersampled.subsets["train"]]
    assert complete.labels_before_and_after is None
    assert undersampled.split_record()["hash"] != complete.split_record()["hash"]


def test_training_frames_can_be_subsampled(root: Path) -> None:
    complete, subsampled = make_data(root), make_data(root, every=3)
    for take in {clip.take for clip in complete.subsets["train"]}:
        all_frames, kept_frames = (
            [frame_of(clip) for clip in data.subsets["train"] if clip.take == take]
            for data in (complete, subsampled)
        )
        assert kept_frames == all_frames[::3]


def test_windows_with_gaps_can_be_dropped(root: Path) -> None:
    clips = make_data(root, split="seed", num_frames=5, gaps="drop").subsets["train"]
    # video3 has no face in frames 4 and 5
    assert [int(clip.path.stem) for clip in clips if clip.take == "video3"] == [10, 11, 12]


def test_a_subset_without_windows_is_refused(root: Path) -> None:
    with pytest.raises(UserError, match="no frame left for train"):
        make_data(root, num_frames=NUM_FRAMES + 1, gaps="drop")


def test_features_replace_images(root: Path) -> None:
    data = make_data(root, num_frames=2, features=str(root.parent / "features"), num_workers=1)
    batch = next(iter(data.val_dataloader()))
    assert "frames" not in batch
    last = [float(frame_of(data.subsets["val"][at])[1]) for at in batch["index"].tolist()]
    assert batch["features"][:, -1, 0].tolist() == last


def test_features_have_no_test_time_views(root: Path) -> None:
    data = make_data(root, features=str(root.parent / "features"))
    data.num_views = 2
    with pytest.raises(UserError, match="--views 2 needs images"):
        data.val_dataloader()


def test_unlabelled_frames_are_predicted_with_an_unknown_label(root: Path) -> None:
    data = make_data(root, "predict")
    assert len(data.all_clips) == 9 * NUM_FRAMES - 4
    unknown = [clip for clip in data.all_clips if clip.take == "video8"]
    assert len(unknown) == NUM_FRAMES
    assert all(np.isnan(clip.label).all() for clip in unknown)


@pytest.mark.parametrize("smooth", ["none", "box"])
def test_a_submission_has_a_line_for_every_frame(root: Path, tmp_path: Path, smooth: Any) -> None:
    names = tmp_path / "names.txt"
    names.write_text("video8\nvideo6\n")
    data = make_data(root, "predict", smooth=smooth, smooth_frames=3, predict_list=str(names))
    values = np.random.default_rng(0).normal(size=(len(data.all_clips), 2)).astype(np.float32)
    summary = data.write_submission(tmp_path, np.arange(len(values)), values)
    assert summary.startswith(f"{2 * NUM_FRAMES} frames of 2 videos, 2 of them interpolated")
    header, *lines = (tmp_path / "submission.txt").read_text().splitlines()
    assert header == "image_location,valence,arousal"
    images = [line.split(",")[0] for line in lines]
    assert images == [
        f"{name}/{frame:05d}.jpg" for name in ("video8", "video6") for frame in range(1, 13)
    ]
    numbers = np.array([line.split(",")[1:] for line in lines], dtype=float)
    # video6 has no face in frames 1 and 9
    existing = np.array([2, 3, 4, 5, 6, 7, 8, 10, 11, 12], np.int32)
    second = smooth_over_time(interpolate(12, existing, values[12:].astype(float)), smooth, 3)
    np.testing.assert_allclose(numbers[12:], second.clip(-1, 1), atol=1e-6)


@pytest.mark.parametrize("smooth", ["box", "gaussian"])
def test_predictions_are_smoothed_within_their_video(root: Path, smooth: Any) -> None:
    data = make_data(root, "test", smooth=smooth, smooth_frames=5)
    clips = data.subsets["test"]
    values = np.random.default_rng(0).uniform(-1, 1, (len(clips), 2)).astype(np.float32)
    result = data.smooth_predictions(clips, np.arange(len(clips)), values)
    assert result is not None
    description, means = result
    assert description == f"{smooth} over 5 frames"
    frames = [frame_of(clip) for clip in clips]
    offsets = np.arange(-2, 3)
    weights = np.ones(5) if smooth == "box" else np.exp(-0.5 * (offsets / 1.25) ** 2)
    for row, (video, frame) in enumerate(frames):
        annotated = [
            (number, values[at]) for at, (name, number) in enumerate(frames) if name == video
        ]
        numbers = np.arange(1, NUM_FRAMES + 1)
        line = np.stack(
            [
                np.interp(numbers, [n for n, _ in annotated], [v[k] for _, v in annotated])
                for k in (0, 1)
            ],
            1,
        )
        weighted = [
            (w, line[frame - 1 + d])
            for w, d in zip(weights, offsets, strict=True)
            if 0 <= frame - 1 + d < NUM_FRAMES
        ]
        expected = sum(w * v for w, v in weighted) / sum(w for w, _ in weighted)
        np.testing.assert_allclose(means[row], expected, atol=1e-6)
    assert make_data(root, "test").smooth_predictions(clips, np.arange(len(clips)), values) is None


def test_a_submission_of_expressions_has_the_format_of_the_challenge(
    root: Path, tmp_path: Path
) -> None:
    data = make_data(root, "predict", task="expr")
    classes = np.arange(len(data.all_clips)) % 8
    data.write_submission(tmp_path, np.arange(len(classes)), np.eye(8, dtype=np.float32)[classes])
    header, *lines = (tmp_path / "submission.txt").read_text().splitlines()
    assert header == f"image_location,{EXPR_HEADER}"
    expressions = {line.split(",")[0]: int(line.split(",")[1]) for line in lines}
    for clip, number in zip(data.all_clips, classes.tolist(), strict=True):
        assert expressions[f"{clip.take}/{clip.path.name}"] == number


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"balance": "weights"}, "choose seed or histogram"),
        ({"val_share": 1.0}, "data.val_share is 1.0"),
        ({"every": 0}, "data.every is 0"),
        ({"smooth_frames": 4}, "it has to be odd"),
        ({"features": "x", "augment": True}, "leave it out with data.features"),
        ({"face": "crop"}, "faces already, leave it out"),
    ],
)
def test_invalid_arguments_are_refused(root: Path, arguments: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_data(root, **arguments)


def test_without_a_folder_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMOREC_AFFWILD2_ROOT", raising=False)
    with pytest.raises(
        UserError, match=r"--data\.root DIR or EMOREC_AFFWILD2_ROOT; ask for Aff-Wild2"
    ):
        AffWild2DataModule().setup("fit")


def test_videos_to_predict_that_have_no_images_are_named(root: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("video99\n")
    with pytest.raises(UserError, match="lists videos without images: video99"):
        make_data(root, "predict", predict_list=str(names))


def test_a_dataset_can_be_pickled(root: Path) -> None:
    data = make_data(root)
    unpickled = pickle.loads(pickle.dumps(data.dataset(data.subsets["val"])))
    assert torch.equal(unpickled[0]["frames"], data.dataset(data.subsets["val"])[0]["frames"])
