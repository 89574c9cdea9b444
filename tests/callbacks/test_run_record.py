"""What a run says of itself, and the table that sets runs side by side."""

import os
from pathlib import Path
from statistics import harmonic_mean
from typing import Any

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
from emorec.callbacks import BestAndLast
from emorec.data.split import SIDES
from emorec.evaluation.calibration import fit_temperature
from emorec.models.cost import gflops_per_clip, num_parameters
from tests.callbacks.conftest import CONFIG, EPOCHS, LR, STEPS, MakeRun, Run


def resident_bytes() -> int:
    """Memory of this process."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Table:
    """The HPARAMS tab of a folder, by the code that TensorBoard answers its page with."""

    def __init__(self, folder: Path) -> None:
        multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder)).Reload()
        provider = MultiplexerDataProvider(multiplexer, str(folder))
        backend = backend_context.Context(TBContext(data_provider=provider))
        context = RequestContext()
        said = backend.hparams_metadata(context, "")
        experiment = backend.experiment_from_metadata(context, "", True, said, [])
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
        answer = list_session_groups.Handler(context, backend, "", request).run()
        self.rows = {group.name: group for group in answer.session_groups}

    def settings(self, row: str) -> dict[str, Any]:
        cells = self.rows[row].hparams
        return {name: getattr(cells[name], cells[name].WhichOneof("kind")) for name in cells}

    def figures(self, row: str) -> dict[str, float]:
        return {metric.name.tag: metric.value for metric in self.rows[row].metric_values}

    def finished(self, row: str) -> bool:
        (session,) = self.rows[row].sessions
        return bool(session.status == api_pb2.STATUS_SUCCESS)


class Stop(Callback):
    """Ends a training in the middle of its second epoch."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.current_epoch == 1 and batch_idx == 1:
            raise OSError("no space left")


def test_the_table_shows_the_best_epoch_first_and_the_last_one_too(run: Run) -> None:
    table = Table(run.folder.parent)
    assert table.metrics[:5] == [
        f"best/{name}" for name in ("accuracy", "epoch", "loss", "macro_f1", "uar")
    ]
    (figures,) = (table.figures(row) for row in table.rows)
    uars = [summary.uar for summary in run.summaries]
    best = uars.index(max(uars))
    assert figures["best/epoch"] == best + 1
    for name in ("accuracy", "loss", "macro_f1", "uar"):
        assert figures[f"best/{name}"] == pytest.approx(getattr(run.summaries[best], name))
        assert figures[f"val/{name}"] == pytest.approx(getattr(run.summaries[-1], name))


def test_a_row_of_the_table_has_numbers_and_texts_that_matter_to_the_result(run: Run) -> None:
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


def test_runs_side_by_side_show_first_what_they_differ_in(
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


def test_a_run_that_was_cut_off_keeps_its_best_result_and_is_not_called_finished(
    tmp_path: Path, make_run: MakeRun
) -> None:
    with pytest.raises(OSError, match="no space left"):
        make_run(tmp_path, callbacks=(Stop(),), limit_train_batches=2)
    table = Table(tmp_path)
    (row,) = table.rows
    assert not table.finished(row)
    assert table.figures(row)["best/epoch"] == 1
    assert table.figures(row)["best/uar"] == table.figures(row)["val/uar"]


def test_a_resumed_run_goes_on_from_the_best_result_so_far(
    tmp_path: Path, make_run: MakeRun
) -> None:
    first = make_run(tmp_path / "first", max_epochs=2)
    saved = tmp_path / "saved.ckpt"
    first.trainer.save_checkpoint(saved)
    second = make_run(tmp_path / "second", ckpt_path=saved)
    uars = [summary.uar for summary in [*first.summaries, *second.summaries]]
    assert len(uars) == EPOCHS
    before = max(summary.uar for summary in first.summaries)
    shown = Table(second.folder.parent).figures("version_0").get("best/uar", before)
    assert shown == pytest.approx(max(uars))


def record_of(run: Run, path: Path) -> dict[str, Any]:
    run.trainer.save_checkpoint(path)
    said: dict[str, Any] = checkpoint.load(path)[checkpoint.RECORD]
    return said


def test_a_checkpoint_has_the_temperature_of_the_validation_of_its_epoch(
    tmp_path: Path, make_run: MakeRun
) -> None:
    folder = tmp_path / "checkpoints"
    saving = BestAndLast(
        folder,
        "best",
        monitor="val/uar",
        mode="max",
        save_last=True,
        enable_version_counter=False,
    )
    run = make_run(tmp_path, callbacks=(saving,), enable_checkpointing=True)
    for name in ("best", "last"):
        said = checkpoint.read(folder / f"{name}.ckpt")
        expected = fit_temperature(run.witness.predictions[said.epochs - 1])
        assert said.temperatures == {1: expected}
    assert fit_temperature(run.witness.predictions[0]) != said.temperatures[1]


def test_weights_that_were_trained_on_since_they_were_validated_have_no_temperature(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run(tmp_path, max_epochs=3, check_val_every_n_epoch=2, limit_train_batches=2)
    assert len(run.witness.predictions) == 1
    assert record_of(run, tmp_path / "third_epoch.ckpt")["temperatures"] == {}


def test_a_training_that_diverged_has_no_temperature_and_goes_on(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run(tmp_path, network={"lr": 1e30}, limit_train_batches=3)
    assert not run.network.collected.logits.isfinite().all()
    assert run.trainer.current_epoch == EPOCHS
    assert record_of(run, tmp_path / "diverged.ckpt")["temperatures"] == {}


def test_a_checkpoint_says_what_the_training_took(run: Run, tmp_path: Path) -> None:
    said = record_of(run, tmp_path / "whole.ckpt")
    assert said["trained_on"] == "cpu"
    # what this process holds now it has taken at some time, and it can't have taken more than there is
    assert resident_bytes() <= said["peak_memory_bytes"] * 1.01
    assert said["peak_memory_bytes"] < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    rates = [rate for _, rate in run.scalars("train/clips_per_second")]
    # each epoch has as many clips, so that the rate over all of them is the harmonic mean
    assert said["train_clips_per_second"] == pytest.approx(harmonic_mean(rates), rel=1e-5)
    clips_seconds = EPOCHS * 160 / said["train_clips_per_second"]
    assert clips_seconds < said["train_seconds"]  # which has the validation too


def test_a_resumed_run_adds_to_what_the_training_took(tmp_path: Path, make_run: MakeRun) -> None:
    few: dict[str, Any] = {"limit_train_batches": 4}
    first = make_run(tmp_path / "first", max_epochs=1, **few)
    before = record_of(first, tmp_path / "first.ckpt")
    content = checkpoint.load(tmp_path / "first.ckpt")
    content[checkpoint.RECORD]["peak_memory_bytes"] = 1 << 50  # it ran on a larger machine
    torch.save(content, tmp_path / "first.ckpt")
    second = make_run(tmp_path / "second", ckpt_path=tmp_path / "first.ckpt", max_epochs=2, **few)
    after = record_of(second, tmp_path / "second.ckpt")
    ((_, rate),) = second.scalars("train/clips_per_second")
    both = harmonic_mean([before["train_clips_per_second"], rate])
    assert after["train_clips_per_second"] == pytest.approx(both, rel=1e-5)
    assert after["train_seconds"] > before["train_seconds"]
    assert after["peak_memory_bytes"] == 1 << 50


def test_a_run_that_began_with_an_older_version_goes_on(tmp_path: Path, make_run: MakeRun) -> None:
    few: dict[str, Any] = {"limit_train_batches": 4}
    path = tmp_path / "first.ckpt"
    record_of(make_run(tmp_path / "first", max_epochs=1, **few), path)
    content = checkpoint.load(path)
    for news in ("train_clips_per_second", "peak_memory_bytes", "trained_on", "temperatures"):
        del content[checkpoint.RECORD][news]
    (counting,) = (name for name in content["callbacks"] if "Throughput" in name)
    del content["callbacks"][counting]
    torch.save(content, path)
    resumed = make_run(tmp_path / "second", ckpt_path=path, max_epochs=2, **few)
    after = record_of(resumed, tmp_path / "second.ckpt")
    ((_, rate),) = resumed.scalars("train/clips_per_second")
    assert after["train_clips_per_second"] == pytest.approx(rate, rel=1e-5)
    assert set(after["temperatures"]) == {1}


def test_terminal_and_tensorboard_tell_network_and_split_once(run: Run) -> None:
    lines = run.output.splitlines()
    # the first run of all also says where it keeps the frames
    network, split, *epochs = [line for line in lines if not line.startswith("decoded ")]
    size, cost = num_parameters(run.network), gflops_per_clip(run.network)
    assert network == (
        f"network emorec.models.EarlyFusionCNN: {size:,} parameters, {size:,} trained; {cost:.2f} GFLOPs a clip"
    )
    record = run.data.split_record()
    assert split == (
        "split seed: actors 1-20 train (160 clips), 21-22 val (15), 23-24 test (15); "
        f"clip list {record['hash']}"
    )
    assert len(epochs) == EPOCHS
    pages = {}
    for tag in ("network", "split"):
        (event,) = run.events.Tensors(f"{tag}/text_summary")
        pages[tag] = event.tensor_proto.string_val[0].decode()
    assert f"| **all** | {size:,} | {size:,} |" in pages["network"]
    assert f"{cost:.2f} GFLOPs" in pages["network"]
    sides = [
        f"| {side} | {actors} | {clips} |"
        for side, actors, clips in zip(
            SIDES, ("1-20", "21-22", "23-24"), (160, 15, 15), strict=True
        )
    ]
    assert all(line in pages["split"] for line in sides)


def test_the_parts_of_the_network_add_up(run: Run) -> None:
    (event,) = run.events.Tensors("network/text_summary")
    page = event.tensor_proto.string_val[0].decode()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    *parts, whole = ([int(cell.replace(",", "")) for cell in row[1:]] for row in rows[1:])
    assert [sum(column) for column in zip(*parts, strict=True)] == whole


def test_the_configuration_lies_in_the_run_folder(run: Run) -> None:
    assert yaml.safe_load((run.folder / "config.yaml").read_text()) == CONFIG
    assert run.trainer.global_step == STEPS * EPOCHS
