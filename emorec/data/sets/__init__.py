"""One data set a folder or file: a light parser of its files, and its Lightning data module."""

import os

from emorec.errors import UserError


def resolve_root(root: str | None, variable: str, how_to_get: str = "") -> str:
    """Return the data folder: the argument, or else the environment variable.

    Args:
        root: The argument `data.root`.
        variable: Name of the environment variable with the default folder.
        how_to_get: How to obtain the data set, for the error.

    Raises:
        UserError: When neither names a folder.
    """
    root = root or os.environ.get(variable)
    if not root:
        hint = f"; {how_to_get}" if how_to_get else ""
        raise UserError(f"no data folder: name it with --data.root DIR or {variable}{hint}")
    return root
