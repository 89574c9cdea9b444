"""Distributed runs of two processes equal those of one; run by `test_two_processes.py` in a process of their own."""

from pathlib import Path

import pytest
from torch.multiprocessing import ProcessRaisedException

from emorec.models.base import DivergedError
from tests.models.test_base import Diverges, MakeData, network, trainer


@pytest.fixture(autouse=True)
def threads_are_counted_by_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets Lightning set the threads of each process first: torch's pool of them is made anew after a fork, and two
    threads of autograd that do so at once may end the process."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


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


class DivergesInOneProcess(Diverges):
    """A network whose loss becomes NaN in the second process alone; each process records why it stops."""

    folder: Path

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self.loss_after = 3 if self.global_rank == 1 else 1000

    def on_train_epoch_end(self) -> None:
        try:
            super().on_train_epoch_end()
        except DivergedError as error:
            (self.folder / f"{self.global_rank}.txt").write_text(str(error))
            self.trainer.strategy.barrier()  # the first to end ends the other
            raise


@pytest.mark.slow
def test_all_processes_stop_where_the_loss_of_one_is_not_finite(
    tmp_path: Path, make_data: MakeData
) -> None:
    model = DivergesInOneProcess(num_frames=2, image_size=16)
    model.folder = tmp_path
    run = trainer(tmp_path, devices=2, strategy="ddp_fork", max_epochs=9, limit_val_batches=0)
    with pytest.raises(ProcessRaisedException):
        run.fit(model, make_data(clips=8, batch_size=2))
    first, second = (tmp_path / f"{rank}.txt" for rank in range(2))
    assert "diverged in epoch 2, step 2: the loss is NaN" in first.read_text()
    assert first.read_text() == second.read_text()
