"""How the words after a plain command become a function's arguments."""

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
        kind: What.
        from_: Where it grew.
        milk: With milk.
        hot_water: With hot water.
        num_cups: How many.
    """
    calls.append((kind, from_, milk, hot_water, num_cups))


def pour(cup: str, *, spill: bool = False) -> None:
    """Pour it.

    Args:
        cup: Into which.
        spill: Spill some.
    """
    calls.append((cup, spill))


@dataclass(frozen=True)
class Options:
    """How to serve.

    Attributes:
        num_spoons: Spoons.
    """

    num_spoons: int = 1


def serve(*guests: str, sugar: bool = False, **options: Any) -> None:
    """Serve it.

    Args:
        guests: To whom.
        sugar: With sugar.
        **options: See Options.
    """
    calls.append((guests, sugar, Options(**options)))


def plan(file: str, /, *experiment_flags: str, jobs: int = 1, dry_run: bool = False) -> None:
    """Plan it.

    Args:
        file: What.
        *experiment_flags: Flags of emorec fit.
        jobs: Runs at a time.
        dry_run: Start none.
    """
    calls.append((file, experiment_flags, jobs, dry_run))


def called(words: str, function: Callable[..., None] = brew) -> tuple[object, ...]:
    calls.clear()
    FunctionParser("brew", function).call(words.split())
    (call,) = calls
    return call


@pytest.mark.parametrize(
    ("words", "call"),
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
def test_words_become_arguments(words: str, call: tuple[object, ...]) -> None:
    assert called(words) == call


def test_what_has_no_default_is_given_by_position() -> None:
    assert called("mug --spill", pour) == ("mug", True)
    assert called("--spill mug", pour) == ("mug", True)


@pytest.mark.parametrize(
    "words", ["Ann Bo --sugar --num-spoons 2", "--num_spoons=2 Ann --sugar Bo"]
)
def test_any_number_of_positionals_stand_anywhere_and_a_dataclass_gives_options(words: str) -> None:
    assert called(words, serve) == (("Ann", "Bo"), True, Options(num_spoons=2))
    assert called("", serve) == ((), False, Options())


def test_flags_of_an_experiment_are_passed_on_with_their_values() -> None:
    words = "study.yaml --data.root clips --jobs 2 --trainer.max_epochs=3 --dry-run -c a.yaml"
    flags = ("--data.root", "clips", "--trainer.max_epochs=3", "-c", "a.yaml")
    assert called(words, plan) == ("study.yaml", flags, 2, True)


@pytest.mark.parametrize(
    ("words", "value", "remedy"),
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
def test_a_mistake_is_one_line(words: str, value: str, remedy: str) -> None:
    with pytest.raises(UserError) as refused:
        called(words)
    message = str(refused.value)
    assert value in message
    assert remedy in message
    assert "\n" not in message


def test_the_help_shows_what_people_type(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        called("--help")
    text = capsys.readouterr().out
    assert text.startswith("usage: emorec brew [tea] [options]\n\nBrew something.\n")
    for line in ("  {tea,mate}", "  --from FROM ", "  --milk ", "  --hot_water {true,false}"):
        assert f"\n{line}" in text
    assert "from_" not in text
