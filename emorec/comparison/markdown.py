"""The table in Markdown, for a README or a pull request."""

from collections.abc import Sequence

from emorec.comparison.comparison import Comparison
from emorec.comparison.table import columns_of, notes_of, rows_of
from emorec.comparison.words import cost_note, method, verdict


def markdown(comparison: Comparison) -> str:
    """What the test tells, the table, a sentence a pair, and how the figures were made."""
    rows = rows_of(comparison)
    columns = columns_of(rows, comparison.score)
    lines = [f"- {escaped(line)}." for line in verdict(comparison)]
    lines += [
        "",
        table_line(["", *columns.values()]),
        table_line(["---", *["---:"] * len(columns)]),
    ]
    for row in rows:
        name = f"**{escaped(row.name)}**" if row.kind == "model" else escaped(row.name)
        if row.leaks:
            name += f" **LEAK: {escaped('; '.join(row.leaks))}**"
        lines.append(table_line([name, *(row.cell(column) for column in columns)]))
    lines.append("")
    if comparison.pairs:
        lines += [f"- {escaped(pair.sentence)}." for pair in comparison.pairs] + [""]
    notes = [method(comparison), cost_note(), *notes_of(rows)]
    lines += [*(f"{escaped(note)}.  " for note in notes), ""]
    return "\n".join(lines)


def table_line(cells: Sequence[str]) -> str:
    """A line of a table.

    >>> table_line(["UAR", "61.3"])
    '| UAR | 61.3 |'
    """
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    r"""Text that Markdown takes for nothing else.

    >>> escaped("a|b *c* <d>")
    'a\\|b \\*c\\* &lt;d>'
    """
    for letter in "\\|*_`":
        text = text.replace(letter, f"\\{letter}")
    return text.replace("<", "&lt;")
