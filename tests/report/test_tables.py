"""Tables of scores in the terminal, in Markdown, in LaTeX and in CSV."""

import csv
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from emorec.report.comparison import Comparison, compare_runs
from emorec.report.runs import find_runs
from emorec.report.tables import describe, latex, markdown, print_comparison, spreadsheet
from emorec.text import percent
from tests.report.conftest import RESAMPLES
from tests.report.made_runs import write_run

ALL = ("singles", "crossed", "leaking")


@pytest.fixture(params=ALL)
def comparison(request: pytest.FixtureRequest) -> Comparison:
    fixture_value: Comparison = request.getfixturevalue(request.param)
    return fixture_value


def printed(comparison: Comparison, width: int, *, terminal: bool = True) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, highlight=False)
    print_comparison(describe(comparison), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def compared(folder: Path) -> Comparison:
    return compare_runs(find_runs([folder])[0], resamples=RESAMPLES)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def test_every_row_of_the_latex_table_has_as_many_columns(comparison: Comparison) -> None:
    text = latex(describe(comparison))
    [columns] = re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)
    inside = text.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    rows = [line for line in inside.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + len(describe(comparison).rows)
    for row in rows:
        assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1


def test_special_characters_are_escaped_in_latex(tmp_path: Path) -> None:
    name = r"50% of {a_b} & $x^2$ ~ \cup #1"
    trial = {"study": "s", "model": name, "fold": None, "seed": 0}
    write_run(tmp_path / "run", trial=trial)
    text = latex(describe(compared(tmp_path)))
    [row] = [line for line in text.splitlines() if line.startswith("50")]
    cell = row.partition(" & ")[0]
    expected = (
        r"50\% of \{a\_b\} \& \$x\textasciicircum{}2\$ \textasciitilde{} \textbackslash{}cup \#1"
    )
    assert row.startswith(expected), cell
    assert text.isascii()
    opened = re.findall(r"(?<!\\)[{}]", text)
    assert opened.count("{") == opened.count("}")


def test_every_row_of_the_markdown_table_has_as_many_columns(comparison: Comparison) -> None:
    rows = [line for line in markdown(describe(comparison)).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(describe(comparison).rows)
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_scores_have_one_decimal_and_their_interval_in_parentheses(comparison: Comparison) -> None:
    row = describe(comparison).rows[0]
    assert re.fullmatch(r"\d+\.\d \(\d+\.\d to \d+\.\d\)", row.cell("uar"))
    assert row.cell("uar") in markdown(describe(comparison))
    assert row.cell("uar") in latex(describe(comparison))


def test_the_csv_has_all_digits_and_both_intervals(comparison: Comparison) -> None:
    lines = list(csv.DictReader(io.StringIO(spreadsheet(comparison))))
    assert len(lines) == len(describe(comparison).rows)
    for line, result in zip(lines, comparison.results, strict=False):
        assert (line["name"], line["kind"]) == (result.name, "model")
        for name, estimate in result.scores.items():
            assert float(line[name]) == estimate.value
            for by, bounds in (("actors", estimate), ("clips", result.clip_scores[name])):
                assert bounds.interval is not None
                assert float(line[f"{name}_{by}_low"]) == bounds.interval.low
                assert float(line[f"{name}_{by}_high"]) == bounds.interval.high
        assert float(line["gflops_per_clip"]) == result.cost["gflops_per_clip"]
        assert line["leak"] == "; ".join(result.leaks)
    people = next(line for line in lines if line["name"] == "people, video without sound")
    assert (people["kind"], people["accuracy"], people["uar"]) == ("people", "0.75", "")
    assert "Livingstone & Russo 2018" in people["source"]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 200])
def test_the_terminal_shows_every_model_and_interval_in_full(
    comparison: Comparison, width: int
) -> None:
    text = plain(printed(comparison, width))
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for result in comparison.results:
        interval = result.scores["uar"].interval
        assert interval is not None
        assert f"{percent(interval.low)} to {percent(interval.high)}" in text


def test_a_wide_terminal_shows_cost_and_a_narrow_one_refers_to_the_files(
    crossed: Comparison,
) -> None:
    wide, narrow = plain(printed(crossed, 200)), plain(printed(crossed, 80))
    assert "12.0 M" in wide
    assert "s.d." in wide
    assert "12.0 M" not in narrow
    assert "More columns are in the report" in " ".join(narrow.split())


def test_the_calibrated_ece_is_in_every_table(tmp_path: Path) -> None:
    write_run(tmp_path / "plain", network="LateFusion", skill=3.0)
    write_run(tmp_path / "calibrated", temperature=3.0)
    comparison = compared(tmp_path)
    assert next(row.cell("ece_calibrated") for row in describe(comparison).rows) == "-"
    for text in (
        printed(comparison, 200),
        markdown(describe(comparison)),
        latex(describe(comparison)),
    ):
        assert "ECE, calibrated" in " ".join(plain(text).split())
    first, second, *_ = csv.DictReader(io.StringIO(spreadsheet(comparison)))
    assert (first["name"], first["ece_calibrated"]) == ("LateFusion", "")
    assert 0 < float(second["ece_calibrated"]) < 1


def test_references_and_the_majority_class_are_in_the_table(
    singles: Comparison,
) -> None:
    rows = {row.name: row.cell("accuracy") for row in describe(singles).rows if row.kind != "model"}
    assert rows == {
        "people, video with sound": "80.0",
        "people, video without sound": "75.0",
        "first study: CNN-LSTM": "62.1",
        "first study: 3D CNN (r3d_18)": "60.4",
        "first study: late fusion (ResNet-18)": "52.9",
        "first study: early fusion (ResNet-18)": "42.5",
        "first study: early fusion (plain CNN)": "28.3",
        "majority class of these clips": "13.3",
    }


def test_a_leak_is_red_in_the_terminal_and_marked_in_every_table(leaking: Comparison) -> None:
    text = printed(leaking, 100)
    reds = [line for line in text.splitlines() if re.search(r"\x1b\[(1;)?31m", line)]
    assert "LEAK in CNN3D" in plain(reds[0])
    assert any(plain(line).startswith("CNN3D") for line in reds)
    assert not any(plain(line).startswith("LateFusion  ") for line in reds)
    assert "LEAK, see above" in plain(text)
    leak = "actor 23 is in the training and the test set"
    assert re.search(rf"\| \*\*CNN3D\*\* \*\*LEAK: .*{leak}", markdown(describe(leaking)))
    assert re.search(rf"^CNN3D \\textbf\{{\(leak: .*{leak}", latex(describe(leaking)), re.MULTILINE)


def test_only_leaks_are_red(singles: Comparison) -> None:
    assert not re.search(r"\x1b\[(1;)?31m", printed(singles, 100))


def test_output_to_a_file_is_not_wrapped_or_coloured(singles: Comparison) -> None:
    text = printed(singles, 80, terminal=False)
    assert "\x1b" not in text
    for sentence in describe(singles).pairs:
        assert f"{sentence}." in text.splitlines()
