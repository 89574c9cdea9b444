"""Parsers import no heavy library: `emorec prepare`, `doctor` and `compare` use them."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "lightning", "numpy", "cv2", "sklearn")


@pytest.mark.parametrize("name", ["ravdess", "csv", "iemocap"])
def test_a_parser_imports_no_heavy_library(name: str) -> None:
    program = (
        f"import sys, emorec.data.sets.{name}.parser\n"
        f"print([library for library in {HEAVY} if library in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
