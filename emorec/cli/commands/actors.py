"""How people write lists of actors."""

from emorec.errors import UserError


def parse_actors(text: str) -> list[int]:
    """The actors that a list of numbers and ranges names.

    >>> parse_actors("1-3,23")
    [1, 2, 3, 23]

    Raises:
        UserError: When the text is no such list.
    """
    actors: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            span = range(int(first), int(last if dash else first) + 1)
        except ValueError:
            span = range(0)
        if not span:
            raise UserError(f"actors is {text!r}: write numbers and ranges, as in 1-4,23,24")
        actors |= set(span)
    return sorted(actors)
