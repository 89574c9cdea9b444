"""Clips drawn on the spot, where no data set is at hand."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeGuard

from emorec.data import ClipDataModule, RavdessDataModule
from emorec.data.clip import Clip
from emorec.data.sets.ravdess.parser import ROOT_VARIABLE, find_clips
from emorec.data.split import ACTORS
from emorec.data.synthetic.clips import write_dataset
from emorec.data.synthetic.settings import ClipSettings

SETTINGS = ClipSettings(num_frames=12, sound=False)
"""Of the clips: the shortest that ten frames can still be chosen from."""


def needs_drawn_clips(data: ClipDataModule) -> TypeGuard[RavdessDataModule]:
    """Whether RAVDESS's spoken clips are wanted and nobody has said where they are."""
    return (
        isinstance(data, RavdessDataModule)
        and not (data.root or os.environ.get(ROOT_VARIABLE))
        and data.channel == "speech"
    )


@contextmanager
def drawn_clips(data: RavdessDataModule) -> Iterator[None]:
    """Within it, a data module has drawn clips, and a cache that is theirs alone."""
    with tempfile.TemporaryDirectory(prefix="emorec-bench-") as folder:
        draw_clips(Path(folder, "clips"), twins=data.modality != "av")
        data.root = str(Path(folder, "clips"))
        if data.cache == "auto":
            data.cache = str(Path(folder, "cache"))
        yield


def found_or_drawn(root: str | None, folder: Path) -> Sequence[Clip]:
    """The clips below `root`, or below what EMOREC_RAVDESS_ROOT names, else some that are drawn.

    Args:
        root: Where RAVDESS was unzipped.
        folder: For drawn clips.

    Raises:
        UserError: When there is no clip below `root`.
    """
    root = root or os.environ.get(ROOT_VARIABLE)
    if root is None:
        draw_clips(folder, actors=8)
        root = str(folder)
    return find_clips(root).clips


def draw_clips(folder: Path, *, actors: int = len(ACTORS), twins: bool = False) -> None:
    """A clip of each emotion by each of the first actors.

    Args:
        folder: Is made.
        actors: How many.
        twins: Add a silent copy of each.
    """
    write_dataset(folder, actors=ACTORS[:actors], takes=1, settings=SETTINGS, twins=twins)
