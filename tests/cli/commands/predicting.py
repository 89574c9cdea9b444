"""`emorec predict` as tests call it, and what it writes."""

import csv
from pathlib import Path
from typing import Any

import pytest

from emorec.cli import main
from tests.refusal import refusal


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def run(*words: Any) -> int:
    """The exit code of `emorec predict WORDS`."""
    try:
        main(["predict", *map(str, words)])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def refused(capsys: pytest.CaptureFixture[str], *words: Any) -> str:
    return refusal(capsys, "predict", *words)
