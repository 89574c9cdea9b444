"""Networks that predict numbers: numpy's CCC in every table, and never beside classes."""

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
    """What was printed, and the folder of the report."""
    out, said = runs / "report", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setenv("COLUMNS", "200")
        compare(str(runs), out=str(out), resamples=200)
    return said.getvalue(), out


def numpy_cccs(run: Path) -> list[float]:
    rows = list(csv.DictReader((run / "test" / "predictions.csv").read_text().splitlines()))
    cccs = []
    for name in ("valence", "arousal"):
        true, said = (
            np.array([float(row[f"{of}{name}"]) for row in rows]) for of in ("", "predicted ")
        )
        apart = (true.mean() - said.mean()) ** 2
        cccs.append(2 * np.cov(true, said, bias=True)[0, 1] / (true.var() + said.var() + apart))
    return cccs


def test_figures_are_numpy_s_over_all_clips_and_means_over_seeds(
    runs: Path, report: tuple[str, Path]
) -> None:
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


def test_every_table_has_the_ccc_and_the_sentence(report: tuple[str, Path]) -> None:
    said, out = report
    assert "Near has the highest CCC, 0." in said
    assert "Near is better than Far: +0." in said
    assert "per cent" not in said
    assert "UAR" not in said
    for name in ("table.md", "table.tex"):
        text = (out / name).read_text()
        for word in ("CCC valence", "RMSE", "sign agreement"):
            assert word in text
        assert "UAR" not in text


def test_the_page_has_videos_planes_and_no_words_of_classes(report: tuple[str, Path]) -> None:
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


def test_frames_of_the_same_name_in_two_videos_are_two_clips(runs: Path) -> None:
    comparison = compare_runs(find_runs([runs / "far"])[0], resamples=100)
    assert len(comparison.clips) == (len(FILMS) + 1) * FRAMES
    assert comparison.results[0].clip_scores == {}
    assert "Its CCC is" in " ".join(summarize_comparison(comparison))


def test_runs_of_classes_and_of_numbers_are_refused_in_one_line(runs: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "named")
    tested, _ = find_runs([runs, tmp_path / "named"])
    with pytest.raises(UserError) as error:
        compare_runs(tested, resamples=100)
    message = str(error.value)
    assert f"{tmp_path / 'named'} predict classes, " in message
    assert "version_1 numbers: compare them separately" in message
    assert "\n" not in message


def test_other_numbers_are_refused(runs: Path, tmp_path: Path) -> None:
    write_number_run(tmp_path / "run")
    for name in ("predictions.csv", "metrics.json"):
        path = tmp_path / "run" / "test" / name
        path.write_text(path.read_text().replace("arousal", "dominance"))
    with pytest.raises(UserError, match=r"dominance and .*: runs of different numbers"):
        compare_runs(find_runs([runs, tmp_path])[0], resamples=100)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"ccc": 0.01}, "has CCC 0.010, but predictions.csv gives"),
        ({"num_clips": 3}, "is about 3 clips and 2 numbers"),
        ({"ccc": None}, "lacks ccc: test the run again"),
    ],
)
def test_a_run_at_odds_with_itself_is_one_line(
    tmp_path: Path, damage: dict[str, object], said: str
) -> None:
    run = write_number_run(tmp_path / "run")
    metrics = run / "test" / "metrics.json"
    metrics.write_text(json.dumps(json.loads(metrics.read_text()) | damage))
    with pytest.raises(UserError, match=said):
        find_runs([run])


def test_a_clip_of_unknown_truth_or_a_diverged_network_is_one_line(tmp_path: Path) -> None:
    run = write_number_run(tmp_path / "run")
    path = run / "test" / "predictions.csv"
    whole = path.read_text()
    header, first, *rest = whole.splitlines()
    fields = first.split(",")
    for place, value, said in (
        (2, "", "1 clips have no label, the first is video1_left/00000.jpg"),
        (4, "nan", "predictions that are not finite: the training diverged"),
    ):
        broken = [*fields[:place], value, *fields[place + 1 :]]
        path.write_text("\n".join([header, ",".join(broken), *rest]) + "\n")
        with pytest.raises(UserError, match=said):
            find_runs([run])
