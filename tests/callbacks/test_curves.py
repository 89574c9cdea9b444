"""Curves in TensorBoard."""

import math
from pathlib import Path

import pytest

from tests.callbacks.conftest import EPOCHS, LR, STEPS, MakeRun, Run

LAST_STEPS = [STEPS * epoch + STEPS - 1 for epoch in range(EPOCHS)]


def test_every_curve_has_a_point_for_each_step_or_epoch(run: Run) -> None:
    by_step = {"train/loss_step", "lr-AdamW"}
    figures = {"loss", "accuracy", "uar", "macro_f1"}
    by_epoch = {f"val/{name}" for name in figures | {"ece"}} | {
        f"train/{name}" for name in (figures - {"loss"}) | {"loss_epoch", "clips_per_second"}
    }
    best = {f"best/{name}" for name in figures | {"epoch"}}
    assert set(run.events.Tags()["scalars"]) == by_step | by_epoch | best | {"epoch"}
    for tag in by_step:
        assert [step for step, _ in run.scalars(tag)] == list(range(STEPS * EPOCHS)), tag
    for tag in by_epoch:
        assert [step for step, _ in run.scalars(tag)] == LAST_STEPS, tag


@pytest.mark.parametrize("name", ["loss", "accuracy", "uar", "macro_f1", "ece"])
def test_validation_curves_are_the_figures_of_the_predictions(run: Run, name: str) -> None:
    expected = [getattr(summary, name) for summary in run.summaries]
    assert [value for _, value in run.scalars(f"val/{name}")] == pytest.approx(expected)


def test_the_learning_rate_is_that_of_each_step(run: Run) -> None:
    shown = [value for _, value in run.scalars("lr-AdamW")]
    assert shown == pytest.approx(run.witness.rates)
    warmup = [LR * (step + 1) / STEPS for step in range(STEPS)]
    left = STEPS * (EPOCHS - 1)
    cosine = [LR * (1 + math.cos(math.pi * step / left)) / 2 for step in range(left)]
    assert shown == pytest.approx([*warmup, *cosine], abs=1e-9)


@pytest.mark.parametrize("scheduler", ["none", "plateau"])
def test_a_rate_that_goes_by_epochs_or_never_changes_is_shown_too(
    tmp_path: Path, make_run: MakeRun, scheduler: str
) -> None:
    network = {"scheduler": scheduler, "warmup_epochs": 0}
    own = make_run(tmp_path, network=network, max_epochs=2, limit_train_batches=2)
    shown = [value for _, value in own.scalars("lr-AdamW")]
    assert len(shown) >= 2
    assert shown == pytest.approx([LR] * len(shown))


def test_a_run_shorter_than_the_logging_interval_shows_its_speed(
    tmp_path: Path, make_run: MakeRun
) -> None:
    own = make_run(tmp_path, max_epochs=1, limit_train_batches=1, log_every_n_steps=50)
    ((step, clips_per_second),) = own.scalars("train/clips_per_second")
    assert step == 0
    assert clips_per_second > 0
