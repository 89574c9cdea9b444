"""The words after synth and doctor: a function's arguments, with complaints of one line. Starts without torch."""

import inspect
from collections.abc import Callable
from typing import Any, NoReturn

from jsonargparse import ArgumentParser
from typing_extensions import override

from emorec.cli.complaints import Complaint, explain
from emorec.errors import UserError


class FunctionParser(ArgumentParser):
    """A command line for one plain function.

    Args:
        command: Its name on the command line.
        description: What it does, in one line.
        function: What is called; its docstring explains the arguments.
    """

    def __init__(self, command: str, description: str, function: Callable[..., Any]) -> None:
        required = [
            name.upper()
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.default is inspect.Parameter.empty
        ]
        super().__init__(
            prog=f"emorec {command}",
            usage=" ".join([f"emorec {command}", *required, "[options]"]),
            description=description,
            allow_abbrev=False,
        )
        self.add_function_arguments(function, as_group=False, as_positional=True)

    @override
    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        options = [
            option.removeprefix("--")
            for action in self._actions
            for option in action.option_strings
        ]
        raise UserError(explain(Complaint.of(message, ex, options, {})))
