"""`emorec compare`: tested runs compared, with intervals, in a table and a report."""

import shlex
from pathlib import Path

from emorec.errors import UserError

DEFAULT_OUT = "report"
DEFAULT_TEST = "test"
DEFAULT_RESAMPLES = 10_000
MIN_RESAMPLES = 100


def compare(
    *runs: str,
    out: str = DEFAULT_OUT,
    test: str = DEFAULT_TEST,
    intersect: bool = False,
    published: str | None = None,
    resamples: int = DEFAULT_RESAMPLES,
) -> None:
    """Compare tested runs: intervals, pairs, and a report.

    Scores have 95 % intervals over actors. The table is printed; report.html (one file that needs no network),
    table.md, table.tex, table.csv and figures/ are written. Runs that differ only in fold and seed are one model. Runs
    that were tested on different clips are in tables and reports of their own.

    Args:
        *runs: Run folders, such as lightning_logs/CNNLSTM/version_0, or folders above them, such as a study's: all
            tested runs in there.
        out: The folder of the report; with several sets of test clips, of one folder for each: set_1, set_2, ...
        test: The folder of the test in each run, such as test_without_sound after emorec test --drop sound.
        intersect: Compare the clips that all runs were tested on in one table.
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
    from rich.text import Text

    from emorec.console import make_console, print_line
    from emorec.io import check_writable
    from emorec.report.comparison import compare_runs
    from emorec.report.models import split_by_test_clips
    from emorec.report.page import REPORT, remove_report, write_report
    from emorec.report.references import references_for
    from emorec.report.runs import find_runs
    from emorec.report.tables import describe, print_comparison

    tested, untested = find_runs(runs, test)
    sets = [tested] if intersect else split_by_test_clips(tested)
    references = [
        references_for(published, each[0].task, on_ravdess=all(run.is_on_ravdess for run in each))
        for each in sets
    ]
    root = Path(out).expanduser()
    folders = [root / f"set_{number}" for number in range(1, len(sets) + 1)]
    if len(sets) == 1:
        folders = [root]
    check_writable(root / REPORT, "--out")
    options = [
        *(["--out", out] if out != DEFAULT_OUT else []),
        *(["--test", test] if test != DEFAULT_TEST else []),
        *(["--intersect"] if intersect else []),
        *(["--published", published] if published is not None else []),
        *(["--resamples", str(resamples)] if resamples != DEFAULT_RESAMPLES else []),
    ]
    command = shlex.join(["emorec", "compare", *runs, *options])
    contents = []
    # progress goes to stderr, so that the table can be redirected into a file
    with make_console(stderr=True).status("reading") as status:

        def show(step: str) -> None:
            status.update(Text(step))

        for members, beside, folder in zip(sets, references, folders, strict=True):
            comparison = compare_runs(
                members,
                untested=untested,
                num_elsewhere=len(tested) - len(members),
                references=beside,
                intersect=intersect,
                resamples=resamples,
                progress=show,
            )
            contents.append(describe(comparison))
            write_report(contents[-1], folder, command=command, progress=show)
    console = make_console()
    if len(sets) > 1:
        remove_report(root)  # of an earlier call with one set
        print_line(
            f"The test clips differ: a table for each of {len(sets)} sets of clips "
            "(--intersect compares the clips common to all).",
            console,
        )
    for content, folder in zip(contents, folders, strict=True):
        if len(sets) > 1:
            console.rule(folder.name)
        print_comparison(content, console)
        console.print(f"written to {folder / REPORT}", soft_wrap=True)
