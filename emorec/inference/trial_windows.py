"""Windows to try a network on: of real clips where there are some, else of drawn faces."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from emorec.data.audio.decode import NO_SOUND, decode_audio
from emorec.data.audio.spec import fit_length, to_float
from emorec.data.augment import ClipTransform
from emorec.data.clip import UNLABELLED, Clip
from emorec.data.csv_paths import VIDEO_SUFFIXES
from emorec.data.decoding.decode import ClipError, Frames
from emorec.data.decoding.sample import linspace_indices
from emorec.data.preprocessing import FrameSpec, resize_frames
from emorec.data.synthetic.clips import draw_clip, plan, voice_clip
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.synthetic.voice import SAMPLE_RATE
from emorec.errors import UserError
from emorec.files import files_below
from emorec.image_size import size_before_crop
from emorec.inference.facts import Facts
from emorec.inference.runtime import Windows
from emorec.inference.sound_windows import sound_recipe

COUNT = 8
"""Of windows."""

Heard = tuple[npt.NDArray[np.float32], bool]
"""(samples,) and whether there is any sound."""


def trial_windows(facts: Facts, folder: Path | None) -> tuple[Windows, str]:
    """Windows of up to eight clips, and what they are in words.

    Args:
        facts: Of the network that takes them.
        folder: Holds videos at any depth, of which some from all over are taken; `None` draws faces and voices.

    Raises:
        UserError: When there is no video, or one can't be decoded.
    """
    if folder is None:
        return drawn_windows(facts), f"{COUNT} drawn faces"
    found = [path for path in sorted(files_below(folder)) if path.suffix.lower() in VIDEO_SUFFIXES]
    if not found:
        raise UserError(f"no video below {folder}: name a folder of clips with --clips")
    paths = [found[index] for index in linspace_indices(len(found), min(COUNT, len(found)))]
    heard = [_heard(path, facts) for path in paths] if facts.hears else []
    frames = [_seen(path, facts) for path in paths] if facts.sees else []
    return _windows(facts, frames, heard), f"{len(paths)} clips of {folder}"


def drawn_windows(facts: Facts, count: int = COUNT) -> Windows:
    """Windows of faces that act the emotions in turn, with their voices."""
    settings = ClipSettings(num_frames=max(1, facts.num_frames))
    names = (plan(actors=[1], takes=1) * count)[:count]
    size = facts.image_size
    frames = (
        [resize_frames(draw_clip(name, settings), size) for name in names] if facts.sees else []
    )
    spoken = ClipSettings(num_frames=max(1, round(facts.sound_seconds * settings.fps)))
    heard = [(_at_rate(voice_clip(name, spoken), facts), True) for name in names]
    return _windows(facts, frames, heard if facts.hears else [])


def _windows(facts: Facts, frames: Sequence[Frames], heard: Sequence[Heard]) -> Windows:
    has: dict[str, Callable[[], Any]] = {
        "frames": lambda: np.stack(frames),
        "sound": lambda: np.stack([sound for sound, _ in heard]),
        "heard": lambda: np.array([there for _, there in heard]),
    }
    given: Any = {name: has[name]() for name in facts.inputs}
    return cast("Windows", given)


def _seen(path: Path, facts: Facts) -> Frames:
    """(T, H, W, 3) of the whole picture: numbers are compared here, no faces are read."""
    size = size_before_crop(facts.image_size)
    clip = Clip(path=path, label=UNLABELLED, actor="", take=path.stem)
    recipe = FrameSpec(num_frames=facts.num_frames, size=size, resize=facts.resize)
    return ClipTransform(facts.image_size)(recipe.load(clip))


def _heard(path: Path, facts: Facts) -> Heard:
    recipe = sound_recipe(facts)
    try:
        return to_float(recipe.fit(decode_audio(path, recipe.sound_rate))), True
    except ClipError as error:
        if error.reason != NO_SOUND:
            raise
        return recipe.silence, False


def _at_rate(sound: npt.NDArray[np.float32], facts: Facts) -> npt.NDArray[np.float32]:
    """A drawn voice at the network's rate and of its length."""
    times = np.arange(facts.sound_samples) / facts.sound_rate
    there = np.arange(len(sound)) / SAMPLE_RATE
    return fit_length(np.interp(times, there, sound).astype(np.float32), len(times))
