"""Reading, writing and refusing checkpoint files."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save as to_bytes

from emorec import checkpoint
from emorec.callbacks.checkpointing import AtomicCheckpointIO
from emorec.errors import UserError

OTHER_TENSORS = to_bytes({"weight": torch.arange(3.0) + 1})


def content() -> dict[str, Any]:
    return {
        "state_dict": {"weight": torch.arange(3.0)},
        "hyper_parameters": {"lr": 0.1},
        "datamodule_hyper_parameters": {"root": "clips"},
        checkpoint.RECORD: {
            "version": "0",
            "model": "emorec.models.CNNLSTM",
            "data": "emorec.data.RavdessDataModule",
            "settings": {"seed_everything": 3},
            "class_names": ["sad", "happy"],
            "split": {"name": "seed"},
            "epochs": 4,
            "train_seconds": 1.5,
            "environment": {"torch": "2.11"},
        },
    }


def save(path: Path, value: Any = None) -> Path:
    torch.save(content() if value is None else value, path)
    return path


class Payload:
    """Object that runs a command when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def test_a_checkpoint_records_its_network_data_and_training(tmp_path: Path) -> None:
    record = checkpoint.read(save(tmp_path / "best.ckpt"))
    assert record.model == {"class_path": "emorec.models.CNNLSTM", "init_args": {"lr": 0.1}}
    assert record.data["init_args"] == {"root": "clips"}
    assert record.class_names == ("sad", "happy")
    assert (record.epochs, record.train_seconds) == (4, 1.5)


def test_unmeasured_figures_are_none(tmp_path: Path) -> None:
    record = checkpoint.read(save(tmp_path / "best.ckpt"))
    assert (record.train_clips_per_second, record.peak_memory_bytes, record.trained_on) == (
        None,
    ) * 3
    assert record.temperatures == {}


def test_adding_a_temperature_changes_nothing_else(tmp_path: Path) -> None:
    path = save(tmp_path / "best.ckpt")
    before = checkpoint.load(path)
    checkpoint.add_temperature(path, 1, 1.5)
    checkpoint.add_temperature(path, 10, 1.25)
    assert checkpoint.read(path).temperatures == {1: 1.5, 10: 1.25}
    after = checkpoint.load(path)
    del after[checkpoint.RECORD]["temperatures"]
    assert torch.equal(after.pop("state_dict")["weight"], before.pop("state_dict")["weight"])
    assert after == before


def test_the_plain_form_can_be_calibrated(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    checkpoint.save_plain(content(), path)
    before = path.read_bytes()
    checkpoint.add_temperature(path, 1, 1.5)
    assert checkpoint.read(path).temperatures == {1: 1.5}
    assert path.read_bytes() == before


def test_the_run_folder_is_above_checkpoints_or_the_folder_of_a_moved_file(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    in_run = checkpoint.read(save(tmp_path / "run" / "checkpoints" / "best.ckpt"))
    moved = checkpoint.read(save(tmp_path / "best.ckpt"))
    assert in_run.run_folder == tmp_path / "run"
    assert moved.run_folder == tmp_path


def test_a_pickled_payload_is_refused_and_not_executed(tmp_path: Path) -> None:
    marker = tmp_path / "it_ran"
    path = save(tmp_path / "evil.ckpt", {**content(), "callbacks": Payload(str(marker))})
    with pytest.raises(UserError, match=r"evil.ckpt holds Python objects"):
        checkpoint.read(path)
    assert not marker.exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    complete = save(tmp_path / "whole.ckpt").read_bytes()
    truncated = tmp_path / "cut.ckpt"
    truncated.write_bytes(complete[: int(len(complete) * share)])
    with pytest.raises(UserError, match=r"cut.ckpt is truncated or not a checkpoint"):
        checkpoint.read(truncated)


@pytest.mark.parametrize(
    ("checkpoint_content", "message"),
    [
        ([1, 2], "holds a list"),
        ({"state_dict": {}}, "has no datamodule_hyper_parameters, hyper_parameters"),
        ({key: value for key, value in content().items() if key != "emorec"}, "has no emorec"),
    ],
)
def test_a_file_of_another_program_is_refused(
    tmp_path: Path, checkpoint_content: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        checkpoint.read(save(tmp_path / "other.ckpt", checkpoint_content))


def test_text_folders_and_missing_files_have_distinct_errors(tmp_path: Path) -> None:
    text = tmp_path / "notes.ckpt"
    text.write_text("I am no checkpoint, but I am long enough to be taken for one.")
    with pytest.raises(UserError, match=r"notes.ckpt is truncated or not a checkpoint"):
        checkpoint.read(text)
    with pytest.raises(UserError, match="no such checkpoint"):
        checkpoint.read(tmp_path / "nowhere.ckpt")


def test_a_folder_stands_for_its_best_checkpoint_or_the_likely_cause_is_named(
    tmp_path: Path,
) -> None:
    run = tmp_path / "version_0"
    checkpoints = run / "checkpoints"
    checkpoints.mkdir(parents=True)
    with pytest.raises(
        UserError, match=r"version_0 is a folder without best.ckpt: .* ended before"
    ):
        checkpoint.read(run)
    (checkpoints / "last.ckpt").touch()
    for path in (run, checkpoints, checkpoints / "best.ckpt"):
        with pytest.raises(UserError, match=rf"fit --ckpt {checkpoints / 'last.ckpt'}$"):
            checkpoint.read(path)
    (checkpoints / "best.ckpt").touch()
    assert checkpoint.find_file(run) == checkpoint.find_file(checkpoints / "best.ckpt")
    with pytest.raises(UserError, match=rf"of 1 run: name one, such as {checkpoints}"):
        checkpoint.read(tmp_path)


def test_a_failed_write_keeps_the_previous_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    writer = AtomicCheckpointIO()
    writer.save_checkpoint({"epoch": 1}, path)

    def raise_no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", raise_no_space)
    with pytest.raises(
        UserError, match=r"last.ckpt: No space left on device; the former one is kept"
    ):
        writer.save_checkpoint({"epoch": 2}, path)
    assert writer.load_checkpoint(path) == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_the_plain_form_has_all_but_the_training_and_the_machine(tmp_path: Path) -> None:
    whole = {**content(), "optimizer_states": [{"lr": 0.1}]}
    whole["datamodule_hyper_parameters"] = {"root": "/home/ann", "cache": "/tmp/c", "num_frames": 6}
    trainer = {"default_root_dir": "/home/ann/runs", "logger": {"name": "ann"}}
    whole[checkpoint.RECORD]["settings"]["trainer"] = {**trainer, "max_epochs": 4}
    whole[checkpoint.RECORD]["temperatures"] = {1: 1.5, 2: 1.4}
    path = tmp_path / "network.safetensors"
    checkpoint.save_plain(whole, path)
    plain = checkpoint.load(path)
    assert torch.equal(plain.pop("state_dict")["weight"], torch.arange(3.0))
    assert plain == {
        "hyper_parameters": whole["hyper_parameters"],
        "datamodule_hyper_parameters": {"num_frames": 6},
        checkpoint.RECORD: {
            **whole[checkpoint.RECORD],
            "settings": {"seed_everything": 3, "trainer": {"max_epochs": 4}},
        },
    }
    record = checkpoint.read(path)
    assert record.model["class_path"] == "emorec.models.CNNLSTM"
    assert record.temperatures == {1: 1.5, 2: 1.4}
    assert "ann" not in path.with_suffix(".json").read_text()


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("network.json", None, "no such file: .*network.json"),
        ("network.safetensors", None, "no such checkpoint: .*network.safetensors"),
        ("network.json", b"{", "network.json is truncated, or was not written by emorec export"),
        ("network.json", b"[1]", "network.json is truncated"),
        ("network.safetensors", b"12345678", "network.safetensors or .* is truncated"),
        ("network.safetensors", OTHER_TENSORS, "network.safetensors is damaged, or not the one"),
    ],
)
def test_a_damaged_plain_form_is_refused(
    tmp_path: Path, name: str, damage: bytes | None, message: str
) -> None:
    path = tmp_path / "network.safetensors"
    checkpoint.save_plain(content(), path)
    if damage is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(damage)
    with pytest.raises(UserError, match=message):
        checkpoint.read(path)
