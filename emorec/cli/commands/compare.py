"""`emorec compare`: tested runs compared, with intervals, in a table and a report."""

import shlex
from pathlib import Path

from emorec.errors import UserError

DEFAULT_OUT = "report"
DEFAULT_RESAMPLES = 10_000
MIN_RESAMPLES = 100


def compare(
    *runs: str,
    out: str = DEFAULT_OUT,
    intersect: bool = False,
    published: str | None = None,
    resamples: int = DEFAULT_RESAMPLES,
) -> None:
    """Compare tested runs: intervals, pairs, and a report.

    Scores have 95 % intervals over actors. The table is printed; report.html (one file that needs no network),
    table.md, table.tex, table.csv and figures/ are written. Runs that differ only in fold and seed are one model.

    Args:
        *runs: Run folders, such as lightning_logs/CNNLSTM/version_0, or folders above them, such as a study's: all
            tested runs in there.
        out: The folder of the report.
        intersect: Compare the clips that all runs were tested on, instead of refusing when they differ.
        published: YAML file of published results to show beside the models, instead of those of emorec's first
            study; none leaves them out.
        resamples: How often actors are drawn for the intervals.

    Raises:
        UserError: When the runs can't be compared or the report can't be written.
    """
    if not runs:
        raise UserError(
            "which runs? emorec compare RUN|STUDY..., as in emorec compare lightning_logs/CNNLSTM/version_0"
        )
    if resamples < MIN_RESAMPLES:
        raise UserError(f"--resamples is {resamples}: choose at least {MIN_RESAMPLES}")
    # late: scipy, pandas and matplotlib take seconds
    from rich.console import Console

    from emorec.io import check_writable
    from emorec.report.comparison import compare_runs
    from emorec.report.page import REPORT, write_report
    from emorec.report.references import references_for
    from emorec.report.runs import find_runs
    from emorec.report.tables import describe, print_comparison

    tested, untested = find_runs(runs)
    references = references_for(published, tested[0].task)
    folder = Path(out).expanduser()
    check_writable(folder / REPORT, "--out")
    # progress goes to stderr, so that the table can be redirected into a file
    with Console(stderr=True).status("reading") as status:
        comparison = compare_runs(
            tested,
            untested=untested,
            references=references,
            intersect=intersect,
            resamples=resamples,
            progress=status.update,
        )
        content = describe(comparison)
        options = [
            *(["--out", out] if out != DEFAULT_OUT else []),
            *(["--intersect"] if intersect else []),
            *(["--published", published] if published is not None else []),
            *(["--resamples", str(resamples)] if resamples != DEFAULT_RESAMPLES else []),
        ]
        command = shlex.join(["emorec", "compare", *runs, *options])
        write_report(content, folder, command=command, progress=status.update)
    console = Console(highlight=False)
    print_comparison(content, console)
    console.print(f"written to {folder / REPORT}", soft_wrap=True, markup=False)
