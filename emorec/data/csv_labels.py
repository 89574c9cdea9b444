"""The classes of a CSV file: their names, their order, and which one a row is of."""

from collections.abc import Iterable, Mapping, Sequence

from emorec.data.clip import UNLABELLED
from emorec.errors import UserError


def names_of_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """The classes that occur, numbers by their size and words by the alphabet.

    >>> names_of_classes(["sad", "Angry", "", "sad"]), names_of_classes(["10", "9"])
    (('Angry', 'sad'), ('9', '10'))
    """
    names = {label for label in labels if label}
    if all(name.isdecimal() for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names, key=lambda name: (name.casefold(), name)))


def classes_by_word(labels: Iterable[str], names: Sequence[str]) -> Mapping[str, int]:
    """What each word in a file stands for: a position in the class names, `UNLABELLED` for an empty one.

    Where all words are numbers and no class is called so, they are positions in the class names, from 0.

    Raises:
        UserError: When a word is no class.

    >>> classes_by_word(["sad", ""], ["angry", "sad"]), classes_by_word(["1", "0"], ["angry", "sad"])
    ({'sad': 1, '': -1}, {'1': 1, '0': 0})
    """
    words = list(dict.fromkeys(labels))
    numbers = all(word.isdecimal() for word in words if word) and not set(words) & set(names)
    known = [str(place) for place in range(len(names))] if numbers else list(names)
    unknown = [word for word in words if word and word not in known]
    if unknown:
        raise UserError(
            f"no class is called {', '.join(unknown[:10])}{', ...' if unknown[10:] else ''}; "
            f"the classes are {', '.join(names)}"
        )
    return {word: known.index(word) if word else UNLABELLED for word in words}
