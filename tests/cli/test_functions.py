"""Parsing the command line of a plain command into function arguments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from emorec.cli.functions import FunctionParser
from emorec.errors import UserError

calls: list[tuple[object, ...]] = []


def brew(
    kind: Literal["tea", "mate"] = "tea",
    /,
    *,
    from_: str | None = None,
    milk: bool = False,
    hot_water: bool = True,
    num_cups: int = 1,
) -> None:
    """Brew something.

    Args:
        kind: Kind of drink.
        from_: Region of origin.
        milk: With milk.
        hot_water: With hot water.
        num_cups: Number of cups.
    """
    calls.append((kind, from_, milk, hot_water, num_cups))


def pour(cup: str, *, spill: bool = False) -> None:
    """Pour it.

    Args:
        cup: Cup to fill.
        spill: Spill some.
    """
    calls.append((cup, spill))


@dataclass(frozen=True)
class Options:
    """Options of `serve`.

    Attributes:
        num_spoons: Number of spoons.
    """

    num_spoons: int = 1


def serve(*guests: str, sugar: bool = False, **options: Any) -> None:
    """Serve it.

    Args:
        guests: Names of the guests.
        sugar: Add sugar.
        **options: See Options.
    """
    calls.append((guests, sugar, Options(**options)))


def plan(file: str, /, *experiment_flags: str, jobs: int = 1, dry_run: bool = False) -> None:
    """Plan it.

    Args:
        file: Study to plan.
        *experiment_flags: Flags of emorec fit.
        jobs: Runs at a time.
        dry_run: Start none.
    """
    calls.append((file, experiment_flags, jobs, dry_run))


def parse(arguments: str, function: Callable[..., None] = brew) -> tuple[object, ...]:
    calls.clear()
    FunctionParser("brew", function).call(arguments.split())
    (call,) = calls
    return call


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ("", ("tea", None, False, True, 1)),
        ("mate", ("mate", None, False, True, 1)),
        ("--from Assam", ("tea", "Assam", False, True, 1)),
        ("--from=Assam mate", ("mate", "Assam", False, True, 1)),
        ("--milk", ("tea", None, True, True, 1)),
        ("--milk mate", ("mate", None, True, True, 1)),
        ("mate --milk --num_cups 2", ("mate", None, True, True, 2)),
        ("--milk true", ("tea", None, True, True, 1)),
        ("--milk=false", ("tea", None, False, True, 1)),
        ("--milk False mate", ("mate", None, False, True, 1)),
        ("--hot-water false --num-cups=3", ("tea", None, False, False, 3)),
        ("--hot_water false --num_cups=3", ("tea", None, False, False, 3)),
        ("--from some-where", ("tea", "some-where", False, True, 1)),
    ],
)
def test_command_line_arguments_become_function_arguments(
    arguments: str, call: tuple[object, ...]
) -> None:
    assert parse(arguments) == call


def test_a_parameter_without_a_default_is_positional() -> None:
    assert parse("mug --spill", pour) == ("mug", True)
    assert parse("--spill mug", pour) == ("mug", True)


@pytest.mark.parametrize(
    "arguments", ["Ann Bo --sugar --num-spoons 2", "--num_spoons=2 Ann --sugar Bo"]
)
def test_positionals_may_stand_anywhere_and_a_dataclass_defines_options(arguments: str) -> None:
    assert parse(arguments, serve) == (("Ann", "Bo"), True, Options(num_spoons=2))
    assert parse("", serve) == ((), False, Options())


def test_a_tuple_takes_all_values_up_to_the_next_option() -> None:
    def bake(*guests: str, toppings: tuple[str, ...] = (), sugar: bool = False) -> None:
        """Bake it.

        Args:
            guests: Names of the guests.
            toppings: What goes on it.
            sugar: Add sugar.
        """
        calls.append((guests, toppings, sugar))

    assert parse("Ann --toppings nuts figs --sugar", bake) == (("Ann",), ("nuts", "figs"), True)
    assert parse("--toppings=nuts Ann", bake) == ((), ("nuts", "Ann"), False)
    assert parse("Ann", bake) == (("Ann",), (), False)
    with pytest.raises(UserError, match="toppings"):
        parse("Ann --toppings --sugar", bake)


def test_experiment_flags_are_forwarded_with_their_values() -> None:
    arguments = "study.yaml --data.root clips --jobs 2 --trainer.max_epochs=3 --dry-run -c a.yaml"
    flags = ("--data.root", "clips", "--trainer.max_epochs=3", "-c", "a.yaml")
    assert parse(arguments, plan) == ("study.yaml", flags, 2, True)


@pytest.mark.parametrize(
    ("arguments", "value", "remedy"),
    [
        ("--form x", "--form", "did you mean --from?"),
        ("--from_ x", "--from_", "did you mean --from?"),
        ("--num-cup 2", "--num-cup", "did you mean --num_cups?"),
        ("--milc mate", "--milc", "did you mean --milk?"),
        ("coffee", "coffee", "Literal['tea', 'mate']"),
        ("--milk=maybe", "maybe", "milk: Expected a bool"),
        ("--hot_water", "--hot_water", "expected one argument"),
        ("--from --milk", "--from", "expected one argument"),
        ("--num_cups two", "two", "num_cups: Expected a int"),
        ("tea mate", "mate", "unrecognized arguments"),
    ],
)
def test_a_mistake_is_one_line(arguments: str, value: str, remedy: str) -> None:
    with pytest.raises(UserError) as error:
        parse(arguments)
    message = str(error.value)
    assert value in message
    assert remedy in message
    assert "\n" not in message


def test_the_help_shows_flags_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--help")
    text = capsys.readouterr().out
    assert text.startswith("usage: emorec brew [tea] [options]\n\nBrew something.\n")
    for line in ("  {tea,mate}", "  --from FROM ", "  --milk ", "  --hot_water {true,false}"):
        assert f"\n{line}" in text
    assert "from_" not in text
