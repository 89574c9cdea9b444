"""The progress bar in a terminal, and one line per epoch elsewhere."""

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rich
from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console

from emorec.callbacks import ProgressBar, Throughput
from emorec.callbacks.progress import format_epoch
from tests.callbacks.conftest import EPOCHS, MakeRun, Run


class Onlooker(Callback):
    """Capture the bar after every training batch and after the sanity check."""

    def __init__(self, bar: ProgressBar, width: int) -> None:
        self.bar = bar
        self.width = width
        self.pictures: list[str] = []

    def capture(self) -> None:
        assert self.bar.progress is not None
        console = Console(width=self.width, file=io.StringIO())
        console.print(self.bar.progress.get_renderable())
        self.pictures.append(console.file.getvalue().rstrip())  # type: ignore[attr-defined]

    def on_sanity_check_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.capture()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert self.bar.progress is not None
        if batch_idx == 0:  # as late in an epoch
            self.bar.progress.update(self.bar.train_progress_bar.id, total=1200, completed=1000)
        self.bar.progress.refresh()
        self.capture()


@pytest.fixture
def rich_console() -> Iterator[None]:
    """Restore the global rich console, which the bar configures."""
    before = rich.get_console().__dict__.copy()
    yield
    rich.get_console().__dict__ = before


@pytest.mark.parametrize("width", [80, 120])
def test_the_bar_is_one_line_with_loss_uar_and_speed(
    tmp_path: Path, make_run: MakeRun, rich_console: None, width: int
) -> None:
    bar = ProgressBar(
        console_kwargs={"width": width, "file": io.StringIO(), "force_terminal": True}
    )
    onlooker = Onlooker(bar, width)
    make_run(
        tmp_path,
        callbacks=(bar, onlooker),
        enable_progress_bar=True,
        max_epochs=300,
        max_steps=4,
        limit_train_batches=2,
    )
    sanity, first, _, third, _ = onlooker.pictures
    assert "UAR" not in sanity
    assert "\n" not in first
    assert first.startswith("Epoch 1/300")
    assert "1000/1200" in first
    assert "loss: " in first
    assert "clips/s: " in first
    assert "UAR" not in first  # nothing was validated yet
    assert "\n" not in third
    assert third.startswith("Epoch 2/300")
    assert "UAR: 0." in third


def test_without_a_terminal_each_epoch_is_a_line_with_its_scores(run: Run) -> None:
    lines = [line for line in run.output.splitlines() if line.startswith("Epoch")]
    logged = {
        tag: [value for _, value in run.scalars(tag)]
        for tag in ("train/loss_epoch", "val/loss", "val/uar", "train/clips_per_second")
    }
    assert lines == [
        f"Epoch {epoch + 1}/{EPOCHS}  loss {logged['train/loss_epoch'][epoch]:.3f}  "
        f"val loss {logged['val/loss'][epoch]:.3f}  UAR {logged['val/uar'][epoch]:.3f}  "
        f"clips/s {logged['train/clips_per_second'][epoch]:.1f}"
        for epoch in range(EPOCHS)
    ]


@pytest.mark.parametrize(
    ("max_epochs", "text"), [(20, "Epoch 3/20"), (-1, "Epoch 3"), (None, "Epoch 3")]
)
def test_epochs_are_counted_from_one(max_epochs: int | None, text: str) -> None:
    trainer: Any = SimpleNamespace(max_epochs=max_epochs)
    assert format_epoch(trainer, 2) == text


def test_a_resumed_run_continues_the_overall_throughput(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("emorec.callbacks.progress.time.perf_counter", lambda: now)
    module: Any = SimpleNamespace(log=lambda name, value, **how: None)
    trainer: Any = SimpleNamespace(world_size=1)

    def train(throughput: Throughput, seconds: float, clips: int) -> None:
        nonlocal now
        throughput.on_train_epoch_start(trainer, module)
        now += seconds
        throughput.on_train_batch_end(trainer, module, None, {"label": range(clips)}, 0)
        now += 60.0  # validation
        throughput.on_train_epoch_end(trainer, module)

    stopped, resumed = Throughput(), Throughput()
    assert Throughput().overall is None
    train(stopped, seconds=1.0, clips=10)
    train(stopped, seconds=2.0, clips=10)
    assert stopped.overall == 20 / 3
    resumed.load_state_dict(stopped.state_dict())
    assert resumed.overall == 20 / 3
    train(resumed, seconds=1.0, clips=20)
    assert resumed.overall == 40 / 4


def test_throughput_counts_the_clips_of_all_processes_without_validation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("emorec.callbacks.progress.time.perf_counter", lambda: now)
    logged: list[float] = []
    module: Any = SimpleNamespace(log=lambda name, value, **how: logged.append(value))
    trainer: Any = SimpleNamespace(world_size=2)
    throughput = Throughput()
    throughput.on_train_epoch_start(trainer, module)
    for batch, clips in enumerate([16, 4]):
        now += 2.0
        throughput.on_train_batch_end(trainer, module, None, {"label": range(clips)}, batch)
    now += 60.0  # validation
    throughput.on_train_epoch_end(trainer, module)
    assert logged == [16.0, 10.0, 10.0]
