"""Progress is read from the validation logs of runs, and shown as a table or as lines."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from emorec.study.progress import Epoch, ProgressTable, Row, read_epochs, runs_table


def line(epoch: int, value: float, best: float, metric: str = "val/uar") -> str:
    return json.dumps(
        {"epoch": epoch, "value": value, "best": best, "max_epochs": 8, "metric": metric}
    )


def test_the_last_entry_of_an_epoch_counts_and_an_incomplete_line_does_not(
    tmp_path: Path,
) -> None:
    assert read_epochs(tmp_path) == []
    lines = [line(1, 0.2, 0.2), line(2, 0.5, 0.5), line(2, 0.4, 0.4), line(3, 0.3, 0.4)[:20]]
    (tmp_path / "validation.jsonl").write_text("\n".join(lines))
    assert read_epochs(tmp_path) == [Epoch(1, 8, "UAR", 0.2, 0.2), Epoch(2, 8, "UAR", 0.4, 0.4)]


def test_without_a_terminal_each_change_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressTable("mine") as table:
        table.show({"a": Row(title="A", state="running"), "b": Row(title="B", state="waiting")})
        table.show(
            {
                "a": Row(title="A", state="done", score=0.25, metric="CCC"),
                "b": Row(title="B", state="failed", note="out of luck"),
            }
        )
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["study mine: 0 of 2 done, 1 running, 1 waiting", "running: A"]
    assert lines[2].startswith("done: A, validation CCC 0.250")
    assert lines[3].startswith("failed: B: out of luck")


def test_a_small_terminal_shows_running_and_failed_runs() -> None:
    rows = [Row(title=f"w{number}", state="waiting") for number in range(9)]
    rows[4] = Row(title="[red]", state="running")
    rows[7] = Row(title="failed one", state="failed")
    text = io.StringIO()
    Console(file=text, width=200).print(runs_table("mine", rows, 3))
    output = text.getvalue()
    assert all(title in output for title in ("w0", "[red]", "failed one", "6 more"))
    assert "w1" not in output
