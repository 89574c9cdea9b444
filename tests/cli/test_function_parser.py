"""How the words after a plain command become a function's arguments."""

from typing import Literal

import pytest

from emorec.cli.function_parser import FunctionParser
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


def called(words: str, function: object = brew) -> tuple[object, ...]:
    calls.clear()
    FunctionParser("brew", "Brew.", function).call(words.split())
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
    ("words", "line"),
    [
        ("--form x", "--form: there is no such option, did you mean --from?"),
        ("--from_ x", "--from_: there is no such option, did you mean --from?"),
        ("--num-cup 2", "--num-cup: there is no such option, did you mean --num_cups?"),
        ("--milc mate", "--milc: there is no such option, did you mean --milk?"),
        ("coffee", "kind is coffee: choose tea or mate"),
        ("--milk=maybe", "milk is maybe: it takes true or false"),
        ("--hot_water", "a value is missing after --hot_water"),
        ("--from --milk", "a value is missing after --from"),
        ("--num_cups two", "num_cups is two: it takes a whole number"),
        ("tea mate", "mate: there is no option before it, and options start with --"),
    ],
)
def test_a_mistake_is_one_line(words: str, line: str) -> None:
    with pytest.raises(UserError) as refused:
        called(words)
    assert str(refused.value) == line


def test_the_help_shows_what_people_type(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        called("--help")
    text = capsys.readouterr().out
    assert text.startswith("usage: emorec brew [tea] [options]")
    for line in ("  {tea,mate}", "  --from FROM ", "  --milk ", "  --hot_water {true,false}"):
        assert f"\n{line}" in text
    assert "from_" not in text
