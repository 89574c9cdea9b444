"""Rich's console for text of users."""

from typing import Any

from rich.console import Console


def make_console(**options: Any) -> Console:
    """Return a console that prints text as it is: brackets and colons in paths and names are no markup.

    Args:
        options: Those of Rich's `Console`.
    """
    return Console(markup=False, emoji=False, highlight=False, **options)
