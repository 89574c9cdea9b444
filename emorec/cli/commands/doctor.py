"""`emorec doctor`: check the installation, the machine and the data."""

import os


def doctor(data_root: str | None = None) -> None:
    """Show versions, GPUs, disk and data; warn of known trouble.

    Args:
        data_root: Where RAVDESS was unzipped, or a CSV file of clips; EMOREC_RAVDESS_ROOT by default. IEMOCAP is
            checked where EMOREC_IEMOCAP_ROOT names its folder.

    Raises:
        SystemExit: With exit code 1 if something is missing or fails; warnings leave it 0.
    """
    # late: the help can do without them
    from rich.table import Table
    from rich.text import Text

    from emorec.console import make_console
    from emorec.doctor import run_checks

    reports = run_checks(data_root or os.environ.get("EMOREC_RAVDESS_ROOT"))
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
    if any(report.failures for report in reports):
        raise SystemExit(1)
