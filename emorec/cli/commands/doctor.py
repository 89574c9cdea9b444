"""`emorec doctor`: check the installation, the machine and the data."""

import os
from collections.abc import Sequence
from json import dumps
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emorec.doctor.environment import Report


def doctor(data_root: str | None = None, json: bool = False) -> None:
    """Show versions, GPUs, disk and data; warn of known trouble.

    Args:
        data_root: Where RAVDESS was unzipped, or a CSV file of clips; EMOREC_RAVDESS_ROOT by default. IEMOCAP is
            checked where EMOREC_IEMOCAP_ROOT names its folder.
        json: Print all of it as JSON, for programs.

    Raises:
        SystemExit: With exit code 1 if something is missing or fails; warnings leave it 0.
    """
    # late: the help can do without it
    from emorec.doctor import facts_of, run_checks

    reports = run_checks(data_root or os.environ.get("EMOREC_RAVDESS_ROOT"))
    if json:
        print(dumps(facts_of(reports), indent=2))
    else:
        print_reports(reports)
    if any(report.failures for report in reports):
        raise SystemExit(1)


def print_reports(reports: Sequence["Report"]) -> None:
    """Print a table of what was found, then the warnings and the errors."""
    # late: the help can do without them
    from rich.table import Table
    from rich.text import Text

    from emorec.console import make_console

    table = Table("check", "result", show_header=False, title="emorec doctor", title_justify="left")
    for row in (row for report in reports for row in report.rows):
        table.add_row(*map(Text, row))
    console = make_console()
    console.print(table)
    for colour, word, messages in (
        ("yellow", "warning", [line for report in reports for line in report.warnings]),
        ("red", "error", [line for report in reports for line in report.failures]),
    ):
        for message in messages:
            console.print(Text.assemble((f"{word}:", colour), f" {message}"), soft_wrap=True)
