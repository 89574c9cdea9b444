"""The record of a run: terminal, TensorBoard (curves, HPARAMS tab) and checkpoints."""

import math
import mmap
from pathlib import Path
from statistics import harmonic_mean
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import torch
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

from emorec import checkpoint
from emorec.callbacks.run_record import (
    device_name,
    max_resident_bytes,
    peak_memory_bytes,
    reset_peak_memory,
)
from emorec.data.split import SUBSETS
from emorec.evaluation.calibration import fit_temperature
from emorec.models.base import DivergedError
from emorec.models.flops import gflops_per_clip, num_parameters
from tests.callbacks.conftest import CONFIG, EPOCHS, LR, STEPS, MakeRun, Run

LAST_STEPS = [STEPS * epoch + STEPS - 1 for epoch in range(EPOCHS)]

CPU, GPU = torch.device("cpu"), torch.device("cuda", 1)
MEGABYTES = 1_000_000


class Table:
    """The HPARAMS tab of a folder, read by TensorBoard's own backend."""

    def __init__(self, folder: Path) -> None:
        multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder)).Reload()
        provider = MultiplexerDataProvider(multiplexer, str(folder))
        backend = backend_context.Context(TBContext(data_provider=provider))
        context = RequestContext()
        metadata = backend.hparams_metadata(context, "")
        experiment = backend.experiment_from_metadata(context, "", True, metadata, [])
        self.columns = [column.name for column in experiment.hparam_infos]
        self.differing = {column.name for column in experiment.hparam_infos if column.differs}
        self.metrics = [metric.name.tag for metric in experiment.metric_infos]
        request = api_pb2.ListSessionGroupsRequest(
            allowed_statuses=[
                api_pb2.STATUS_UNKNOWN,
                api_pb2.STATUS_SUCCESS,
                api_pb2.STATUS_FAILURE,
            ],
            slice_size=100,
            include_metrics=True,
        )
        response = list_session_groups.Handler(context, backend, "", request).run()
        self.rows = {group.name: group for group in response.session_groups}

    def settings(self, row: str) -> dict[str, Any]:
        cells = self.rows[row].hparams
        return {name: getattr(cells[name], cells[name].WhichOneof("kind")) for name in cells}

    def figures(self, row: str) -> dict[str, float]:
        return {metric.name.tag: metric.value for metric in self.rows[row].metric_values}

    def finished(self, row: str) -> bool:
        (session,) = self.rows[row].sessions
        return bool(session.status == api_pb2.STATUS_SUCCESS)


class Stop(Callback):
    """Fail in the middle of the second epoch."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.current_epoch == 1 and batch_idx == 1:
            raise OSError("no space left")


def test_the_table_has_the_best_and_the_last_epoch(run: Run) -> None:
    table = Table(run.folder.parent)
    assert table.metrics[:5] == [
        f"best/{name}" for name in ("accuracy", "epoch", "loss", "macro_f1", "uar")
    ]
    (figures,) = (table.figures(row) for row in table.rows)
    uars = [scores["uar"] for scores in run.scores]
    best = uars.index(max(uars))
    assert figures["best/epoch"] == best + 1
    for name in ("accuracy", "loss", "macro_f1", "uar"):
        assert figures[f"best/{name}"] == pytest.approx(run.scores[best][name])
        assert figures[f"val/{name}"] == pytest.approx(run.scores[-1][name])


def test_a_row_of_the_table_has_the_hyperparameters(run: Run) -> None:
    table = Table(run.folder.parent)
    (row,) = table.rows
    settings = table.settings(row)
    expected = {
        "network": "EarlyFusionCNN",
        "data": "RavdessDataModule",
        "lr": LR,
        "scheduler": "cosine",
        "augment": "true",
        "batch_size": 5,
        "image_size": 16,
        "max_epochs": EPOCHS,
        "precision": "32-true",
    }
    assert settings.items() >= expected.items()
    assert not {"root", "num_workers", "fold"} & settings.keys()
    assert set(map(type, settings.values())) <= {str, float}
    assert table.finished(row)


def test_hyperparameters_that_differ_between_runs_come_first(
    tmp_path: Path, make_run: MakeRun
) -> None:
    short: dict[str, Any] = {"max_epochs": 1, "limit_train_batches": 1}
    make_run(tmp_path / "a", **short)
    make_run(tmp_path / "b", network={"lr": 0.1, "scheduler": "none"}, data={"fold": None}, **short)
    table = Table(tmp_path)
    assert set(table.rows) == {"a/version_0", "b/version_0"}
    assert table.differing == {"lr", "scheduler"}
    assert table.columns[:2] == ["lr", "scheduler"]
    for row in table.rows:
        assert table.figures(row).keys() == set(table.metrics)


def test_an_interrupted_run_keeps_its_best_result_and_is_not_marked_finished(
    tmp_path: Path, make_run: MakeRun
) -> None:
    with pytest.raises(OSError, match="no space left"):
        make_run(tmp_path, callbacks=(Stop(),), limit_train_batches=2)
    table = Table(tmp_path)
    (row,) = table.rows
    assert not table.finished(row)
    assert table.figures(row)["best/epoch"] == 1
    assert table.figures(row)["best/uar"] == table.figures(row)["val/uar"]


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
def test_a_resumed_run_continues_from_the_best_result(tmp_path: Path, make_run: MakeRun) -> None:
    first = make_run(tmp_path, max_epochs=2)
    second = make_run(tmp_path, ckpt_path=tmp_path / "checkpoints" / "last.ckpt")
    assert second.folder != first.folder
    uars = [scores["uar"] for scores in [*first.scores, *second.scores]]
    assert len(uars) == EPOCHS
    best = Table(tmp_path).figures("version_1").get("best/uar", max(uars[:2]))
    assert best == pytest.approx(max(uars))


def record_of(run: Run, path: Path) -> dict[str, Any]:
    run.trainer.save_checkpoint(path)
    record: dict[str, Any] = checkpoint.load(path)[checkpoint.RECORD]
    return record


def test_a_checkpoint_has_the_temperature_of_the_validation_of_its_epoch(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run(tmp_path)
    temperatures = [fit_temperature(each.target, each.output) for each in run.witness.collected]
    for name in ("best", "last"):
        saved = checkpoint.read(tmp_path / "checkpoints" / f"{name}.ckpt")
        assert saved.temperatures == {1: temperatures[saved.epochs - 1]}
    assert temperatures[0] != temperatures[-1]


def test_weights_trained_after_their_validation_have_no_temperature(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run(
        tmp_path,
        max_epochs=3,
        check_val_every_n_epoch=2,
        limit_train_batches=2,
        enable_checkpointing=False,
    )
    assert len(run.witness.collected) == 1
    assert record_of(run, tmp_path / "third_epoch.ckpt")["temperatures"] == {}


def test_a_diverged_training_leaves_no_checkpoint(tmp_path: Path, make_run: MakeRun) -> None:
    with pytest.raises(DivergedError, match=r"epoch 1, step .: .*--model\.lr smaller than 1e\+30"):
        make_run(tmp_path, network={"lr": 1e30}, limit_train_batches=3)
    assert not list(tmp_path.rglob("*.ckpt"))


def test_a_checkpoint_records_time_and_memory_of_the_training(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = {CPU: 7 * MEGABYTES}
    monkeypatch.setattr("emorec.callbacks.run_record.peak_memory_bytes", peaks.__getitem__)
    record = record_of(run, tmp_path / "whole.ckpt")
    assert (record["trained_on"], record["peak_memory_bytes"]) == ("cpu", 7 * MEGABYTES)
    rates = [rate for _, rate in run.scalars("train/clips_per_second")]
    # epochs have equal numbers of clips, so the overall rate is the harmonic mean
    assert record["train_clips_per_second"] == pytest.approx(harmonic_mean(rates), rel=1e-5)
    clips_seconds = EPOCHS * 160 / record["train_clips_per_second"]
    assert clips_seconds < record["train_seconds"]  # train_seconds includes validation


def test_a_resumed_run_adds_to_the_recorded_time_and_memory(
    tmp_path: Path, make_run: MakeRun
) -> None:
    limits: dict[str, Any] = {"limit_train_batches": 4}
    first = make_run(tmp_path / "first", max_epochs=1, **limits)
    before = record_of(first, tmp_path / "first.ckpt")
    content = checkpoint.load(tmp_path / "first.ckpt")
    content[checkpoint.RECORD]["peak_memory_bytes"] = 1 << 50  # as on a larger machine
    torch.save(content, tmp_path / "first.ckpt")
    second = make_run(
        tmp_path / "second", ckpt_path=tmp_path / "first.ckpt", max_epochs=2, **limits
    )
    after = record_of(second, tmp_path / "second.ckpt")
    ((_, rate),) = second.scalars("train/clips_per_second")
    overall_rate = harmonic_mean([before["train_clips_per_second"], rate])
    assert after["train_clips_per_second"] == pytest.approx(overall_rate, rel=1e-5)
    assert after["train_seconds"] > before["train_seconds"]
    assert after["peak_memory_bytes"] == 1 << 50


def test_network_and_split_appear_once_in_terminal_and_tensorboard(run: Run) -> None:
    lines = run.output.splitlines()
    # the first run also prints the cache folder
    network, split, *epochs = [line for line in lines if not line.startswith("decoded ")]
    size, cost = num_parameters(run.network), gflops_per_clip(run.network)
    assert network == (
        f"network emorec.models.EarlyFusionCNN: {size:,} parameters, {size:,} trained; {cost:.2f} GFLOPs a clip"
    )
    record = run.data.split_record()
    assert split == (
        "split seed: actors 1-20 train (160 clips), 21-22 val (15), 23-24 test (15); "
        f"clip list {record['hash']}; the clips are drawn: scores say nothing about people"
    )
    assert len(epochs) == EPOCHS
    pages = {}
    for tag in ("network", "split"):
        (event,) = run.events.Tensors(f"{tag}/text_summary")
        pages[tag] = event.tensor_proto.string_val[0].decode()
    assert f"| **all** | {size:,} | {size:,} |" in pages["network"]
    assert f"{cost:.2f} GFLOPs" in pages["network"]
    subsets = [
        f"| {subset} | {actors} | {clips} |"
        for subset, actors, clips in zip(
            SUBSETS, ("1-20", "21-22", "23-24"), (160, 15, 15), strict=True
        )
    ]
    assert all(line in pages["split"] for line in subsets)


def test_the_parameters_of_the_modules_add_up(run: Run) -> None:
    (event,) = run.events.Tensors("network/text_summary")
    page = event.tensor_proto.string_val[0].decode()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    *parts, whole = ([int(cell.replace(",", "")) for cell in row[1:]] for row in rows[1:])
    assert [sum(column) for column in zip(*parts, strict=True)] == whole


def test_the_configuration_is_in_the_run_folder(run: Run) -> None:
    assert yaml.safe_load((run.folder / "config.yaml").read_text()) == CONFIG
    assert run.trainer.global_step == STEPS * EPOCHS


def test_every_curve_has_a_point_per_step_or_epoch(run: Run) -> None:
    by_step = {"train/loss_step", "lr-AdamW"}
    scores = {"loss", "accuracy", "uar", "macro_f1"}
    by_epoch = {f"val/{name}" for name in scores | {"ece"}} | {
        f"train/{name}" for name in (scores - {"loss"}) | {"loss_epoch", "clips_per_second"}
    }
    best = {f"best/{name}" for name in scores | {"epoch"}}
    assert set(run.events.Tags()["scalars"]) == by_step | by_epoch | best | {"epoch"}
    for tag in by_step:
        assert [step for step, _ in run.scalars(tag)] == list(range(STEPS * EPOCHS)), tag
    for tag in by_epoch:
        assert [step for step, _ in run.scalars(tag)] == LAST_STEPS, tag


@pytest.mark.parametrize("name", ["loss", "accuracy", "uar", "macro_f1", "ece"])
def test_validation_curves_are_the_scores_of_the_predictions(run: Run, name: str) -> None:
    expected = [scores[name] for scores in run.scores]
    assert [value for _, value in run.scalars(f"val/{name}")] == pytest.approx(expected)


def test_the_learning_rate_is_logged_at_each_step(run: Run) -> None:
    logged = [value for _, value in run.scalars("lr-AdamW")]
    assert logged == pytest.approx(run.witness.rates)
    warmup = [LR * (step + 1) / STEPS for step in range(STEPS)]
    remaining = STEPS * (EPOCHS - 1)
    cosine = [LR * (1 + math.cos(math.pi * step / remaining)) / 2 for step in range(remaining)]
    assert logged == pytest.approx([*warmup, *cosine], abs=1e-9)


@pytest.mark.parametrize("scheduler", ["none", "plateau"])
def test_epoch_wise_and_constant_learning_rates_are_logged(
    tmp_path: Path, make_run: MakeRun, scheduler: str
) -> None:
    network = {"scheduler": scheduler, "warmup_epochs": 0}
    logged_run = make_run(tmp_path, network=network, max_epochs=2, limit_train_batches=2)
    logged = [value for _, value in logged_run.scalars("lr-AdamW")]
    assert len(logged) >= 2
    assert logged == pytest.approx([LR] * len(logged))


def test_a_run_shorter_than_the_logging_interval_logs_its_speed(
    tmp_path: Path, make_run: MakeRun
) -> None:
    logged_run = make_run(tmp_path, max_epochs=1, limit_train_batches=1, log_every_n_steps=50)
    ((step, clips_per_second),) = logged_run.scalars("train/clips_per_second")
    assert step == 0
    assert clips_per_second > 0


@pytest.mark.parametrize(
    ("status", "platform", "expected"),
    [
        ("VmPeak:\t   90 kB\nVmHWM:\t   70 kB\nVmRSS:\t   60 kB\n", "linux", 70 * 1024),
        ("Name:\tpython\n", "linux", 50 * 1024),
        (None, "linux", 50 * 1024),
        (None, "darwin", 50),
    ],
    ids=["Linux", "Linux without VmHWM", "without /proc", "macOS"],
)
def test_without_a_gpu_peak_memory_is_what_the_system_reports(
    monkeypatch: pytest.MonkeyPatch, status: str | None, platform: str, expected: int
) -> None:
    def read_text(path: Path, *arguments: object, **options: object) -> str:
        assert path == Path("/proc/self/status")
        if status is None:
            raise FileNotFoundError(path)
        return status

    monkeypatch.setattr(Path, "read_text", read_text)
    monkeypatch.setattr("resource.getrusage", lambda whose: SimpleNamespace(ru_maxrss=50))
    monkeypatch.setattr("sys.platform", platform)
    assert peak_memory_bytes(CPU) == expected


@pytest.mark.nightly
def test_without_a_gpu_peak_memory_is_that_of_the_process() -> None:
    before = peak_memory_bytes(CPU)
    assert before is not None
    room = before - psutil.Process().memory_info().rss
    # more than the previous peak, in new pages: freed memory may be reused
    with mmap.mmap(-1, room + 200 * MEGABYTES) as held:
        np.frombuffer(held, dtype=np.uint8)[:] = 1
    reset_peak_memory(CPU)
    after = peak_memory_bytes(CPU)
    assert after is not None
    assert after >= before + 190 * MEGABYTES
    # the fallback without /proc: a child process inherits the peak of its parent
    reported = max_resident_bytes()
    assert reported is not None
    assert reported >= 0.99 * after


def test_with_a_gpu_peak_memory_is_that_of_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = {GPU: 7 * MEGABYTES}
    monkeypatch.setattr("torch.cuda.max_memory_allocated", peaks.__getitem__)
    monkeypatch.setattr("torch.cuda.reset_peak_memory_stats", lambda of: peaks.update({of: 0}))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda of: f"Fast GPU {of.index}")
    assert peak_memory_bytes(GPU) == 7 * MEGABYTES
    reset_peak_memory(GPU)
    assert peak_memory_bytes(GPU) == 0
    assert (device_name(GPU), device_name(CPU)) == ("Fast GPU 1", "cpu")
