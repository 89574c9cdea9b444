"""Figures that others have published, and people's, as rows beside the models."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml

from emorec.data.clip import EMOTIONS
from emorec.errors import UserError
from emorec.evaluation.numbers_file import PredictedNumbers
from emorec.evaluation.predicted import Predicted

Kind: TypeAlias = Literal["people", "published"]
KINDS: tuple[Kind, ...] = ("people", "published")
FIGURES = ("accuracy", "uar", "macro_f1")
NOTES = ("name", "source", "note")


@dataclass(frozen=True, kw_only=True)
class Published:
    """A figure from elsewhere; its clips need not be those of the comparison.

    Attributes:
        kind: Whether people were measured or a network.
        name: What was measured.
        figures: "accuracy" (WAR), "uar" or "macro_f1" -> 0 to 1.
        source: Where it stands.
        note: On what it was measured, empty when nothing is said.
    """

    kind: Kind
    name: str
    figures: Mapping[str, float]
    source: str
    note: str


@cache
def shipped() -> tuple[Published, ...]:
    """People on RAVDESS, and emorec's first study.

    Source: Livingstone & Russo 2018, PLOS ONE 13(5):e0196391; the figures of emorec's first study.
    """
    file = files("emorec.comparison").joinpath("published.yaml")
    return parse(file.read_text(encoding="utf-8"), "published.yaml")


def beside(named: str | None, predicted: Predicted) -> tuple[Published, ...]:
    """The figures that stand beside those of runs.

    Without a file of the user's, figures on RAVDESS stand beside RAVDESS's clips and none beside others. A file's
    networks replace the shipped ones, and its people, if there are any, the shipped people.

    Args:
        named: The user's file, "none" for no networks but the runs', or `None`.
        predicted: What the runs were tested on.

    Raises:
        UserError: When the file can't be read or says something else than figures.
    """
    if isinstance(predicted, PredictedNumbers):
        if named not in (None, "none"):
            raise UserError(
                f"--published {named}: figures of classes don't stand beside runs that predict numbers; leave it out"
            )
        return ()
    ours = shipped() if set(predicted.names) == set(EMOTIONS) else ()
    if named is None:
        return ours
    theirs = () if named == "none" else read_published(Path(named))
    people = [each for each in theirs if each.kind == "people"]
    return (
        *(people or [each for each in ours if each.kind == "people"]),
        *(each for each in theirs if each.kind == "published"),
    )


def read_published(path: Path) -> tuple[Published, ...]:
    """The figures in a file of the user's.

    Raises:
        UserError: When the file can't be read or says something else than figures.
    """
    try:
        return parse(path.expanduser().read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text file") from error


def parse(text: str, place: str) -> tuple[Published, ...]:
    """The figures in a YAML text.

    Args:
        text: With the keys "people" and "published", each a list; either may be missing.
        place: Where the text is from, for complaints.

    Raises:
        UserError: When it says something else.

    >>> parse("published: [{name: SVFAP-B, accuracy: 75.01, source: Table 12}]", "mine.yaml")[0].figures
    {'accuracy': 0.7501}
    >>> parse("published: [{name: SVFAP-B, acuracy: 75.01, source: Table 12}]", "mine.yaml")
    Traceback (most recent call last):
    emorec.errors.UserError: mine.yaml, SVFAP-B: acuracy is none of name, source, note, accuracy, uar, macro_f1
    """
    try:
        content = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise UserError(f"{place} is no YAML: {said}") from error
    if not isinstance(content, dict) or set(content) - set(KINDS):
        raise UserError(
            f"{place}: expected the keys people and published, each with a list of figures"
        )
    found = []
    for kind in KINDS:
        entries = content.get(kind) or []
        if not isinstance(entries, list):
            raise UserError(f"{place}: {kind} is no list of figures")
        found += [_entry(kind, entry, place) for entry in entries]
    return tuple(found)


def _entry(kind: Kind, entry: Any, place: str) -> Published:
    if not isinstance(entry, dict) or not entry.get("name"):
        raise UserError(f"{place}: an entry of {kind} has no name: {entry}")
    name = str(entry["name"])
    unknown = [str(key) for key in entry if key not in NOTES + FIGURES]
    if unknown:
        raise UserError(
            f"{place}, {name}: {', '.join(unknown)} is none of {', '.join(NOTES + FIGURES)}"
        )
    if not entry.get("source"):
        raise UserError(f"{place}, {name}: a source is missing")
    figures = {
        figure: _share(entry[figure], f"{place}, {name}: {figure}")
        for figure in FIGURES
        if figure in entry
    }
    if not figures:
        raise UserError(f"{place}, {name}: one of {', '.join(FIGURES)} is missing")
    return Published(
        kind=kind,
        name=name,
        figures=figures,
        source=str(entry["source"]),
        note=str(entry.get("note") or ""),
    )


def _share(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 100:
        raise UserError(f"{place} is {value}: it takes per cent, 1 to 100")
    return round(value / 100, 12)
