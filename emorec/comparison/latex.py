"""The table in LaTeX, for a paper."""

from collections.abc import Sequence

from emorec.comparison.comparison import Comparison
from emorec.comparison.score import Score
from emorec.comparison.table import CALIBRATED, Row, columns_of, notes_of, rows_of, spread_of
from emorec.comparison.words import method

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "⁹": r"\textsuperscript{9}",
}


def latex(comparison: Comparison) -> str:
    r"""A `table` environment with the rules of booktabs; `\small` text as wide as the page."""
    rows = rows_of(comparison)
    shown, score = shown_columns(comparison.score), comparison.score
    columns = {name: title for name, title in columns_of(rows, score).items() if name in shown}
    models = [row for row in rows if row.kind == "model"]
    others = [row for row in rows if row.kind != "model"]
    caption = ". ".join([method(comparison), *notes_of(rows)])
    return "\n".join(
        [
            r"% \usepackage{booktabs,graphicx} in the preamble",
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{escaped(caption)}.}}",
            r"\label{tab:comparison}",
            r"\medskip",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
            r"\toprule",
            _line(["", *map(escaped, columns.values())]),
            r"\midrule",
            *(_row(row, list(columns)) for row in models),
            r"\midrule",
            *(_row(row, list(columns)) for row in others),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table*}",
            "",
        ]
    )


def shown_columns(score: Score) -> tuple[str, ...]:
    """What fits on a page; the other columns are in the other files."""
    return (*score.merit, *CALIBRATED, *spread_of(score), "num_parameters", "gflops_per_clip")


def escaped(text: str) -> str:
    r"""Text whose every letter LaTeX prints as it is; a per cent sign stays with its number.

    >>> escaped("80 % of a_b")
    '80~\\% of a\\_b'
    """
    return "".join(_SPECIAL.get(letter, letter) for letter in text).replace(r" \%", r"~\%")


def _row(row: Row, columns: Sequence[str]) -> str:
    leak = r" \textbf{(leak: " + escaped("; ".join(row.leaks)) + ")}" if row.leaks else ""
    cells = [row.cell(column) for column in columns]
    return _line(
        [escaped(row.name) + leak, *("--" if cell == "-" else escaped(cell) for cell in cells)]
    )


def _line(cells: Sequence[str]) -> str:
    return rf"{' & '.join(cells)} \\"
