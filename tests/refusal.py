"""Commands that have to end in one line."""

import re
from typing import Any

import pytest

from emorec.cli import main


def refusal(capsys: pytest.CaptureFixture[str], *words: Any) -> str:
    """The one line that `emorec WORDS` says as an error, and nothing beside it.

    Raises:
        AssertionError: When it does not fail, or says more.
    """
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert re.fullmatch(rf"emorec {words[0]}: error: [^\n]+\n", error), error
    return error
