"""Training curves are read from TensorBoard's event files, or from a CSVLogger's metrics.csv."""

from pathlib import Path

import pytest
from lightning.pytorch.loggers import CSVLogger
from torch.utils.tensorboard import SummaryWriter

from emorec.report.runs import EVENTS, read_curves


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with SummaryWriter(str(tmp_path)) as writer:
        for epoch in range(3):
            step = 10 * epoch + 9
            writer.add_scalar("val/loss", 2.0 - epoch / 4, step)
            writer.add_scalar("train/loss_epoch", 1.5 - epoch / 4, step)
            writer.add_scalar("val/accuracy", epoch / 4, step)
            writer.add_scalar("epoch", epoch, step)
        writer.add_scalar("train/loss_step", 7.0, 15)
    return tmp_path


def test_each_epoch_has_its_logged_value(run: Path) -> None:
    curves = read_curves(run)
    assert list(curves.index) == [1, 2, 3]
    assert list(curves["val_loss"]) == [2.0, 1.75, 1.5]
    assert list(curves["train_loss"]) == [1.5, 1.25, 1.0]
    assert list(curves["val_accuracy"]) == [0.0, 0.25, 0.5]
    assert "train_accuracy" not in curves


def test_a_repeated_epoch_of_a_resumed_run_counts_once(run: Path) -> None:
    with SummaryWriter(str(run), filename_suffix=".again") as writer:
        for epoch in (2, 3):
            step = 10 * epoch + 9
            writer.add_scalar("val/loss", 1.0 - epoch / 4, step)
            writer.add_scalar("epoch", epoch, step)
    curve = read_curves(run)["val_loss"]
    assert curve.to_dict() == {1: 2.0, 2: 1.75, 3: 0.5, 4: 0.25}


def test_without_events_the_metrics_of_a_csv_logger_are_read(run: Path, tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path, "net", "version_0")
    for epoch in range(3):
        step = 10 * epoch + 9
        logger.log_metrics({"lr-AdamW": 0.1}, step)  # a row without its epoch
        logger.log_metrics(
            {"val/loss": 2.0 - epoch / 4, "val/accuracy": epoch / 4, "epoch": epoch}, step
        )
        logger.log_metrics({"train/loss_epoch": 1.5 - epoch / 4, "epoch": epoch}, step)
    logger.log_metrics({"train/loss_step": 7.0}, 15)
    logger.save()
    assert read_curves(Path(logger.log_dir)).equals(read_curves(run))
    Path(logger.log_dir, "metrics.csv").write_bytes(b"\xff\xfe,,")
    assert read_curves(Path(logger.log_dir)).empty


def test_a_folder_without_events_has_no_curves(tmp_path: Path) -> None:
    assert read_curves(tmp_path).empty


def test_a_truncated_file_is_read_up_to_its_end(run: Path) -> None:
    [path] = run.glob(EVENTS)
    path.write_bytes(path.read_bytes()[:-120])
    assert list(read_curves(run).index[:2]) == [1, 2]


def test_an_invalid_event_file_is_ignored(tmp_path: Path) -> None:
    (tmp_path / EVENTS.replace("*", "1.x")).write_bytes(b"not events at all" * 50)
    assert read_curves(tmp_path).empty
