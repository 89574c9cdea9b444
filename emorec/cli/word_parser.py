"""The words after a command that takes any number of places: options anywhere between them, complaints of one line."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from typing_extensions import override

from emorec.errors import UserError


class WordParser(argparse.ArgumentParser):
    """A command line whose mistakes are a `UserError`.

    Args:
        command: Its name.
        options: Those that there are, without hyphens, for "did you mean".
    """

    def __init__(self, command: str, options: Sequence[str]) -> None:
        super().__init__(prog=f"emorec {command}", add_help=False, allow_abbrev=False)
        self._options = options

    @override
    def error(self, message: str) -> NoReturn:
        from emorec.cli.complaints import Complaint, explain

        raise UserError(explain(Complaint.of(message, None, self._options, {})))
