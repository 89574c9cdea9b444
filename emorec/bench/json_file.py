"""A JSON file, written whole or not at all."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emorec.errors import UserError
from emorec.files import whole_file


def write_json(plain: Mapping[str, Any], path: Path) -> None:
    """Writes plain values into a file, whole or not at all.

    Raises:
        UserError: When it can't be written.
    """
    try:
        with whole_file(path) as file:
            file.write(json.dumps(plain, indent=2).encode() + b"\n")
    except OSError as error:
        raise UserError(
            f"can't write {path}: {error.strerror}; choose another file with --out"
        ) from error


def refuse_unwritable(path: Path) -> None:
    """Finds out before the work whether its outcome can be written.

    Raises:
        UserError: When it can't.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file with --out")
    there = path.parent
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK):
        kind = "may not be written to" if there.is_dir() else "is no folder"
        raise UserError(f"can't write {path}: {there} {kind}; choose another file with --out")
