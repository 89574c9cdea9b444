"""Helpers to call `emorec predict` and read its results."""

import csv
from pathlib import Path
from typing import Any

import pytest

from emorec.cli import main
from tests.refusal import refusal


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def run(*arguments: Any) -> int:
    """Return the exit code of `emorec predict ARGUMENTS`."""
    try:
        main(["predict", *map(str, arguments)])
    except SystemExit as error:
        return int(error.code or 0)
    return 0


def error_of(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    return refusal(capsys, "predict", *arguments)
