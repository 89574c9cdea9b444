"""Until `emorec test` is called nothing is known of the test clips: no run opens, decodes or measures them."""

import contextlib
import shutil
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
from tests.watched import watched

pytestmark = pytest.mark.slow

SIDE_OF = {**dict.fromkeys(range(1, 21), "train"), 21: "val", 22: "val", 23: "test", 24: "test"}

RECIPE = (
    *("--data.num_workers", "2", "--data.augment", "true", "--trainer.max_epochs", "2"),
    *("--model.lr", "1e-3", "--model.scheduler", "plateau", "--model.plateau_patience", "0"),
)
"""All that looks at validation figures, and loader processes."""

OF_TIME = {"train/clips_per_second"}
"""What differs between two equal runs."""


@dataclass(frozen=True)
class Fit:
    """A whole training: its folder, and the clips of each side that some process opened meanwhile."""

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


def side(path: Path) -> str:
    return SIDE_OF[RavdessName.parse(path.stem).actor]


def fit(clips: Path, folder: Path, *words: str) -> Fit:
    """Trains with a cache of its own, which holds nothing yet."""
    folder.mkdir()
    files = sorted(clips.rglob("*.mp4"))
    cache = ("--data.cache", str(folder / "cache"))
    with contextlib.chdir(folder), watched(files) as opened:
        main(["fit", *SMALL, "--data.root", str(clips), *RECIPE, *cache, *words])
    sides: dict[str, set[str]] = {"train": set(), "val": set(), "test": set()}
    for path in opened:
        sides[side(path)].add(path.name)
    return Fit(folder, sides)


@pytest.fixture(scope="module")
def with_all(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    return fit(drawn_clips, tmp_path_factory.mktemp("runs") / "with_all")


@pytest.fixture(scope="module")
def without_test(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    """The same of a folder in which the test actors have no files."""
    folder = tmp_path_factory.mktemp("without")
    gone = shutil.ignore_patterns("*-23.mp4", "*-24.mp4", "Actor_23", "Actor_24")
    clips = Path(shutil.copytree(drawn_clips, folder / "clips", ignore=gone))
    return fit(clips, folder / "run")


def test_no_process_of_a_training_opens_a_test_clip(with_all: Fit, drawn_clips: Path) -> None:
    names: dict[str, set[str]] = {"train": set(), "val": set(), "test": set()}
    for path in drawn_clips.rglob("*.mp4"):
        names[side(path)].add(path.name)
    assert {each: len(files) for each, files in names.items()} == {
        "train": 160,
        "val": 15,
        "test": 15,
    }
    # every other clip was seen to be opened, so that a test clip would have been seen too
    assert with_all.opened == {**names, "test": set()}


def test_nothing_is_opened_either_where_every_clip_is_decoded_anew(
    drawn_clips: Path, tmp_path: Path
) -> None:
    words = ("--data.cache", "none", "--trainer.max_epochs", "1")
    opened = fit(drawn_clips, tmp_path / "run", *words).opened
    assert opened["test"] == set()
    assert len(opened["val"]) == 15


def test_emorec_test_opens_the_test_clips_and_no_others(with_all: Fit, drawn_clips: Path) -> None:
    best = with_all.run / "checkpoints" / "best.ckpt"
    with watched(sorted(drawn_clips.rglob("*.mp4"))) as opened:
        main(["test", "--ckpt", str(best), "--trainer.accelerator", "cpu"])
    assert {side(path) for path in opened} == {"test"}
    assert len(opened) == 15
    shutil.rmtree(with_all.run / "test")


def test_no_figure_of_a_run_is_one_of_the_test(with_all: Fit) -> None:
    tags = [
        tag for tags in with_all.events.Tags().values() if isinstance(tags, list) for tag in tags
    ]
    stages = {tag.partition("/")[0] for tag in tags}
    assert {"train", "val", "best"} <= stages
    assert not any("test" in stage for stage in stages)
    assert not list(with_all.folder.rglob("predictions.csv"))
    assert not list(with_all.folder.rglob("metrics.json"))


@pytest.mark.parametrize("name", ["best.ckpt", "last.ckpt"])
def test_without_the_files_of_the_test_actors_a_run_ends_with_the_same_weights(
    with_all: Fit, without_test: Fit, name: str
) -> None:
    assert without_test.opened["test"] == set()
    one, other = with_all.saved(name), without_test.saved(name)
    assert one["state_dict"].keys() == other["state_dict"].keys()
    for weights in one["state_dict"]:
        assert torch.equal(one["state_dict"][weights], other["state_dict"][weights])
    for said in ("epochs", "temperatures"):
        assert one["emorec"][said] == other["emorec"][said]
    assert [each["emorec"]["split"]["num_clips"]["test"] for each in (one, other)] == [15, 0]


def test_without_the_files_of_the_test_actors_a_run_logs_the_same_figures(
    with_all: Fit, without_test: Fit
) -> None:
    one, other = with_all.scalars, without_test.scalars
    assert one.keys() == other.keys() > OF_TIME
    for tag in one.keys() - OF_TIME:
        assert one[tag] == other[tag], tag
