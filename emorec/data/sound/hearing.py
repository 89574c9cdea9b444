"""What a run hears of its clips: which have sound, where it comes from, and how it is varied."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypedDict

import numpy as np
import torch
from torch import Tensor

from emorec.data.admit import list_broken, look_where_asked
from emorec.data.cache.look_through import BrokenClip
from emorec.data.cache.manifest import Part, part
from emorec.data.clip import Clip
from emorec.data.file_lists import listed
from emorec.data.sound.decode_sound import NO_SOUND
from emorec.data.sound.sound_recipe import SoundRecipe, as_floats
from emorec.data.sound.vary_sound import vary
from emorec.data.source import DecodedSound, SoundSource

log = logging.getLogger(__name__)

SoundMissing = Literal["error", "silence"]


class Heard(TypedDict, total=False):
    """The sound of a clip: (samples,) float32 from -1 to 1, and whether it has any; what has none is silence."""

    sound: Tensor
    heard: bool


class Hearing:
    """Gives the sound of clips.

    Args:
        recipe: What the samples are like.
        missing: What becomes of a clip without sound: it is an "error", or heard as "silence".
        seed: The run's seed; with epoch and position it decides what is drawn.
    """

    def __init__(self, recipe: SoundRecipe, missing: SoundMissing, seed: int) -> None:
        self.recipe = recipe
        self.missing = missing
        self.seed = seed
        self.source: SoundSource = DecodedSound(recipe)
        self.silent: set[Part] = set()

    def look_through(self, clips: Sequence[Clip], *, cache: str, workers: int) -> list[BrokenClip]:
        """Decodes the sound of all clips once and keeps it where it may; returns the clips that can't be used.

        Args:
            clips: Those that are needed.
            cache: "auto", "none" or a folder; see `ClipDataModule`.
            workers: Processes that decode.

        Raises:
            UserError: When the cache that was asked for can't be used.
        """
        wanted = [sound_of(clip) for clip in clips]
        looked = look_where_asked(wanted, self.recipe, cache=cache, workers=workers)
        self.source = looked.sound_source(self.recipe)
        self.silent = {
            each
            for each, entry in looked.entries.items()
            if entry.error == NO_SOUND and self.missing == "silence"
        }
        broken = []
        for clip in clips:
            sound = part(sound_of(clip))
            error = looked.entries[sound].error
            if error is not None and sound not in self.silent:
                reason = error if error == NO_SOUND else f"its sound: {error}"
                broken.append(BrokenClip(clip.path, reason, part(clip)))
        return broken

    def tell(self, clips: Sequence[Clip], broken: Sequence[BrokenClip]) -> None:
        """Warns of clips that are left out, and of those that are heard as silence."""
        if broken:
            log.warning("left out %d clips: %s", len(broken), list_broken(broken))
        silent = [clip.path for clip in clips if part(sound_of(clip)) in self.silent]
        if silent:
            names = listed([(path, "") for path in silent])
            log.warning(
                "%d of %d clips have no sound and are silence: %s", len(silent), len(clips), names
            )

    def __call__(self, clip: Clip, draw: tuple[int, int] | None = None) -> Heard:
        """The sound of a clip.

        Args:
            clip: One that was looked through.
            draw: Epoch and position of a clip whose sound is to be varied; `None` leaves it as it is.
        """
        wanted = sound_of(clip)
        if part(wanted) in self.silent:
            return Heard(sound=torch.zeros(self.recipe.shape), heard=False)
        sound = as_floats(self.source(wanted))
        if draw is not None:
            sound = vary(
                sound, np.random.default_rng([self.seed, *draw, 1]), self.recipe.sound_rate
            )
        return Heard(sound=torch.from_numpy(sound), heard=True)


def sound_of(clip: Clip) -> Clip:
    """A clip whose path is the file of the sound, and whose span is that of the sound in it.

    >>> from pathlib import Path
    >>> clip = Clip(path=Path("a.avi"), label=0, actor=1, take="a", span_seconds=(1, 2), sound_path=Path("a.wav"))
    >>> sound_of(clip).path.name, sound_of(clip).span_seconds
    ('a.wav', None)
    """
    if clip.sound_path is None:
        return replace(clip, half=None)
    return replace(clip, path=clip.sound_path, span_seconds=None, half=None, sound_path=None)
