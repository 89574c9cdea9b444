"""The files of a comparison: tables, pictures, and the page that has them all."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from emorec.comparison.breakdown import Breakdown, breakdown_of
from emorec.comparison.comparison import Comparison
from emorec.comparison.figures import repeatable
from emorec.comparison.latex import latex
from emorec.comparison.markdown import markdown
from emorec.comparison.number_breakdown import NumberBreakdown, number_breakdown_of
from emorec.comparison.page import page
from emorec.comparison.picture import Picture
from emorec.comparison.pictures import pictures_of
from emorec.comparison.score import CLASSES
from emorec.comparison.spreadsheet import spreadsheet
from emorec.errors import UserError
from emorec.files import whole_file

REPORT = "report.html"


def refuse_unwritable(out: Path) -> None:
    """Finds out before the work whether the report can be written; leaves nothing behind.

    Raises:
        UserError: When it can't.
    """
    folder = out / "figures"
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    with _explained(out):
        with whole_file(folder / ".emorec") as file:
            file.write(b"\n")
        (folder / ".emorec").unlink()
        for each in made:
            each.rmdir()


def write_comparison(
    comparison: Comparison,
    out: Path,
    *,
    command: str,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Writes table.md, table.tex, table.csv, figures/ and, when all else is there, report.html.

    Args:
        comparison: What to write.
        out: The folder; files of an earlier report in it are replaced.
        command: The command line that is to be noted.
        progress: Told what is done next.

    Raises:
        UserError: When the disk is full or the folder can't be written.
    """
    with _explained(out):
        _write(out / "table.md", markdown(comparison))
        _write(out / "table.tex", latex(comparison))
        _write(out / "table.csv", spreadsheet(comparison))
        breakdowns: list[Breakdown] | list[NumberBreakdown]
        progress("breakdowns")
        if comparison.score is CLASSES:
            breakdowns = [breakdown_of(each, comparison.resamples) for each in comparison.results]
        else:
            breakdowns = [number_breakdown_of(each) for each in comparison.results]
        drawn = []
        for picture in pictures_of(comparison, breakdowns):
            progress(f"picture {picture.name}")
            drawn.append((picture, _draw(picture, out / "figures")))
        made = datetime.now().astimezone()
        _write(out / REPORT, page(comparison, breakdowns, drawn, command=command, made=made))


def _draw(picture: Picture, folder: Path) -> bytes:
    """Writes a picture as PNG and SVG; returns the latter."""
    figure = picture.draw()
    svg = io.BytesIO()
    with repeatable():
        figure.savefig(svg, format="svg", metadata={"Date": None})
    with whole_file(folder / f"{picture.name}.svg") as file:
        file.write(svg.getvalue())
    with whole_file(folder / f"{picture.name}.png") as file:
        figure.savefig(file, format="png")
    return svg.getvalue()


def _write(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode("utf-8", errors="surrogateescape"))


@contextmanager
def _explained(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(
            f"can't write the report into {out}: {why} (choose another folder with --out)"
        ) from error
