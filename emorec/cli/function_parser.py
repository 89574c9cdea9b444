"""The words after a plain command: a function's arguments, with complaints of one line. Starts without torch."""

import inspect
import keyword
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, NoReturn

from jsonargparse import ArgumentParser
from typing_extensions import override

from emorec.cli.complaints import Complaint, explain
from emorec.cli.predicted import words_apart
from emorec.errors import UserError

_Kind = inspect.Parameter


class FunctionParser(ArgumentParser):
    """A command line for one plain function.

    Its signature says all there is to say: what stands before `/` or has no default is given by position, a parameter
    that Python's keywords forced an underscore on (`from_`) is the option without it, and a switch, which is false
    unless it is named, needs no value. Options may be spelt with hyphens. A function with `*words` gets all that stands
    before no option's value, wherever it stands.

    Args:
        command: Its name on the command line.
        description: What it does, in one line.
        function: What is called; its docstring explains the arguments.
    """

    def __init__(self, command: str, description: str, function: Callable[..., Any]) -> None:
        self._function = function
        self._parameters = inspect.signature(function).parameters
        super().__init__(
            prog=f"emorec {command}",
            usage=" ".join([f"emorec {command}", *map(_shown, self._needed()), "[options]"]),
            description=description,
            allow_abbrev=False,
        )
        self.add_function_arguments(function, as_group=False, as_positional=True)
        for action in self._actions:
            parameter = self._parameters.get(action.dest)
            if parameter is None or parameter.default is _Kind.empty:
                continue
            if not action.option_strings:
                action.nargs, action.default, action.required = "?", parameter.default, False
            elif parameter.default is False:
                action.metavar = ""
            if keyword.iskeyword(name := action.dest.removesuffix("_")):
                del self._option_string_actions[f"--{action.dest}"]
                self._option_string_actions[f"--{name}"] = action
                action.option_strings, action.metavar = [f"--{name}"], name.upper()

    def call(self, words: Sequence[str]) -> None:
        """Calls the function with what the words say.

        Raises:
            UserError: When the words make no sense.
        """
        any_number: list[str] = []
        if any(each.kind is _Kind.VAR_POSITIONAL for each in self._parameters.values()):
            any_number, options = words_apart(words, self._switches)
            words = [word for option in options for word in option if word]
        given = self.parse_args(list(self._spelt(words))).as_dict()
        by_position = [
            name for name, each in self._parameters.items() if each.kind is _Kind.POSITIONAL_ONLY
        ]
        self._function(*[given.pop(name) for name in by_position], *any_number, **given)

    @override
    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        options = [
            option.removeprefix("--")
            for action in self._actions
            for option in action.option_strings
        ]
        raise UserError(explain(Complaint.of(message, ex, options, {})))

    @property
    def _switches(self) -> frozenset[str]:
        """Options that need no value, in all their spellings."""
        names = {
            name
            for name, action in self._option_string_actions.items()
            if action.metavar == "" or action.nargs == 0
        }
        return frozenset(names | {name.replace("_", "-") for name in names})

    def _needed(self) -> list[inspect.Parameter]:
        return [
            each
            for each in self._parameters.values()
            if each.default is _Kind.empty or each.kind is _Kind.POSITIONAL_ONLY
        ]

    def _spelt(self, words: Sequence[str]) -> Iterator[str]:
        """The words as the parser knows them: no hyphens within names, a value after each switch."""
        for word, following in zip_longest(words, words[1:], fillvalue=""):
            name, equals, value = word.partition("=")
            if not name.startswith("--"):
                yield word
                continue
            name = f"--{name.removeprefix('--').replace('-', '_')}"
            action = self._option_string_actions.get(name)
            if action is None:  # at once, or its value would pass for what is given by position
                self.error(f"unrecognized arguments: {word}")
            bare = (
                action.metavar == "" and not equals and following.lower() not in ("true", "false")
            )
            yield f"{name}=true" if bare else f"{name}{equals}{value}"


def _shown(parameter: inspect.Parameter) -> str:
    """How the usage names what is given by position, and options that can't be left out.

    >>> _shown(_Kind("folder", _Kind.POSITIONAL_ONLY)), _shown(_Kind("data", _Kind.POSITIONAL_ONLY, default="ravdess"))
    ('FOLDER', '[ravdess]')
    >>> _shown(_Kind("ckpt", _Kind.KEYWORD_ONLY))
    '--ckpt CKPT'
    """
    if parameter.kind is _Kind.KEYWORD_ONLY:
        return f"--{parameter.name} {parameter.name.upper()}"
    return parameter.name.upper() if parameter.default is _Kind.empty else f"[{parameter.default}]"
