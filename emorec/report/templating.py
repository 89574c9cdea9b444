"""Jinja templates of reports, tables and model cards, and the filters that escape text for them."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from emorec.report.runs import format_actors
from emorec.text import byte_count, decimal, duration, p_value, percent, significant

LATEX_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "⁹": r"\textsuperscript{9}",
}


def render(template: str, **variables: Any) -> str:
    """Return a template of `emorec/report/templates` with its variables filled in.

    HTML is escaped by itself; Markdown and LaTeX by the filters `md` and `tex`.
    """
    return _environment().get_template(template).render(variables)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("emorec.report"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "actors": format_actors,
        "bytes": byte_count,
        "decimal": decimal,
        "duration": duration,
        "md": escape_markdown,
        "p_value": p_value,
        "percent": percent,
        "row": markdown_row,
        "significant": significant,
        "tex": escape_latex,
    }
    return environment


def escape_markdown(text: str) -> str:
    r"""Put text on one line and escape the characters that Markdown interprets.

    >>> escape_markdown("a|b *c*\n<d>")
    'a\\|b \\*c\\* &lt;d>'
    """
    line = " ".join(text.split())
    for letter in "\\|*_`":
        line = line.replace(letter, f"\\{letter}")
    return line.replace("<", "&lt;")


def markdown_row(cells: Sequence[object]) -> str:
    """Format a row of a Markdown table.

    >>> markdown_row(["UAR", 61.3])
    '| UAR | 61.3 |'
    """
    return f"| {' | '.join(escape_markdown(str(cell)) for cell in cells)} |"


def escape_latex(text: str) -> str:
    r"""Escape the characters that LaTeX interprets; a per cent sign stays with its number.

    >>> escape_latex("80 % of a_b")
    '80~\\% of a\\_b'
    """
    return "".join(LATEX_ESCAPES.get(letter, letter) for letter in text).replace(r" \%", r"~\%")
