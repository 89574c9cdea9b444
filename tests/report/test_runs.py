"""Runs are discovered below folders, and malformed ones are refused in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from emorec.errors import UserError
from emorec.report.runs import find_leaks, find_runs, sort_actors
from tests.report.made_runs import write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "logs" / "CNNLSTM" / "version_0")


def test_a_run_is_found_by_its_folder_its_test_folder_or_any_folder_above(run: Path) -> None:
    for folder in (run, run / "test", run.parent, run.parents[1]):
        [loaded], _ = find_runs([folder])
        assert loaded.folder.resolve() == run.resolve()
        assert loaded.metrics["model"] == "emorec.models.CNNLSTM"
        assert loaded.seed == 0


def test_a_repeated_run_counts_once(run: Path) -> None:
    assert len(find_runs([run, run.parent, str(run)])[0]) == 1


def test_untested_runs_of_a_study_are_skipped_and_listed(run: Path) -> None:
    failed = run.with_name("version_1")
    failed.mkdir()
    (failed / "trial.json").write_text("{}")
    tested, untested = find_runs([run.parent])
    assert [each.folder for each in tested] == [run]
    assert untested == [failed]


def test_an_untested_run_is_refused(run: Path) -> None:
    shutil.rmtree(run / "test")
    with pytest.raises(UserError, match=r"was not tested: emorec test --ckpt .*best\.ckpt$"):
        find_runs([run])
    with pytest.raises(UserError, match="none of the 1 runs in"):
        find_runs([run.parent])


def test_folders_without_a_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^no such folder: "):
        find_runs([tmp_path / "other"])
    with pytest.raises(UserError, match=r"^no run in "):
        find_runs([tmp_path])
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is not a folder"):
        find_runs([tmp_path / "file"])


def rewritten(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        path = run / "test" / "metrics.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damage


def first_line_of(run: Path, old: str, new: str) -> None:
    path = run / "test" / "predictions.csv"
    header, rows = path.read_text().split("\n", 1)
    path.write_text(header + "\n" + rows.replace(old, new, 1))


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "no csv": (lambda run: (run / "test" / "predictions.csv").unlink(), "lacks test/predictions"),
    "no json": (lambda run: (run / "test" / "metrics.json").unlink(), "lacks test/metrics.json"),
    "broken json": (
        lambda run: (run / "test" / "metrics.json").write_text('{"uar": '),
        r"metrics.json is broken \(Expecting value: line 1",
    ),
    "json of bytes": (
        lambda run: (run / "test" / "metrics.json").write_bytes(b"\xff\x00"),
        r"metrics.json is broken \(",
    ),
    "json of a list": (
        lambda run: (run / "test" / "metrics.json").write_text("[]"),
        "is not a JSON object",
    ),
    "json without split": (
        rewritten(lambda content: content.pop("split")),
        "lacks split: test the",
    ),
    "json without hash": (
        rewritten(lambda content: content["split"].pop("hash")),  # type: ignore[attr-defined]
        "lacks split",
    ),
    "another test": (
        rewritten(lambda content: content.update(accuracy=0.01)),
        "from different tests",
    ),
    "fewer clips": (rewritten(lambda content: content.update(num_clips=3)), "is about 3 clips"),
    "csv of something else": (
        lambda run: (run / "test" / "predictions.csv").write_text("a,b\n1,2\n"),
        "is not a predictions file",
    ),
    "csv that was cut off": (
        lambda run: (run / "test" / "predictions.csv").write_text(
            (run / "test" / "predictions.csv").read_text()[:-40]
        ),
        "clip 120",
    ),
    "csv without a truth": (
        lambda run: first_line_of(run, "neutral", ""),
        "1 clips have no label",
    ),
    "broken config": (
        lambda run: (run / "config.yaml").write_text("a: [1"),
        r"config\.yaml line 1 is not valid YAML",
    ),
    "config of a list": (
        lambda run: (run / "config.yaml").write_text("[1]"),
        "not the configuration",
    ),
    "broken trial": (lambda run: (run / "trial.json").write_text("{"), "trial.json is broken"),
    "trial of nothing": (lambda run: (run / "trial.json").write_text("{}"), "lacks study"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_malformed_run_is_a_one_line_error(run: Path, kind: str) -> None:
    damage, message = DAMAGE[kind]
    damage(run)
    with pytest.raises(UserError, match=message) as error:
        find_runs([run])
    assert "\n" not in str(error.value)
    assert str(run) in str(error.value)


@pytest.mark.parametrize(
    ("sides", "leaks"),
    [
        ({}, ()),
        ({"val": [23, 24]}, ("actors 23-24 are in the validation and the test set",)),
        ({"train": [1, 2], "val": [2, 3]}, ("actor 2 is in the training and the validation set",)),
        # actors of the predictions count, not the list of test actors
        ({"train": [24], "test": [5]}, ("actor 24 is in the training and the test set",)),
    ],
)
def test_actors_in_two_sets_are_a_leak(
    tmp_path: Path, sides: dict[str, list[int]], leaks: tuple[str, ...]
) -> None:
    [run], _ = find_runs([write_run(tmp_path / "run", sides=sides)])
    assert run.leaks == leaks
    assert find_leaks(run.split, ["23", "24"]) == leaks


def test_actors_are_sorted_numerically_before_names() -> None:
    assert sort_actors({"10", "Bo", "9", "Ann"}) == [9, 10, "Ann", "Bo"]
