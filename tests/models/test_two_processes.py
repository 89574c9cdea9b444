"""Distributed runs of two processes equal those of one."""

from pathlib import Path

import pytest

from tests.models.test_base import MakeData, network, trainer


@pytest.mark.filterwarnings("ignore:Using `DistributedSampler` with the dataloaders")
@pytest.mark.slow
def test_two_processes_log_the_same_metrics_as_one(tmp_path: Path, make_data: MakeData) -> None:
    figures = {}
    for devices in (1, 2):
        model = network()
        run = trainer(tmp_path, devices=devices, strategy="ddp_fork" if devices == 2 else "auto")
        data = make_data(clips=7, batch_size=2)
        (figures[devices],) = run.validate(model, data, verbose=False)
    assert figures[2] == pytest.approx(figures[1], rel=1e-6)


@pytest.mark.slow
def test_two_processes_train_and_log_metrics(tmp_path: Path, make_data: MakeData) -> None:
    run = trainer(tmp_path, devices=2, strategy="ddp_fork", max_epochs=2)
    run.fit(network(scheduler="plateau", warmup_epochs=1), make_data(clips=7, batch_size=2))
    assert {"train/loss", "train/uar", "val/loss", "val/uar"} <= set(run.callback_metrics)
