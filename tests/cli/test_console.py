"""Text in terminals, files and pipes."""

import io

import pytest
from rich.table import Table
from rich.text import Text

from emorec.console import make_console, make_progress, print_line

LINE = "word " * 60


@pytest.mark.parametrize("forced", [False, True])
def test_lines_and_bars_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, forced: bool
) -> None:
    if forced:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
    print_line(Text(LINE, style="red"))
    with make_progress() as progress:
        progress.add_task("reading", total=2)
    output = capsys.readouterr()
    assert output.out.count("\n") == 1
    assert LINE in output.out
    assert ("\x1b[31m" in output.out) is forced
    assert output.err == ""


def test_a_row_of_a_table_stays_whole_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    table = Table("name", "summary")
    table.add_row("cnn_lstm", LINE[:200])
    make_console().print(table)
    assert LINE[:200].strip() in capsys.readouterr().out


def test_a_closed_pipe_does_not_end_the_process_with_an_error() -> None:
    class ClosedPipe(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):  # which `emorec.cli.main` takes for the end of the output
        make_console(file=ClosedPipe()).print("line")


def test_lines_in_a_terminal_are_wrapped_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(LINE, make_console(force_terminal=True, force_interactive=True, width=40))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["word"] * 8] * 7 + [["word"] * 4]
