"""A run that was killed goes on and ends exactly as an undisturbed one."""

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
from tests.program import SMALL, started, wait_for

pytestmark = pytest.mark.slow

COMPARED = ("epoch", "global_step", "state_dict", "optimizer_states", "lr_schedulers", "loops")
"""Sections of a checkpoint in which a resumed run and an undisturbed one are alike to the last bit."""


@dataclass(frozen=True)
class Run:
    """What a run left in its working folder, and what it said."""

    folder: Path
    output: str = ""

    @property
    def last(self) -> Path | None:
        return next(self.folder.glob("lightning_logs/*/*/checkpoints/last.ckpt"), None)

    def saved(self, name: str = "last.ckpt") -> dict[str, Any]:
        (checkpoints,) = self.folder.glob("lightning_logs/*/*/checkpoints")  # of one run, no second
        return checkpoint.load(checkpoints / name)


def fit(folder: Path, *words: str) -> Run:
    """A run in this process, which saves the seconds that another one takes to start."""
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.chdir(folder):
        main(["fit", *words])
    return Run(folder, said.getvalue())


def resume(folder: Path, *words: str) -> Run:
    last = Run(folder).last
    assert last is not None
    return fit(folder, "--ckpt", str(last.relative_to(folder)), *words)


def in_the_middle_of_an_epoch(run: Run) -> bool:
    time.sleep(0.2 if run.last else 0)
    return bool(run.last)


def while_a_checkpoint_is_written(run: Run) -> bool:
    return bool(run.last) and bool(list(run.last.parent.glob(".*.unfinished")))


def best_score(content: dict[str, Any]) -> float:
    (state,) = (state for name, state in content["callbacks"].items() if "BestAndLast" in name)
    return float(state["best_model_score"])


def alike(one: Any, other: Any) -> bool:
    """Whether two contents of checkpoints are the same to the last bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


RECIPES: dict[str, tuple[Callable[[Run], bool], tuple[str, ...]]] = {
    "plateau": (
        in_the_middle_of_an_epoch,
        (
            *("--model.scheduler", "plateau", "--model.plateau_patience", "0"),
            *("--model.warmup_epochs", "1.5", "--model.optimizer", "adam", "--model.lr", "1e-3"),
            *("--data.num_workers", "2", "--data.augment", "true", "--data.balance", "sampler"),
        ),
    ),
    "cosine": (
        while_a_checkpoint_is_written,
        (
            *("--model", "emorec.models.CNNLSTM", "--model.backbone", "mobilenet_v2"),
            *("--model.weights", "none", "--model.hidden_size", "8", "--model.num_layers", "2"),
            *("--model.dropout", "0.3", "--model.scheduler", "cosine", "--model.lr", "1e-3"),
            *("--data.augment", "per_frame", "--data.balance", "weights"),
        ),
    ),
}
"""When a run is killed, and what it does: dropout, a schedule, augmentation, balance, with and without workers."""


@pytest.fixture(scope="module", params=RECIPES)
def runs(
    request: pytest.FixtureRequest, drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Run, int]:
    """An undisturbed run, the same one killed and resumed, and the epochs that were finished when it was killed."""
    moment, recipe = RECIPES[request.param]
    words = (*SMALL, "--data.root", str(drawn_clips), *recipe)
    folder = tmp_path_factory.mktemp("killed")
    with started("fit", *words, cwd=folder) as process:
        wait_for(lambda: moment(Run(folder)), process)
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    epochs = Run(folder).saved()["emorec"]["epochs"]
    return fit(tmp_path_factory.mktemp("undisturbed"), *words), resume(folder), epochs


def test_a_killed_run_ends_as_an_undisturbed_one_to_the_last_bit(
    runs: tuple[Run, Run, int],
) -> None:
    undisturbed, resumed, _ = runs
    one, other = undisturbed.saved(), resumed.saved()
    assert [section for section in COMPARED if not alike(one[section], other[section])] == []
    assert one["optimizer_states"][0]["state"]


def test_it_has_the_same_best_epoch(runs: tuple[Run, Run, int]) -> None:
    undisturbed, resumed, _ = runs
    assert best_score(undisturbed.saved()) == best_score(resumed.saved())
    one, other = undisturbed.saved("best.ckpt"), resumed.saved("best.ckpt")
    assert one["emorec"]["epochs"] == other["emorec"]["epochs"]
    assert alike(one["state_dict"], other["state_dict"])


def test_it_goes_on_after_the_last_finished_epoch_in_the_same_folder(
    runs: tuple[Run, Run, int],
) -> None:
    _, resumed, epochs = runs
    trained = [line.split()[1] for line in resumed.output.splitlines() if line.startswith("Epoch")]
    assert trained == [f"{epoch}/4" for epoch in range(epochs + 1, 5)]
    (run,) = resumed.folder.glob("lightning_logs/*/*")
    assert len(list(run.glob("events.out.tfevents.*"))) == 2


@pytest.fixture(scope="module")
def ended(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose validation clips stay as they are, so that it ends after two of four epochs."""
    never_better = ("--model.lr", "1e-12", "--early_stopping.patience", "1")
    folder = tmp_path_factory.mktemp("ended")
    return fit(folder, *SMALL, "--data.root", str(drawn_clips), *never_better)


def test_every_epoch_is_the_last_one_for_a_while_also_when_it_is_not_better(ended: Run) -> None:
    assert ended.saved("last.ckpt")["emorec"]["epochs"] == 2
    assert ended.saved("best.ckpt")["emorec"]["epochs"] == 1


def test_a_run_that_has_ended_is_left_as_it_is_and_says_so(ended: Run) -> None:
    assert ended.last is not None
    before = ended.last.read_bytes()
    again = resume(ended.folder)
    assert "nothing to do: this run ended after 2 epochs" in again.output
    assert "Epoch 3" not in again.output
    assert ended.last.read_bytes() == before


def test_a_run_that_was_moved_remembers_its_best_epoch(ended: Run, tmp_path: Path) -> None:
    shutil.copytree(ended.folder, tmp_path, dirs_exist_ok=True)
    moved = resume(tmp_path, "--early_stopping.patience", "2")
    assert "finished after 3 epochs" in moved.output
    assert moved.saved("best.ckpt")["emorec"]["epochs"] == 1
    assert best_score(moved.saved()) == best_score(ended.saved())


@pytest.mark.parametrize(
    ("words", "complaint"),
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
def test_a_run_can_t_go_on_as_another_one(
    ended: Run, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], complaint: str
) -> None:
    assert ended.last is not None
    before = ended.last.read_bytes()
    with pytest.raises(SystemExit) as refused:
        resume(ended.folder, *words)
    assert refused.value.code == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    assert ended.last.read_bytes() == before
