"""Results from the literature, of humans and of networks, shown beside the models."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml

from emorec.data.clip import EMOTIONS
from emorec.errors import UserError
from emorec.evaluation.task import Task

Kind = Literal["people", "published", "majority"]
KINDS: tuple[Kind, ...] = ("people", "published")
"""Those of a file."""

METRICS = ("accuracy", "uar", "macro_f1")
NOTES = ("name", "source", "note")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A result from elsewhere; its test clips may differ from those of the comparison.

    Attributes:
        kind: "people" for human raters, "published" for networks, "majority" for trivial predictions.
        name: Of the raters or the network.
        scores: "accuracy" (WAR), "uar" or "macro_f1" -> 0 to 1.
        source: Where it was published.
        note: On the conditions; may be empty.
    """

    kind: Kind
    name: str
    scores: Mapping[str, float]
    source: str
    note: str


@cache
def builtin_references() -> tuple[Reference, ...]:
    """Return human raters on RAVDESS, and emorec's first study.

    Source: Livingstone & Russo 2018, PLOS ONE 13(5):e0196391; the results of emorec's first study.
    """
    file = files("emorec.report").joinpath("references.yaml")
    return parse_references(file.read_text(encoding="utf-8"), "references.yaml")


def references_for(
    published: str | None, task: Task, *, on_ravdess: bool = True
) -> tuple[Reference, ...]:
    """Return the results to show beside runs.

    By default results on RAVDESS are shown beside runs on RAVDESS, and none beside others. The networks of a file
    replace the built-in ones; so do its human raters, if it has any.

    Args:
        published: The user's file, "none" for human raters only, or `None`.
        task: What the runs predict.
        on_ravdess: Whether the clips are those of RAVDESS, see `Run.is_on_ravdess`.

    Raises:
        UserError: When the file can't be read or is malformed.
    """
    if task.kind != "classes":
        if published not in (None, "none"):
            raise UserError(
                f"--published {published}: published scores of classes can't be compared with runs that predict "
                "numbers; leave it out"
            )
        return ()
    builtin = builtin_references() if set(task.names) == set(EMOTIONS) and on_ravdess else ()
    if published is None:
        return builtin
    own = () if published == "none" else read_references(Path(published))
    people = [each for each in own if each.kind == "people"]
    return (
        *(people or [each for each in builtin if each.kind == "people"]),
        *(each for each in own if each.kind == "published"),
    )


def read_references(path: Path) -> tuple[Reference, ...]:
    """Read the results in a user's file.

    Raises:
        UserError: When the file can't be read or is malformed.
    """
    try:
        return parse_references(path.expanduser().read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file") from error


def parse_references(text: str, file_name: str) -> tuple[Reference, ...]:
    """Parse results in YAML.

    Args:
        text: With the keys "people" and "published", each a list; either may be missing.
        file_name: For error messages.

    Raises:
        UserError: When it is malformed.

    >>> parse_references("published: [{name: SVFAP-B, accuracy: 75.01, source: Table 12}]", "mine.yaml")[0].scores
    {'accuracy': 0.7501}
    >>> parse_references("published: [{name: SVFAP-B, acuracy: 75.01, source: Table 12}]", "mine.yaml")
    Traceback (most recent call last):
    emorec.errors.UserError: mine.yaml, SVFAP-B: acuracy is not one of name, source, note, accuracy, uar, macro_f1
    """
    try:
        content = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise UserError(f"{file_name} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or set(content) - set(KINDS):
        raise UserError(
            f"{file_name}: expected the keys people and published, each with a list of results"
        )
    references = []
    for kind in KINDS:
        entries = content.get(kind) or []
        if not isinstance(entries, list):
            raise UserError(f"{file_name}: {kind} is not a list of results")
        references += [_parse_entry(kind, entry, file_name) for entry in entries]
    return tuple(references)


def _parse_entry(kind: Kind, entry: Any, file_name: str) -> Reference:
    if not isinstance(entry, dict) or not entry.get("name"):
        raise UserError(f"{file_name}: an entry of {kind} has no name: {entry}")
    name = str(entry["name"])
    unknown = [str(key) for key in entry if key not in NOTES + METRICS]
    if unknown:
        raise UserError(
            f"{file_name}, {name}: {', '.join(unknown)} is not one of {', '.join(NOTES + METRICS)}"
        )
    if not entry.get("source"):
        raise UserError(f"{file_name}, {name}: the source is missing")
    scores = {
        metric: _parse_percent(entry[metric], f"{file_name}, {name}: {metric}")
        for metric in METRICS
        if metric in entry
    }
    if not scores:
        raise UserError(f"{file_name}, {name}: add one of {', '.join(METRICS)}")
    return Reference(
        kind=kind,
        name=name,
        scores=scores,
        source=str(entry["source"]),
        note=str(entry.get("note") or ""),
    )


def _parse_percent(value: Any, file_name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 100:
        raise UserError(f"{file_name} is {value}: give per cent, 1 to 100")
    return round(value / 100, 12)
