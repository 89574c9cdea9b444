"""Words in a file become positions among the classes."""

import pytest

from emorec.data.csv_labels import classes_by_word, names_of_classes
from emorec.errors import UserError


def test_classes_come_in_the_order_of_the_alphabet_and_numbers_by_size() -> None:
    assert names_of_classes(["sad", "Happy", "angry", "", "sad"]) == ("angry", "Happy", "sad")
    assert names_of_classes(["10", "2", "1"]) == ("1", "2", "10")
    assert names_of_classes(["10", "2", "x"]) == ("10", "2", "x")


def test_numbers_are_positions_unless_classes_are_called_so() -> None:
    assert classes_by_word(["2", "0", ""], ["a", "b", "c"]) == {"2": 2, "0": 0, "": -1}
    assert classes_by_word(["2", "10"], ["2", "10"]) == {"2": 0, "10": 1}


@pytest.mark.parametrize(
    ("words", "unknown"), [(["joy", "a", "fun"], "joy, fun"), (["3", "0"], "3"), (["0", "a"], "0")]
)
def test_what_is_no_class_is_told_with_those_that_are(words: list[str], unknown: str) -> None:
    with pytest.raises(UserError, match=f"no class is called {unknown}; the classes are a, b, c"):
        classes_by_word(words, ["a", "b", "c"])
