"""Windows that go through a network together."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from emorec.inference.facts import Facts
from emorec.inference.runtime import Windows
from emorec.inference.window import Hole, Window

LOOK_AHEAD = 4
"""Batches of stretches without anybody that may wait until a batch of windows with somebody is full."""


def batches(pieces: Iterable[Window | Hole], size: int) -> Iterator[list[Window | Hole]]:
    """The pieces of a video in their order, cut where so many have something for the network.

    What has nothing for it waits with the others, so that the order stays, but never for long.

    Args:
        pieces: Of a video.
        size: The most that go through the network together.

    >>> nobody = [Hole(0, 1), Hole(1, 2)]
    >>> [len(batch) for batch in batches(nobody, 16)]
    [1, 1]
    """
    waiting: list[Window | Hole] = []
    full = 0
    for piece in pieces:
        waiting.append(piece)
        full += has_somebody(piece)
        if full in (0, size) or len(waiting) >= LOOK_AHEAD * size:
            yield waiting
            waiting, full = [], 0
    if waiting:
        yield waiting


def has_somebody(piece: Window | Hole) -> bool:
    """Whether there is something for the network."""
    return isinstance(piece, Window) and piece.person is not None


def stacked(windows: Sequence[Window], facts: Facts) -> Windows:
    """B windows as the network takes them.

    Raises:
        ValueError: When a window lacks what the network takes.
    """
    given = Windows()
    if facts.sees:
        frames = [window.frames for window in windows if window.frames is not None]
        given["frames"] = np.stack(frames)  # (B, T, H, W, 3)
    if facts.hears:
        sound = [window.sound for window in windows if window.sound is not None]
        given["sound"] = np.stack(sound)  # (B, samples)
    if "heard" in facts.inputs:
        given["heard"] = np.array([window.heard for window in windows])  # (B,)
    if any(
        len(each) != len(windows)
        for each in (given.get("frames", windows), given.get("sound", windows))
    ):
        raise ValueError(f"of {len(windows)} windows some lack frames or sound")
    return given
