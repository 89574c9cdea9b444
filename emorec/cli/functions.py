"""A function as a command: its signature is the command line, its docstring the help. Imports no torch."""

import argparse
import inspect
import json
import keyword
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args, get_origin

import docstring_parser
from jsonargparse import ArgumentParser, DefaultHelpFormatter
from typing_extensions import override

from emorec.parser import OneLineErrors, SettingError
from emorec.text import did_you_mean

EXPERIMENT_FLAGS = "experiment_flags"
"""Name of the `*parameter` that takes all flags a function does not have: those of `emorec fit`."""

HELP_WIDTH = 100
"""Width of help in characters when standard output is not a terminal."""

_Parameter = inspect.Parameter


class _HelpFormatter(DefaultHelpFormatter):
    """Formats help without types, which only repeat the text, and without defaults that are not values."""

    def __init__(self, prog: str, **options: Any) -> None:
        width = shutil.get_terminal_size((HELP_WIDTH, 24)).columns
        super().__init__(prog, width=width, **options)  # type: ignore[no-untyped-call]

    @override
    def _get_help_string(self, action: argparse.Action) -> str:
        if action.default in (None, False, ()) and not action.required:
            return action.help or ""
        return re.sub(r"(, )?type: %\(type\)s(, )?", "", super()._get_help_string(action))


class FunctionParser(OneLineErrors, ArgumentParser):
    """The command line of one plain function.

    Parameters before `/` or without a default are positional, `bool = False` is a switch that needs no value, a tuple
    takes all values up to the next option, `from_` is the option `--from`, and hyphens in options mean underscores.
    `*names` takes any number of positional arguments, anywhere between the options; `*experiment_flags` all flags that
    the function does not have, with their values.

    Args:
        command: Its name on the command line.
        function: What is called.
        more_help: What the help says last.
    """

    def __init__(self, command: str, function: Callable[..., Any], more_help: str = "") -> None:
        self.function = function
        self.more_help = more_help
        self.parameters = inspect.signature(function).parameters
        doc = docstring_parser.parse(function.__doc__ or "")
        super().__init__(
            prog=f"emorec {command}",
            usage=" ".join([f"emorec {command}", *self._usage(), "[options]"]),
            description=doc.short_description,
            allow_abbrev=False,
            formatter_class=_HelpFormatter,
        )
        texts = {each.arg_name.lstrip("*"): each.description for each in doc.params}
        if self._variadic:
            self.add_argument(
                self._variadic, nargs="*", default=argparse.SUPPRESS, help=texts[self._variadic]
            )
        self.add_function_arguments(function, as_group=False, as_positional=True)
        self._switches, self._lists = set(), set()
        for action in self._actions:
            if action.option_strings and action.default is False:
                action.metavar = ""
                self._switches.add(action.dest)
            parameter = self.parameters.get(action.dest)
            if parameter is None or parameter.default in (_Parameter.empty, False):
                continue
            if not action.option_strings:
                action.nargs, action.default, action.required = "?", parameter.default, False
            elif get_origin(parameter.annotation) is tuple:
                action.metavar = f"{action.dest.upper()}..."
                self._lists.add(action.dest)
            elif action.dest != _option_name(action.dest):
                action.metavar = _option_name(action.dest).upper()

    def call(self, arguments: Sequence[str]) -> None:
        """Call the function with the values that the arguments stand for.

        Raises:
            UserError: When an option is unknown or a value does not fit.
            SystemExit: After the help.
        """
        positional, own, others = self._sort(arguments)
        values = self.parse_args([*own, *positional]).as_dict()
        first = [
            values.pop(name)
            for name, parameter in self.parameters.items()
            if parameter.kind is _Parameter.POSITIONAL_ONLY
        ]
        any_number = values.pop(self._variadic, []) if self._variadic else others
        self.function(*first, *any_number, **values)

    def copy_arguments(self, parser: argparse.ArgumentParser, files: Any) -> None:
        """Add the arguments to a plain parser, from which shtab makes the completion of a shell.

        Args:
            parser: To add them to.
            files: How shtab completes names of files, which any text may be.
        """
        for action in self._actions:
            if action.help == argparse.SUPPRESS or action.dest == "help":
                continue
            names = [f"--{_option_name(action.dest)}"] if action.option_strings else [action.dest]
            summary = re.split(r"[.:;]( |$)", action.help or "")[0]
            if action.dest in self._switches:
                parser.add_argument(*names, action="store_true", help=summary)
                continue
            parts = list(_parts(getattr(action, "_typehint", str)))
            choices = [part for part in parts if isinstance(part, str)] or None
            nargs = "*" if action.dest in self._lists else action.nargs
            copied: Any = parser.add_argument(*names, nargs=nargs, choices=choices, help=summary)
            if str in parts:
                copied.complete = files

    @override
    def format_help(self, formatter: argparse.HelpFormatter | None = None) -> str:
        text = super().format_help(formatter)
        for name in self.parameters:
            if name != _option_name(name):
                option = f"--{_option_name(name)} {_option_name(name).upper()}"
                text = text.replace(f"--{name} {_option_name(name).upper()}", f"{option} ")
        return f"{text}\n{self.more_help}" if self.more_help else text

    @property
    def _variadic(self) -> str | None:
        names = [
            name
            for name, parameter in self.parameters.items()
            if parameter.kind is _Parameter.VAR_POSITIONAL and name != EXPERIMENT_FLAGS
        ]
        return names[0] if names else None

    def _usage(self) -> list[str]:
        """Return the positional arguments and the required options."""
        shown = []
        for name, parameter in self.parameters.items():
            required = parameter.default is _Parameter.empty
            if name == self._variadic:
                shown.append(f"[{name.upper()}...]")
            elif parameter.kind is _Parameter.KEYWORD_ONLY:
                shown += [f"--{name} {name.upper()}"] if required else []
            elif parameter.kind is _Parameter.POSITIONAL_ONLY and not required:
                shown.append(f"[{parameter.default}]")
            elif required and parameter.kind not in (
                _Parameter.VAR_POSITIONAL,
                _Parameter.VAR_KEYWORD,
            ):
                shown.append(name.upper())
        return shown

    def _sort(self, arguments: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
        """Sort arguments into positional ones, flags of the function, and other flags, with their values."""
        positional: list[str] = []
        own: list[str] = []
        others: list[str] = []
        names = {
            f"--{_option_name(each.dest)}": each.dest
            for each in self._actions
            if each.option_strings
        }
        rest = list(arguments)
        while rest:
            argument = rest.pop(0)
            flag, equals, value = argument.partition("=")
            name = names.get(f"--{flag[2:].replace('-', '_')}")
            if not flag.startswith("--") and flag not in ("-h", "-c"):
                positional.append(argument)
            elif flag in ("-h", "--help"):
                own.append(flag)
            elif name in self._switches and not equals:
                explicit = bool(rest) and rest[0].lower() in ("true", "false")
                own.append(f"--{name}={rest.pop(0) if explicit else 'true'}")
            elif name in self._lists:
                values = [value] if equals else []
                while rest and not rest[0].startswith("--"):
                    values.append(rest.pop(0))
                own.append(f"--{name}={json.dumps(values)}" if values else f"--{name}")
            elif name or EXPERIMENT_FLAGS in self.parameters:
                target = own if name else others
                target.append(f"--{name}{equals}{value}" if name else argument)
                if not equals and rest and not rest[0].startswith("--"):
                    target.append(rest.pop(0))
            else:
                raise SettingError("", f"unknown option {flag}{did_you_mean(flag, names)}")
        return positional, own, others


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield the types and literals that make up a type.

    >>> list(_parts(tuple[str, ...] | None))
    [<class 'str'>, Ellipsis, <class 'NoneType'>]
    """
    parts = get_args(annotation)
    if not parts:
        yield annotation
    for part in parts:
        yield from _parts(part)


def _option_name(name: str) -> str:
    """Return a parameter's name as an option has it, without the underscore that a keyword needs.

    >>> _option_name("from_"), _option_name("to")
    ('from', 'to')
    """
    bare = name.removesuffix("_")
    return bare if keyword.iskeyword(bare) else name
