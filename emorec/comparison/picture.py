"""A picture of a report, and what its files are called."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is yet to be drawn.

    Attributes:
        name: Of its files, without ending.
        model: The place of the model it shows; `None` for all of them.
        says: What one would see, in a sentence.
        draw: Makes it.
    """

    name: str
    model: int | None
    says: str
    draw: Callable[[], Figure]


def slugs_of(names: Sequence[str]) -> list[str]:
    """Names as parts of file names, no two alike.

    >>> slugs_of(["CNNLSTM, 10 frames", "CNNLSTM (10 frames)", "x/../y"])
    ['CNNLSTM_10_frames', 'CNNLSTM_10_frames_2', 'x_.._y']
    """
    slugs: list[str] = []
    for name in names:
        short = re.sub(r"[^A-Za-z0-9.+-]+", "_", name).strip("_.")[:80] or "model"
        taken = {slug.casefold() for slug in slugs}
        number = 1
        slug = short
        while slug.casefold() in taken:
            number += 1
            slug = f"{short}_{number}"
        slugs.append(slug)
    return slugs
