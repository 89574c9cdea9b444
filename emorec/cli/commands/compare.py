"""`emorec compare`: runs side by side, with intervals, in a table and a report."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from emorec.cli.word_parser import WordParser
from emorec.errors import UserError

HELP = """\
usage: emorec compare RUN|STUDY... [options]

Compare tested runs: figures with 95 % intervals over actors, what the test can
tell apart, where each model fails, and what others have reached. Prints a table
and writes report.html (one file that needs no network), table.md, table.tex,
table.csv and figures/.

  RUN|STUDY               Run folders, such as lightning_logs/CNNLSTM/version_0,
                          or folders above them: all tested runs in there.
                          Runs that differ in fold and seed alone are one model
  --out DIR               Where the report is written (report)
  --intersect             Compare the clips that all runs were tested on,
                          instead of refusing when they differ
  --published FILE        Figures of others, YAML, instead of those of emorec's
                          first study; none leaves them out
  --resamples N           How often actors are drawn for the intervals (10000)
"""

FEWEST_RESAMPLES = 100


def compare(words: Sequence[str]) -> None:
    """Compares the runs that the words after `emorec compare` name.

    Args:
        words: As they were typed.

    Raises:
        UserError: For a mistake of the user.
    """
    parser = WordParser("compare")
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--out", default="report")
    parser.add_argument("--intersect", action="store_true")
    parser.add_argument("--published")
    parser.add_argument("--resamples", default="10000")
    parser.add_argument("-h", "--help", action="store_true")
    asked = parser.parse_intermixed_args(list(words))
    if asked.help:
        print(HELP, end="")
        return
    if not asked.runs:
        raise UserError(
            "which runs? emorec compare RUN|STUDY..., as in emorec compare lightning_logs/CNNLSTM/version_0"
        )
    if not asked.resamples.isdecimal() or int(asked.resamples) < FEWEST_RESAMPLES:
        raise UserError(
            f"--resamples is {asked.resamples}: it takes a whole number, at least {FEWEST_RESAMPLES}"
        )
    _compare(
        asked.runs,
        Path(asked.out).expanduser(),
        intersect=asked.intersect,
        published=asked.published,
        resamples=int(asked.resamples),
        command=shlex.join(["emorec", "compare", *words]),
    )


def _compare(
    places: Sequence[str],
    out: Path,
    *,
    intersect: bool,
    published: str | None,
    resamples: int,
    command: str,
) -> None:
    # late: torch, scipy and matplotlib take seconds
    from rich.console import Console

    from emorec.comparison.comparison import Comparison
    from emorec.comparison.find import find_runs
    from emorec.comparison.published import beside
    from emorec.comparison.report import REPORT, refuse_unwritable, write_comparison
    from emorec.comparison.terminal import show

    found = find_runs(places)
    elsewhere = beside(published, found.runs[0].predicted)
    refuse_unwritable(out)
    # what is going on goes to stderr, so that the table can be kept in a file
    with Console(stderr=True).status("reading") as status:
        comparison = Comparison.of(
            found,
            published=elsewhere,
            intersect=intersect,
            resamples=resamples,
            progress=status.update,
        )
        write_comparison(comparison, out, command=command, progress=status.update)
    console = Console(highlight=False)
    show(comparison, console)
    console.print(f"written to {out / REPORT}", soft_wrap=True, markup=False)
