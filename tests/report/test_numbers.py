"""Comparison of regressors: numpy's CCC in every table; never mixed with classifiers."""

import contextlib
import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from emorec.cli.commands.compare import compare
from emorec.errors import UserError
from emorec.report.comparison import compare_runs
from emorec.report.runs import find_runs
from emorec.report.sentences import summarize_comparison
from tests.report.made_number_runs import FILMS, FRAMES, write_number_run
from tests.report.made_runs import write_run
from tests.report.test_page import Page


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("numbers")
    for seed in (0, 1):
        write_number_run(root / "near" / f"version_{seed}", network="Near", noise=0.3, seed=seed)
    write_number_run(root / "far" / "version_0", network="Far", noise=1.2)
    return root


@pytest.fixture(scope="module")
def report(runs: Path) -> tuple[str, Path]:
    """The printed output and the folder of the report."""
    out, stdout = runs / "report", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(stdout):
        patch.setenv("COLUMNS", "200")
        compare(str(runs), out=str(out), resamples=200)
    return stdout.getvalue(), out


def numpy_cccs(run: Path) -> list[float]:
    rows = list(csv.DictReader((run / "test" / "predictions.csv").read_text().splitlines()))
    cccs = []
    for name in ("valence", "arousal"):
        true, predicted = (
            np.array([float(row[f"{of}{name}"]) for row in rows]) for of in ("", "predicted ")
        )
        apart = (true.mean() - predicted.mean()) ** 2
        cccs.append(
            2 * np.cov(true, predicted, bias=True)[0, 1] / (true.var() + predicted.var() + apart)
        )
    return cccs


def test_scores_equal_numpy_s_averaged_over_seeds(runs: Path, report: tuple[str, Path]) -> None:
    lines = {
        row["name"]: row
        for row in csv.DictReader((report[1] / "table.csv").read_text().splitlines())
    }
    near = np.mean([numpy_cccs(runs / "near" / f"version_{seed}") for seed in (0, 1)], axis=0)
    assert float(lines["Near"]["ccc"]) == pytest.approx(near.mean(), abs=1e-5)
    assert float(lines["Near"]["ccc_valence"]) == pytest.approx(near[0], abs=1e-5)
    assert (
        float(lines["Near"]["ccc_actors_low"])
        < near.mean()
        < float(lines["Near"]["ccc_actors_high"])
    )
    assert lines["Near"]["num_actors"] == str(len(FILMS))
    assert lines["Near"]["num_clips"] == str((len(FILMS) + 1) * FRAMES)
    assert float(lines["the mean of these clips, always"]["ccc"]) == 0


def test_every_table_has_the_ccc(report: tuple[str, Path]) -> None:
    output, out = report
    assert "Near has the highest CCC, 0." in output
    assert "Near is better than Far: +0." in output
    assert "per cent" not in output
    assert "UAR" not in output
    for name in ("table.md", "table.tex"):
        text = (out / name).read_text()
        for word in ("CCC valence", "RMSE", "sign agreement"):
            assert word in text
        assert "UAR" not in text


def test_the_page_has_videos_and_planes_and_nothing_about_classes(report: tuple[str, Path]) -> None:
    text = (report[1] / "report.html").read_text()
    page = Page(text)
    assert {row[0].strip() for row in page.rows} >= {"video1_left", "video1_right", "arousal"}
    for word in ("McNemar", "UAR", "recall", "confusion", "per cent"):
        assert word not in page.text
    figures = {path.name for path in (report[1] / "figures").glob("*.png")}
    assert figures == {
        "ccc_intervals.png",
        "ccc_against_cost.png",
        "ccc_by_video.png",
        *(f"{model}_{what}.png" for model in ("Near", "Far") for what in ("plane", "scatter")),
    }


def test_frames_of_the_same_name_in_two_videos_are_different_clips(runs: Path) -> None:
    comparison = compare_runs(find_runs([runs / "far"])[0], resamples=100)
    assert len(comparison.clips) == (len(FILMS) + 1) * FRAMES
    assert comparison.results[0].clip_scores == {}
    assert "Its CCC is" in " ".join(summarize_comparison(comparison))


def test_comparing_classifiers_with_regressors_is_refused_in_one_line(
    runs: Path, tmp_path: Path
) -> None:
    write_run(tmp_path / "named")
    tested, _ = find_runs([runs, tmp_path / "named"])
    with pytest.raises(UserError) as error:
        compare_runs(tested, resamples=100)
    message = str(error.value)
    assert f"{tmp_path / 'named'} predict classes, " in message
    assert "version_1 numbers: compare them separately" in message
    assert "\n" not in message


def test_different_targets_are_refused(runs: Path, tmp_path: Path) -> None:
    write_number_run(tmp_path / "run")
    for name in ("predictions.csv", "metrics.json"):
        path = tmp_path / "run" / "test" / name
        path.write_text(path.read_text().replace("arousal", "dominance"))
    with pytest.raises(UserError, match=r"dominance and .*: runs of different numbers"):
        compare_runs(find_runs([runs, tmp_path])[0], resamples=100)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"ccc": 0.01}, "has CCC 0.010, but predictions.csv gives"),
        ({"num_clips": 3}, "is about 3 clips and 2 numbers"),
        ({"ccc": None}, "lacks ccc: test the run again"),
    ],
)
def test_an_inconsistent_run_is_a_one_line_error(
    tmp_path: Path, damage: dict[str, object], message: str
) -> None:
    run = write_number_run(tmp_path / "run")
    metrics = run / "test" / "metrics.json"
    metrics.write_text(json.dumps(json.loads(metrics.read_text()) | damage))
    with pytest.raises(UserError, match=message):
        find_runs([run])


def test_missing_labels_and_nan_predictions_are_one_line_errors(tmp_path: Path) -> None:
    run = write_number_run(tmp_path / "run")
    path = run / "test" / "predictions.csv"
    original = path.read_text()
    header, first, *lines = original.splitlines()
    fields = first.split(",")
    for column, value, message in (
        (2, "", "1 clips have no label, the first is video1_left/00000.jpg"),
        (4, "nan", "predictions that are not finite: the training diverged"),
    ):
        corrupt = [*fields[:column], value, *fields[column + 1 :]]
        path.write_text("\n".join([header, ",".join(corrupt), *lines]) + "\n")
        with pytest.raises(UserError, match=message):
            find_runs([run])
