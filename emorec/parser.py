"""Errors of jsonargparse as one line that names the setting, the value and what would be right."""

import re
from collections.abc import Collection, Iterator
from typing import Any, NoReturn

from emorec.errors import UserError
from emorec.text import did_you_mean

UNHELPFUL = ("NoneType", "Union subtypes")
"""Parts of lines that tell nothing about what a setting takes."""


class SettingError(UserError):
    """A setting that is unknown or has a wrong value.

    Attributes:
        key: The setting, such as "data.batch_size"; empty when no single one is wrong.
        problem: What is wrong with it.
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}" if key else problem)
        self.key = key
        self.problem = problem


class OneLineErrors:
    """Mixin of jsonargparse's parsers: their errors are a `SettingError`, with a did-you-mean."""

    def error(self: Any, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise what the parser complains about, or the parser of a class's arguments inside it."""
        named = re.match(r'Parser key "(.+?)":', message)
        key = named[1] if named else ""
        inner = first_user_error(ex)
        if isinstance(inner, SettingError):
            raise SettingError(".".join(filter(None, (key, inner.key))), inner.problem) from ex
        problem = str(inner) if inner else one_line(message, ex)
        raise SettingError(key, problem + suggestion(problem, self.names_for(key))) from ex

    def names_for(self: Any, key: str) -> Collection[str]:
        """Return what may have been misspelt: of an unknown setting (no key), all settings."""
        keys = [] if key else list(self.get_defaults().keys())
        return {*keys, *(f"--{each}" for each in keys), *(each.split(".")[-1] for each in keys)}


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, its cause, the cause of that, and so on."""
    while error is not None:
        yield error
        error = error.__cause__


def first_user_error(error: BaseException | None) -> UserError | None:
    """Return the first `UserError` in the chain of causes."""
    return next((each for each in causes(error) if isinstance(each, UserError)), None)


def one_line(message: str, error: BaseException | None = None) -> str:
    r"""Condense an error of jsonargparse: of a union of types, what each of them expects, and the value.

    >>> one_line('Parser key "a":\n  In no Union\n  Errors:\n    - Expected a <class \'int\'>\n  Given value: x')
    'Expected a int; Given value: x'
    """
    origin = list(causes(error))[-1] if error else None
    text = re.sub(r'^Parser key "(.+?)":\s*', "", message)
    if isinstance(origin, AttributeError | ImportError):  # of a class path
        text = str(origin)
    if isinstance(origin, UnicodeEncodeError):  # settings are written as YAML
        text = f"{origin.object!r} is not UTF-8: rename the file or folder, or name a symbolic link to it"
    lines = [line.strip() for line in text.splitlines()]
    alternatives = [line.removeprefix("- ") for line in lines[:-1] if line.startswith("- ")]
    if any("Expected a dot import path string" in line for line in alternatives):
        lines = [f"no class is called {lines[-1].removeprefix('Given value: ')}"]
    elif alternatives:
        useful = [line for line in alternatives if not any(part in line for part in UNHELPFUL)]
        lines = [*useful, lines[-1]]
    return re.sub(r"<class '([\w.]+)'>", r"\1", "; ".join(lines)).replace("typing.", "")


def suggestion(problem: str, names: Collection[str] = ()) -> str:
    """Return a did-you-mean for a flag, a quoted word, or the last word of a sentence.

    Args:
        problem: The sentence.
        names: What may have been meant; by default the choices that the sentence quotes.

    >>> suggestion("Option 'batchsize' is not accepted", ["batch_size", "augment"])
    ' (did you mean batch_size?)'
    >>> suggestion("Expected a Literal['seed', 'loso']. Got value: loos")
    ' (did you mean loso?)'
    """
    names = names or re.findall(r"'([^' ]+)'", problem)
    words = map("".join, re.findall(r"'([^' ]+)'|(--[\w.-]+)|([\w.]+)$", problem))
    hints = (did_you_mean(word, names) for word in reversed([*words]) if word not in names)
    return next(filter(None, hints), "")
