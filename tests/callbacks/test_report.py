"""Reports and warnings of validate and test, and modality ablation."""

import json
import logging
from pathlib import Path

import pytest

from emorec.callbacks.report import warn_of_other_detector
from emorec.checkpoint import Checkpoint
from emorec.cli import main

FACES = [
    ("none", None),
    ("crop", "yunet 8f2383e4"),
    ("crop", "yunet ebafce4e"),
    ("align", "yunet ebafce4e"),
]


def trained_with(face: str, detector: str | None) -> Checkpoint:
    return Checkpoint(
        path=Path("last.ckpt"),
        model={},
        data={},
        settings={},
        class_names=("calm", "happy"),
        split={"face": face, "face_detector": detector},
        epochs=1,
        train_seconds=1.0,
    )


@pytest.mark.parametrize("now", FACES)
@pytest.mark.parametrize("trained", FACES)
def test_faces_that_differ_from_training_are_a_warning(
    trained: tuple[str, str | None],
    now: tuple[str, str | None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        warn_of_other_detector(trained_with(*trained), {"face": now[0], "face_detector": now[1]})
    assert bool(caplog.messages) == (trained != now)
    for message in caplog.messages:
        texts = message.split(", measured on ")
        for (face, detector), text in zip((trained, now), texts, strict=True):
            assert (detector or "whole pictures") in text
            assert ("aligned" in text) == (face == "align")


def test_records_without_face_are_of_crops_or_whole_pictures(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for face, detector in FACES[:2]:
        old = trained_with(face, detector)
        del old.split["face"]
        warn_of_other_detector(old, {"face": face, "face_detector": detector})
    old.split.clear()
    warn_of_other_detector(old, {"face": "none", "face_detector": None})
    assert not caplog.messages


ROOT = Path(__file__).parents[2]
SMALL = (
    *("--data.image_size=32", "--data.num_frames=2", "--data.batch_size=8", "--data.num_workers=0"),
    *("--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--trainer.accelerator=cpu"),
    "--model.video_args.weights=none",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, voiced_clips: Path) -> Path:
    folder = tmp_path_factory.mktemp("without")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        config = str(ROOT / "configs" / "audio_visual.yaml")
        main(["fit", "--config", config, "--data.root", str(voiced_clips), *SMALL])
    return folder / "lightning_logs/AudioVisual/version_0/checkpoints/best.ckpt"


@pytest.mark.nightly
def test_each_ablated_modality_has_its_own_folder_and_scores(trained: Path) -> None:
    run = trained.parents[1]
    losses = {}
    for flags, folder in (
        ([], "test"),
        (["--drop", "audio"], "test_without_audio"),
        (["--drop", "video"], "test_without_video"),
    ):
        main(["test", "--ckpt", str(trained), "--data.num_workers", "0", *flags])
        losses[folder] = json.loads((run / folder / "metrics.json").read_text())["loss"]
    assert len(set(losses.values())) == 3


def test_images_of_clips_show_frames_and_spectrograms(trained: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trained.parents[1]))
    events.Reload()
    images = events.Tags()["images"]
    assert "train/clips_as_the_network_sees_them" in images
    assert "train/clips_as_the_network_hears_them" in images
