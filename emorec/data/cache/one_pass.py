"""Clips that are spans of one video are asked for together: one pass through it instead of one for each."""

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

from emorec.data.cache.decode_pool import DecodePool

MOST_TOGETHER = 16
"""Spans a pass. Their frames are in memory at the same time, 330 MB of 20 frames of IEMOCAP each."""

Requests = Mapping[str, Mapping[str, Any]]


def answers(pool: DecodePool, requests: Requests) -> Generator[tuple[str, dict[str, Any]]]:
    """What comes of each request, in the order in which it comes.

    A pass at which something went wrong says nothing of the spans in it, of which others may be whole: these are then
    asked for one by one, so that each clip gets the answer that it would get alone.

    Raises:
        RuntimeError: When no process can be started.
    """
    alone: dict[str, Mapping[str, Any]] = {}
    together = {keys: _together([requests[key] for key in keys]) for keys in passes(requests)}
    with closing(pool.answers(together)) as found:
        for keys, answer in found:
            parts = answer.get("parts") if len(keys) > 1 else [answer]
            for key, part in zip(keys, parts or [None] * len(keys), strict=True):
                if part is None:
                    alone[key] = requests[key]
                else:
                    yield key, part
    with closing(pool.answers(alone)) as found:
        yield from found


def passes(requests: Requests) -> list[tuple[str, ...]]:
    """The keys of the requests that one pass can answer, each key once.

    >>> span = {"path": "a.avi", "recipe": {"decoder": "pyav"}, "slot": 0}
    >>> asked = {"late": span | {"span_seconds": (5, 6)}, "early": span | {"span_seconds": (1, 2)}}
    >>> passes(asked | {"whole": {"path": "a.avi", "recipe": {"decoder": "pyav"}, "span_seconds": None}})
    [('early', 'late'), ('whole',)]
    """
    of_file: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key, request in requests.items():
        spans = request.get("span_seconds") is not None and "decoder" in request.get("recipe", {})
        of_file[(request["path"],) if spans else (request["path"], key)].append(key)
    found = []
    for keys in of_file.values():
        if len(keys) > 1:  # in their order in time, so that a pass need not go to the end
            keys.sort(key=lambda key: tuple(requests[key]["span_seconds"]))
        found += [
            tuple(keys[start : start + MOST_TOGETHER])
            for start in range(0, len(keys), MOST_TOGETHER)
        ]
    return found


def _together(requests: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    if len(requests) == 1:
        return requests[0]
    own = ("span_seconds", "half", "slot")
    parts = [{name: request[name] for name in own} for request in requests]
    return {**requests[0], "parts": parts}
