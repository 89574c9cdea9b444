"""Helpers to read what `emorec baseline` writes."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.refusal import refusal

CONFIGS = Path(__file__).parents[4] / "configs"
TINY = ("--data.num_frames", "2", "--data.image_size", "32", "--data.num_workers", "0")


def content(folder: Path) -> tuple[Any, list[dict[str, str]]]:
    with (folder / "test" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    return json.loads((folder / "test" / "metrics.json").read_text()), rows


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    return refusal(capsys, "baseline", "--features", "hog", *TINY, *arguments)
