"""Rich's console for text of users: results on standard output, progress on standard error."""

import os
import sys
from typing import Any

from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.text import Text
from typing_extensions import override

FILE_WIDTH = 250
"""Characters of a line in files and pipes, unless COLUMNS says otherwise: rows of tables stay whole for programs."""


class _Console(Console):
    """Rich's console, which leaves a closed pipe to `emorec.cli.main`; Rich would end the process with code 1."""

    @override
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def make_console(*, stderr: bool = False, **options: Any) -> Console:
    """Return a console that prints text as it is: brackets and colons in paths and names are not markup.

    FORCE_COLOR colours results that are piped; bars and spinners are shown in terminals alone all the same.

    Args:
        stderr: Write to standard error: progress and notes.
        options: Further ones of Rich's `Console`.
    """
    if not (sys.stderr if stderr else sys.stdout).isatty():
        options = {"force_interactive": False, **options}
        if stderr:
            options = {"force_terminal": False, **options}
        elif "COLUMNS" not in os.environ:
            options = {"width": FILE_WIDTH, **options}
    return _Console(stderr=stderr, markup=False, emoji=False, highlight=False, **options)


def print_line(line: str | Text, console: Console | None = None) -> None:
    """Print a line of text: wrapped between words in a terminal, whole in a file or a pipe.

    Args:
        line: The text.
        console: Where to; standard output if none is given.
    """
    console = console or make_console()
    console.print(line, soft_wrap=not console.is_interactive)


def make_progress(*columns: ProgressColumn, show: bool = True, **options: Any) -> Progress:
    """Return progress bars on standard error: shown in a terminal alone, and removed at the end.

    Args:
        columns: Of each bar.
        show: Whether to show them at all.
        options: Further ones of Rich's `Progress`.
    """
    console = options.pop("console", None) or make_console(stderr=True)
    return Progress(
        *columns,
        console=console,
        transient=True,
        # else Rich would print results that go to a file into the terminal
        redirect_stdout=sys.stdout.isatty(),
        disable=not (show and console.is_interactive),
        **options,
    )
