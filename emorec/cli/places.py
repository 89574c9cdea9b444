"""A function by its place, so that it is imported when it is called."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def function_at(place: str) -> Callable[..., Any]:
    """The function that `module:name` names.

    >>> function_at("math:isqrt")(10)
    3
    """
    module, name = place.split(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function
