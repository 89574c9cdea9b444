"""Run a command that must fail with one line."""

import re
from typing import Any

import pytest

from emorec.cli import main


def refusal(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    """Return the one line that `emorec ARGUMENTS` prints as its error.

    Raises:
        AssertionError: If the command succeeds or prints more.
    """
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_info:
        main([str(argument) for argument in arguments])
    assert exit_info.value.code == 2
    error = capsys.readouterr().err
    assert re.fullmatch(rf"emorec {arguments[0]}: error: [^\n]+\n", error), error
    return error
