"""Test clips are held out: only `emorec test` opens, decodes and evaluates them."""

import contextlib
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from emorec import checkpoint
from emorec.cli import main
from emorec.data.sets.ravdess.parser import RavdessName
from tests.program import SMALL
from tests.watched import record_opened

pytestmark = pytest.mark.slow

SUBSET_OF = {**dict.fromkeys(range(1, 21), "train"), 21: "val", 22: "val", 23: "test", 24: "test"}

RECIPE = (
    *("--data.num_workers", "2", "--data.augment", "true", "--trainer.max_epochs", "2"),
    *("--model.lr", "1e-3", "--model.scheduler", "plateau", "--model.plateau_patience", "0"),
)
"""Settings that depend on validation metrics, and worker processes."""

TIMINGS = {"train/clips_per_second"}
"""Metrics that differ between two identical runs."""


@dataclass(frozen=True)
class Fit:
    """A finished run: its folder, and the clips of each subset that any process opened."""

    folder: Path
    opened: dict[str, set[str]]

    @property
    def run(self) -> Path:
        (run,) = self.folder.glob("lightning_logs/*/*")
        return run

    def saved(self, name: str) -> dict[str, Any]:
        return checkpoint.load(self.run / "checkpoints" / name)

    @property
    def events(self) -> EventAccumulator:
        return EventAccumulator(str(self.run)).Reload()

    @property
    def scalars(self) -> dict[str, list[tuple[int, float]]]:
        events = self.events
        return {
            tag: [(event.step, event.value) for event in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
        }


def subset_of(path: Path) -> str:
    return SUBSET_OF[RavdessName.parse(path.stem).actor]


def fit(clips: Path, folder: Path, *arguments: str) -> Fit:
    """Train with an empty cache."""
    folder.mkdir()
    files = sorted(clips.rglob("*.mp4"))
    cache = ("--data.cache", str(folder / "cache"))
    with contextlib.chdir(folder), record_opened(files) as opened:
        main(["fit", *SMALL, "--data.root", str(clips), *RECIPE, *cache, *arguments])
    sides: dict[str, set[str]] = {"train": set(), "val": set(), "test": set()}
    for path in opened:
        sides[subset_of(path)].add(path.name)
    return Fit(folder, sides)


@pytest.fixture(scope="module")
def clips_of_own_sizes(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clips, no two of one size: files of equal size are compared before a training."""
    folder = Path(shutil.copytree(drawn_clips, tmp_path_factory.mktemp("sizes") / "clips"))
    sizes: set[int] = set()
    for path in sorted(folder.rglob("*.mp4")):
        content, padding = path.read_bytes(), 0
        while len(content) + 8 + padding in sizes:
            padding += 1
        path.write_bytes(content + struct.pack(">I", 8 + padding) + b"free" + bytes(padding))
        sizes.add(path.stat().st_size)
    return folder


@pytest.fixture(scope="module")
def with_all(clips_of_own_sizes: Path, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    return fit(clips_of_own_sizes, tmp_path_factory.mktemp("runs") / "with_all")


@pytest.fixture(scope="module")
def without_test(clips_of_own_sizes: Path, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    """A run on a folder without the files of the test actors."""
    folder = tmp_path_factory.mktemp("without")
    ignored = shutil.ignore_patterns("*-23.mp4", "*-24.mp4", "Actor_23", "Actor_24")
    clips = Path(shutil.copytree(clips_of_own_sizes, folder / "clips", ignore=ignored))
    return fit(clips, folder / "run")


def test_training_opens_no_test_clip(with_all: Fit, clips_of_own_sizes: Path) -> None:
    names: dict[str, set[str]] = {"train": set(), "val": set(), "test": set()}
    for path in clips_of_own_sizes.rglob("*.mp4"):
        names[subset_of(path)].add(path.name)
    assert {subset: len(files) for subset, files in names.items()} == {
        "train": 160,
        "val": 15,
        "test": 15,
    }
    # every other clip was recorded, so an opened test clip would have been recorded too
    assert with_all.opened == {**names, "test": set()}


def test_training_without_a_cache_opens_no_test_clip(
    clips_of_own_sizes: Path, tmp_path: Path
) -> None:
    arguments = ("--data.cache", "none", "--trainer.max_epochs", "1")
    opened = fit(clips_of_own_sizes, tmp_path / "run", *arguments).opened
    assert opened["test"] == set()
    assert len(opened["val"]) == 15


def test_testing_opens_the_test_clips_only(with_all: Fit, clips_of_own_sizes: Path) -> None:
    best = with_all.run / "checkpoints" / "best.ckpt"
    with record_opened(sorted(clips_of_own_sizes.rglob("*.mp4"))) as opened:
        main(["test", "--ckpt", str(best), "--trainer.accelerator", "cpu"])
    assert {subset_of(path) for path in opened} == {"test"}
    assert len(opened) == 15
    shutil.rmtree(with_all.run / "test")


def test_training_logs_no_test_metric(with_all: Fit) -> None:
    tags = [
        tag for tags in with_all.events.Tags().values() if isinstance(tags, list) for tag in tags
    ]
    stages = {tag.partition("/")[0] for tag in tags}
    assert {"train", "val", "best"} <= stages
    assert not any("test" in stage for stage in stages)
    assert not list(with_all.folder.rglob("predictions.csv"))
    assert not list(with_all.folder.rglob("metrics.json"))


@pytest.mark.parametrize("name", ["best.ckpt", "last.ckpt"])
def test_training_without_the_test_files_gives_the_same_weights(
    with_all: Fit, without_test: Fit, name: str
) -> None:
    assert without_test.opened["test"] == set()
    full, reduced = with_all.saved(name), without_test.saved(name)
    assert full["state_dict"].keys() == reduced["state_dict"].keys()
    for weights in full["state_dict"]:
        assert torch.equal(full["state_dict"][weights], reduced["state_dict"][weights])
    for key in ("epochs", "temperatures"):
        assert full["emorec"][key] == reduced["emorec"][key]
    assert [subset["emorec"]["split"]["num_clips"]["test"] for subset in (full, reduced)] == [15, 0]


def test_training_without_the_test_files_logs_the_same_metrics(
    with_all: Fit, without_test: Fit
) -> None:
    full, reduced = with_all.scalars, without_test.scalars
    assert full.keys() == reduced.keys() > TIMINGS
    for tag in full.keys() - TIMINGS:
        assert full[tag] == reduced[tag], tag
