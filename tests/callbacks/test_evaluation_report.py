"""Before a network is measured: what its user should know of how it was trained."""

import logging
from pathlib import Path

import pytest

from emorec.callbacks.evaluation_report import warn_of_another_detector
from emorec.checkpoint import Checkpoint

DETECTORS = [None, "YuNet 2023mar", "Haar of OpenCV 4.12"]


def trained_with(detector: str | None) -> Checkpoint:
    return Checkpoint(
        path=Path("last.ckpt"),
        model={},
        data={},
        settings={},
        class_names=("calm", "happy"),
        split={"face_detector": detector},
        epochs=1,
        train_seconds=1.0,
    )


@pytest.mark.parametrize("now", DETECTORS)
@pytest.mark.parametrize("trained", DETECTORS)
def test_pictures_cut_otherwise_than_in_training_are_told_of(
    trained: str | None, now: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        warn_of_another_detector(trained_with(trained), {"face_detector": now})
    assert bool(caplog.messages) == (trained != now)
    for message in caplog.messages:
        before, after = message.split(", measured on ")
        assert (trained or "whole pictures") in before
        assert (now or "whole pictures") in after


def test_checkpoints_from_before_faces_could_be_cut_out_are_of_whole_pictures(
    caplog: pytest.LogCaptureFixture,
) -> None:
    old = trained_with(None)
    old.split.clear()
    warn_of_another_detector(old, {"face_detector": None})
    assert not caplog.messages
