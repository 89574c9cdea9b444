"""A killed run is resumed and ends exactly like an uninterrupted one."""

import contextlib
import io
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from emorec import checkpoint
from emorec.cli import main
from tests.program import SMALL, start_emorec, wait_for

pytestmark = pytest.mark.slow

COMPARED = ("epoch", "global_step", "state_dict", "optimizer_states", "lr_schedulers", "loops")
"""Sections of a checkpoint that are bitwise equal in a resumed and an uninterrupted run."""


@dataclass(frozen=True)
class Run:
    """The working folder of a run, and its output."""

    folder: Path
    output: str = ""

    @property
    def last(self) -> Path | None:
        return next(self.folder.glob("lightning_logs/*/*/checkpoints/last.ckpt"), None)

    def saved(self, name: str = "last.ckpt") -> dict[str, Any]:
        (checkpoints,) = self.folder.glob("lightning_logs/*/*/checkpoints")  # exactly one run
        return checkpoint.load(checkpoints / name)


def fit(folder: Path, *arguments: str) -> Run:
    """Run in this process, which saves the start of another one."""
    with contextlib.redirect_stdout(io.StringIO()) as stdout, contextlib.chdir(folder):
        main(["fit", *arguments])
    return Run(folder, stdout.getvalue())


def resume(folder: Path, *arguments: str) -> Run:
    last = Run(folder).last
    assert last is not None
    return fit(folder, "--ckpt", str(last.relative_to(folder)), *arguments)


def during_an_epoch(run: Run) -> bool:
    time.sleep(0.2 if run.last else 0)
    return bool(run.last)


def during_a_checkpoint(run: Run) -> bool:
    return bool(run.last) and bool(list(run.last.parent.glob(".*.unfinished")))


def best_score(content: dict[str, Any]) -> float:
    (state,) = (state for name, state in content["callbacks"].items() if "BestAndLast" in name)
    return float(state["best_model_score"])


def bitwise_equal(first: Any, second: Any) -> bool:
    """Return whether two contents of checkpoints are bitwise equal."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            bitwise_equal(first[key], second[key]) for key in first
        )
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(bitwise_equal, first, second))
    return bool(first == second)


RECIPES: dict[str, tuple[Callable[[Run], bool], tuple[str, ...]]] = {
    "plateau": (
        during_an_epoch,
        (
            *("--model.scheduler", "plateau", "--model.plateau_patience", "0"),
            *("--model.warmup_epochs", "1.5", "--model.optimizer", "adam", "--model.lr", "1e-3"),
            *("--data.num_workers", "2", "--data.augment", "true", "--data.balance", "sampler"),
        ),
    ),
    "cosine": (
        during_a_checkpoint,
        (
            *("--model", "emorec.models.CNNLSTM", "--model.backbone", "mobilenet_v2"),
            *("--model.weights", "none", "--model.hidden_size", "8", "--model.num_layers", "2"),
            *("--model.dropout", "0.3", "--model.scheduler", "cosine", "--model.lr", "1e-3"),
            *("--data.augment", "per_frame", "--data.balance", "weights"),
        ),
    ),
}
"""When a run is killed, and its settings: dropout, a schedule, augmentation, balance, with and without workers."""


@pytest.fixture(
    scope="module", params=[pytest.param("plateau", marks=pytest.mark.nightly), "cosine"]
)
def runs(
    request: pytest.FixtureRequest, drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Run, int]:
    """An uninterrupted run, the same run killed and resumed, and the number of epochs before the kill."""
    should_kill, recipe = RECIPES[request.param]
    arguments = (*SMALL, "--data.root", str(drawn_clips), *recipe)
    folder = tmp_path_factory.mktemp("killed")
    with start_emorec("fit", *arguments, cwd=folder) as process:
        wait_for(lambda: should_kill(Run(folder)), process)
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    epochs = Run(folder).saved()["emorec"]["epochs"]
    return fit(tmp_path_factory.mktemp("undisturbed"), *arguments), resume(folder), epochs


def test_a_killed_and_resumed_run_is_bitwise_equal_to_an_uninterrupted_one(
    runs: tuple[Run, Run, int],
) -> None:
    uninterrupted, resumed, _ = runs
    expected, resumed_content = uninterrupted.saved(), resumed.saved()
    assert [
        section
        for section in COMPARED
        if not bitwise_equal(expected[section], resumed_content[section])
    ] == []
    assert expected["optimizer_states"][0]["state"]


def test_a_resumed_run_has_the_same_best_epoch(runs: tuple[Run, Run, int]) -> None:
    uninterrupted, resumed, _ = runs
    assert best_score(uninterrupted.saved()) == best_score(resumed.saved())
    expected, resumed_content = uninterrupted.saved("best.ckpt"), resumed.saved("best.ckpt")
    assert expected["emorec"]["epochs"] == resumed_content["emorec"]["epochs"]
    assert bitwise_equal(expected["state_dict"], resumed_content["state_dict"])


def test_a_run_is_resumed_after_the_last_finished_epoch_in_the_same_folder(
    runs: tuple[Run, Run, int],
) -> None:
    _, resumed, epochs = runs
    trained = [line.split()[1] for line in resumed.output.splitlines() if line.startswith("Epoch")]
    assert trained == [f"{epoch}/4" for epoch in range(epochs + 1, 5)]
    (run,) = resumed.folder.glob("lightning_logs/*/*")
    assert len(list(run.glob("events.out.tfevents.*"))) == 2


@pytest.fixture(scope="module")
def finished_run(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose validation score never improves, so that it stops after two of four epochs."""
    no_improvement = ("--model.lr", "1e-12", "--early_stopping.patience", "1")
    folder = tmp_path_factory.mktemp("ended")
    return fit(folder, *SMALL, "--data.root", str(drawn_clips), *no_improvement)


def test_the_last_checkpoint_is_saved_without_an_improvement_too(finished_run: Run) -> None:
    assert finished_run.saved("last.ckpt")["emorec"]["epochs"] == 2
    assert finished_run.saved("best.ckpt")["emorec"]["epochs"] == 1


def test_resuming_a_finished_run_changes_nothing(finished_run: Run) -> None:
    assert finished_run.last is not None
    before = finished_run.last.read_bytes()
    resumed = resume(finished_run.folder)
    assert "nothing to do: this run ended after 2 epochs" in resumed.output
    assert "Epoch 3" not in resumed.output
    assert finished_run.last.read_bytes() == before


def test_a_moved_run_keeps_its_best_epoch(finished_run: Run, tmp_path: Path) -> None:
    shutil.copytree(finished_run.folder, tmp_path, dirs_exist_ok=True)
    moved = resume(tmp_path, "--early_stopping.patience", "2")
    assert "finished after 3 epochs" in moved.output
    assert moved.saved("best.ckpt")["emorec"]["epochs"] == 1
    assert best_score(moved.saved()) == best_score(finished_run.saved())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--data.split", "msaf6", "--data.fold", "1"),
            "split seed and can't be resumed with split msaf6 fold 1",
        ),
        (
            ("--trainer.max_epochs", "1"),
            "for 2 epochs already, more than --trainer.max_epochs 1",
        ),
    ],
)
def test_a_run_can_not_be_resumed_with_other_settings(
    finished_run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert finished_run.last is not None
    before = finished_run.last.read_bytes()
    with pytest.raises(SystemExit) as exit_info:
        resume(finished_run.folder, *arguments)
    assert exit_info.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert finished_run.last.read_bytes() == before
