"""The table in Markdown, for a README or a pull request."""

from collections.abc import Sequence

from emorec.comparison.comparison import Comparison
from emorec.comparison.table import columns_of, notes_of, rows_of
from emorec.comparison.words import cost_note, method, verdict


def markdown(comparison: Comparison) -> str:
    """What the test tells, the table, a sentence a pair, and how the figures were made."""
    rows = rows_of(comparison)
    columns = columns_of(rows, comparison.score)
    lines = [f"- {_escaped(line)}." for line in verdict(comparison)]
    lines += ["", _line(["", *columns.values()]), _line(["---", *["---:"] * len(columns)])]
    for row in rows:
        name = f"**{_escaped(row.name)}**" if row.kind == "model" else _escaped(row.name)
        if row.leaks:
            name += f" **LEAK: {_escaped('; '.join(row.leaks))}**"
        lines.append(_line([name, *(row.cell(column) for column in columns)]))
    lines.append("")
    if comparison.pairs:
        lines += [f"- {_escaped(pair.sentence)}." for pair in comparison.pairs] + [""]
    notes = [method(comparison), cost_note(), *notes_of(rows)]
    lines += [*(f"{_escaped(note)}.  " for note in notes), ""]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    r"""Text that Markdown takes for nothing else.

    >>> _escaped("a|b *c* <d>")
    'a\\|b \\*c\\* &lt;d>'
    """
    for letter in "\\|*_`":
        text = text.replace(letter, f"\\{letter}")
    return text.replace("<", "&lt;")
