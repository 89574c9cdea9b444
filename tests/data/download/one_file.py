"""A file that a server has, and what was asked of it."""

from tests.zenodo_server import (
    Answer,
    ZenodoServer,
    append,
    without_length,
)

NAME = "a.zip"


CONTENT = b"".join(number.to_bytes(2) for number in range(20_000))


def endless(answer: Answer) -> None:
    """Sends more than the file and does not say how much."""
    append(bytes(9000))(answer)
    without_length(answer)


def ranges(server: ZenodoServer) -> list[str | None]:
    return [asked for _, asked in server.asked]
