"""Each logger gets curves, pictures, settings with final figures and texts, and runs of all have the same folder."""

import csv
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from lightning.pytorch.loggers import CSVLogger
from matplotlib.image import imread
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from emorec import checkpoint
from emorec.callbacks.loggers import check_usable, continue_metrics, run_folder
from emorec.cli import main
from emorec.cli.experiment import make_trainer
from emorec.errors import UserError
from emorec.experiment import parse_experiment

# MLflow calls SQLAlchemy by a deprecated name.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")

NETWORK = (
    *("--model", "EarlyFusionCNN", "--data", "RavdessDataModule", "--data.num_frames", "2"),
    *("--data.image_size", "16", "--data.num_workers", "0", "--data.batch_size", "8"),
)
STEPS = 2  # an epoch
FOLDER = Path("lightning_logs", "EarlyFusionCNN", "version_0")
LAST = str(FOLDER / "checkpoints" / "last.ckpt")
MATRIX = "val/confusion_matrix"
BLOCK_BYTES = 32768
"""wandb's files have LevelDB's log format: records in blocks of this size, after a header of 7 bytes."""


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep wandb and MLflow from any account and server of the user."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_API_KEY", "MLFLOW_TRACKING_URI"):
            patch.delenv(name, raising=False)
        patch.setenv("WANDB_MODE", "offline")  # Lightning sets it for the whole process
        for name in ("HOME", "USERPROFILE", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR"):
            patch.setenv(name, str(home))
        patch.setenv("NETRC", str(home / "netrc"))
        patch.setenv("WANDB_SILENT", "true")
        patch.setenv("WANDB_CONSOLE", "off")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.chdir(home)
        yield


@pytest.fixture(scope="module")
def run(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run: its first epoch in wandb and MLflow, a second one after it was resumed in all four loggers."""
    import wandb

    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        limits = ("--trainer.limit_train_batches", str(STEPS), "--trainer.accelerator", "cpu")
        steps = ("--trainer.log_every_n_steps", "1", "--trainer.max_epochs", "1")
        wandb_and_mlflow = ("--trainer.logger+=WandbLogger", "--trainer.logger.offline=true")
        wandb_and_mlflow += ("--trainer.logger+=MLFlowLogger",)
        root = ("--data.root", str(drawn_clips))
        main(["fit", *NETWORK, *root, *limits, *steps, *wandb_and_mlflow])
        wandb.finish()
        main(
            [
                *("fit", "--ckpt", LAST, "--trainer.max_epochs", "2", "--model.lr", "5e-5"),
                *("--trainer.logger+=CSVLogger", "--trainer.logger+=TensorBoardLogger"),
            ]
        )
        wandb.finish()
        wandb.teardown()
    return folder


def metrics(run: Path) -> dict[str, dict[int, float]]:
    """Column -> step -> value of `metrics.csv`."""
    with (run / FOLDER / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name != "step"]
    return {
        name: {int(row["step"]): float(row[name]) for row in rows if row[name]} for name in columns
    }


def picture(content: Any) -> NDArray[np.uint8]:
    return np.round(255 * imread(content)[..., :3]).astype(np.uint8)


def csv_picture(run: Path, step: int) -> NDArray[np.uint8]:
    return picture(run / FOLDER / "images" / f"{MATRIX}_step_{step:06}.png")


def test_a_csv_logger_has_curves_pictures_settings_and_texts_in_the_run_folder(run: Path) -> None:
    curves = metrics(run)
    assert set(curves["train/loss_step"]) == {2, 3}  # its epoch was the second
    assert set(curves["val/uar"]) == set(curves["lr-AdamW"]) - {2} == {3}
    assert {path.name for path in (run / FOLDER / "images" / "val").iterdir()} == {
        "confusion_matrix_step_000003.png",
        "misclassified_step_000003.png",
    }
    settings = yaml.safe_load((run / FOLDER / "hparams.yaml").read_text())
    assert (settings["network"], settings["lr"]) == ("EarlyFusionCNN", 5e-5)
    assert "| **all** |" in (run / FOLDER / "network.md").read_text()
    assert "| test | 23-24 | 15 |" in (run / FOLDER / "split.md").read_text()


def test_tensorboard_beside_other_loggers_has_the_same(run: Path) -> None:
    everything = {"scalars": 0, "images": 0, "tensors": 0}
    events = EventAccumulator(str(run / FOLDER), size_guidance=everything).Reload()
    (uar,) = events.Scalars("val/uar")
    assert (uar.step, uar.value) == (3, pytest.approx(metrics(run)["val/uar"][3]))
    (image,) = events.Images(MATRIX)
    (run / "matrix.png").write_bytes(image.encoded_image_string)
    np.testing.assert_array_equal(picture(run / "matrix.png"), csv_picture(run, 3))
    assert {"network/text_summary", "split/text_summary"} <= {*events.Tags()["tensors"]}


def test_mlflow_goes_on_with_its_run_when_that_is_resumed(run: Path) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{run / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("lightning_logs")
    (stored,) = client.search_runs([experiment.experiment_id])
    assert (stored.info.run_name, stored.info.status) == ("EarlyFusionCNN/version_0", "FINISHED")
    history = client.get_metric_history(stored.info.run_id, "val/uar")
    assert [point.step for point in history] == [1, 3]
    assert history[-1].value == pytest.approx(metrics(run)["val/uar"][3])
    assert stored.data.metrics["best/uar"] == pytest.approx(max(each.value for each in history))
    assert stored.data.params["network"] == "EarlyFusionCNN"
    assert stored.data.params["lr"] == "0.0001"  # that of the start, as MLflow changes none
    artifacts = run / "mlruns" / stored.info.run_id / "artifacts"
    files = {path.relative_to(artifacts).as_posix() for path in artifacts.rglob("*.*")}
    assert files == {
        *("network.md", "split.md", "images/train/clips_as_the_network_sees_them_step_000000.png"),
        *(f"images/{MATRIX}_step_00000{step}.png" for step in (1, 3)),
        *(f"images/val/misclassified_step_00000{step}.png" for step in (1, 3)),
    }
    name = f"images/{MATRIX}_step_000003.png"
    np.testing.assert_array_equal(picture(artifacts / name), csv_picture(run, 3))


def wandb_records(path: Path) -> Iterator[Any]:
    from wandb.proto import wandb_internal_pb2

    content, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if (left := BLOCK_BYTES - at % BLOCK_BYTES) < 7:
            at += left
            continue
        size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        parts += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield wandb_internal_pb2.Record.FromString(parts)
            parts = b""


def test_wandb_goes_on_with_its_run_when_that_is_resumed(run: Path) -> None:
    curve: dict[int, float] = {}
    settings: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    names = set()
    for path in sorted(run.glob("wandb/offline-run-*/run-*.wandb")):
        for record in wandb_records(path):
            if record.HasField("run"):
                names.add((record.run.run_id, record.run.display_name))
            settings |= {each.key: json.loads(each.value_json) for each in record.config.update}
            row = {".".join(each.nested_key): each.value_json for each in record.history.item}
            summary |= row
            if "val/uar" in row:
                curve[int(row["trainer/global_step"])] = float(row["val/uar"])
    assert [name for _, name in names] == ["EarlyFusionCNN/version_0"]  # one, as is its id
    assert list(curve) == [1, 3]
    assert curve[3] == pytest.approx(metrics(run)["val/uar"][3])
    assert float(summary["best/uar"]) == pytest.approx(max(curve.values()))
    assert (settings["network"], settings["lr"], settings["max_epochs"]) == (
        *("EarlyFusionCNN", 5e-5),
        2,
    )
    first, second = sorted(run.glob("wandb/offline-run-*/files/media"), key=lambda it: it.parts[-3])
    (matrix,) = second.glob(f"images/{MATRIX}_*.png")
    np.testing.assert_array_equal(picture(matrix), csv_picture(run, 3))
    assert len(list(first.glob("images/train/clips_as_the_network_sees_them_*.png"))) == 1
    (text,) = first.glob("table/network_*.table.json")
    assert "**all**" in json.loads(text.read_text())["data"][0][0]


def test_the_folder_of_the_run_holds_checkpoints_settings_and_scores(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    assert [path.name for path in (run / "lightning_logs").glob("*/*")] == ["version_0"]
    assert checkpoint.read(LAST).epochs == 2
    assert len((FOLDER / "validation.jsonl").read_text().splitlines()) == 2
    loggers = yaml.safe_load((FOLDER / "config.yaml").read_text())["trainer"]["logger"]
    names = [each["class_path"].rpartition(".")[2] for each in loggers]
    assert names == ["WandbLogger", "MLFlowLogger", "CSVLogger", "TensorBoardLogger"]


@pytest.mark.parametrize(
    "chosen",
    [
        ("--trainer.logger", "CSVLogger"),
        ("--trainer.logger", "WandbLogger", "--trainer.logger.offline", "true"),
        ("--trainer.logger", "[TensorBoardLogger, CSVLogger]"),
        ("--trainer.logger+=CSVLogger", "--trainer.logger+=TensorBoardLogger"),
        ("--config", "csv.yaml"),
    ],
    ids=" ".join,
)
def test_every_logger_has_the_next_run_folder(
    chosen: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "csv.yaml").write_text("trainer: {logger: CSVLogger}")
    (tmp_path / FOLDER.with_name("version_2")).mkdir(parents=True)
    experiment = parse_experiment([*NETWORK, "--data.root", ".", *chosen])
    experiment.instantiate()
    assert run_folder(make_trainer(experiment, [])) == FOLDER.with_name("version_3")


@pytest.mark.filterwarnings("ignore:Experiment logs directory .* exists and is not empty")
def test_a_resumed_csv_logger_appends_to_its_metrics(tmp_path: Path) -> None:
    for step, name in enumerate(("val/uar", "val/loss")):
        logger = CSVLogger(tmp_path, "net", "version_0")
        continue_metrics(logger)
        logger.log_metrics({name: 0.5}, step)
        logger.save()
    text = (tmp_path / "net" / "version_0" / "metrics.csv").read_text()
    assert text.splitlines() == ["step,val/loss,val/uar", "0,,0.5", "1,0.5,"]


def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = ("wandb", "mlflow")
    monkeypatch.setattr(
        "emorec.callbacks.loggers.find_spec",
        lambda name: None if name in hidden else find_spec(name),
    )
    for logger, package in zip(("WandbLogger", "MLFlowLogger"), hidden, strict=True):
        experiment = parse_experiment(
            [*NETWORK, "--data.root", str(tmp_path), "--trainer.logger", logger]
        )
        with pytest.raises(UserError, match=rf"{logger} needs .*'emorec\[{package}\]'"):
            experiment.instantiate()


def test_wandb_without_an_account_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE")
    experiment = parse_experiment([*NETWORK, "--data.root", ".", "--trainer.logger", "WandbLogger"])
    with pytest.raises(UserError, match=r"wandb login.*--trainer\.logger\.offline true"):
        check_usable(experiment.config.trainer.logger)
