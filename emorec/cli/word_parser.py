"""The words after a command that takes any number of places: options anywhere between them, complaints of one line."""

import argparse
from typing import NoReturn

from typing_extensions import override

from emorec.errors import UserError


class WordParser(argparse.ArgumentParser):
    """A command line whose mistakes are a `UserError`.

    Args:
        command: Its name.
    """

    def __init__(self, command: str) -> None:
        super().__init__(prog=f"emorec {command}", add_help=False, allow_abbrev=False)

    @property
    def options(self) -> list[str]:
        """Those that there are, without hyphens."""
        words = [word for action in self._actions for word in action.option_strings]
        return [word.removeprefix("--") for word in words if word.startswith("--")]

    @override
    def error(self, message: str) -> NoReturn:
        from emorec.cli.complaints import Complaint, explain

        raise UserError(explain(Complaint.of(message, None, self.options, {})))
