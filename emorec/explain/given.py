"""A clip as a trained network takes it: the chain of its training, without anything drawn at random."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from emorec.checkpoint import Checkpoint
from emorec.data.clip import Clip
from emorec.data.clip_length import file_seconds
from emorec.data.decoding.decode import ClipError
from emorec.data.faces.detector_file import find_detector
from emorec.data.ravdess import RavdessName
from emorec.data.recipe import Recipe
from emorec.data.resize import size_to_crop
from emorec.data.sound.decode_sound import NO_SOUND
from emorec.data.sound.hearing import sound_of
from emorec.data.sound.sound_recipe import as_floats
from emorec.data.source import DecodedPictures, DecodedSound
from emorec.data.transform import ClipTransform
from emorec.inference.audio import audio_preprocessing
from emorec.inference.spec import ModelSpec
from emorec.inference.windows import window_times

ONE_FRAME_WITHIN = 1.0
"""Seconds."""


class Chain:
    """Makes of a clip what a network takes.

    Args:
        said: What the checkpoint says of the data.
        facts: What there is to know of the network.

    Raises:
        UserError: When the face detector of the training can't be had.
    """

    def __init__(self, said: Checkpoint, facts: ModelSpec) -> None:
        data = said.data["init_args"]
        self.inputs = facts.inputs
        recipe = Recipe(
            num_frames=facts.num_frames if facts.uses_frames else 0,
            size=size_to_crop(facts.image_size),
            resize=facts.resize,
            decoder=data.get("decoder", "decord"),
            face_detector=find_detector(data.get("face_detector", "auto")) if facts.face else None,
        )
        self._pictures = DecodedPictures(recipe)
        self._transform = ClipTransform(facts.image_size)
        self._sound = audio_preprocessing(facts)

    def __call__(self, clip: Clip) -> dict[str, Tensor]:
        """By input, in the network's order: frames (1, T, 3, H, W) uint8, sound (1, samples), heard (1,).

        Raises:
            ClipError: When the clip can't be decoded, or has no sound and the network sees nothing.
        """
        given: dict[str, Tensor] = {}
        if "frames" in self.inputs:
            frames = torch.from_numpy(self._transform(self._pictures(clip)))  # (T, H, W, 3)
            given["frames"] = frames.permute(0, 3, 1, 2)[None]
        if "sound" in self.inputs:
            given["sound"], heard = self._heard(clip)
            given["heard"] = torch.tensor([heard])
        return {name: given[name] for name in self.inputs}

    def _heard(self, clip: Clip) -> tuple[Tensor, bool]:
        try:
            samples = DecodedSound(self._sound)(sound_of(clip))
        except ClipError as error:
            if error.reason != NO_SOUND or "frames" not in self.inputs:
                raise
            return torch.from_numpy(self._sound.silence)[None], False
        return torch.from_numpy(as_floats(samples))[None], True


def clip_of(path: Path, facts: ModelSpec, start: float | None = None) -> Clip:
    """A file as a clip, or a window of it; of a network that was trained on RAVDESS its name may tell the truth.

    Args:
        path: A video.
        facts: Of the network that is to take it.
        start: When the window starts, in seconds; by default a file that is longer than a window and a half, as
            `emorec predict` counts, is seen from its beginning.

    >>> from emorec.explain.given import truth_in
    >>> truth_in("01-01-03-01-01-01-07", ("calm", "happy")), truth_in("holiday", ("calm", "happy"))
    (1, -1)
    """
    known = facts.names if facts.data == "emorec.data.RavdessDataModule" else ()
    label = truth_in(path.stem, known)
    span = _window_at(path, facts, start)
    return Clip(path=path, label=label, actor="", take=path.stem, span_seconds=span)


def _window_at(path: Path, facts: ModelSpec, start: float | None) -> tuple[float, float] | None:
    """Start and end in seconds; `None` for all of a file."""
    if start is None:
        seconds = file_seconds(path)
        if seconds is None:
            return None
        window = facts.window_seconds
        start, end = next(window_times(seconds, window_seconds=window, hop_seconds=window))
        if end == seconds:
            return None
    # of a single frame the next one that starts, however slow the film
    return start, start + (facts.window_seconds if facts.num_frames != 1 else ONE_FRAME_WITHIN)


def truth_in(stem: str, names: tuple[str, ...]) -> int:
    """Position of the emotion that a RAVDESS name tells, -1 where it is another name or another emotion."""
    try:
        emotion = RavdessName.parse(stem).emotion
    except ValueError:
        return -1
    return names.index(emotion) if emotion in names else -1


def on(device: torch.device, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same on a device."""
    return {name: value.to(device) for name, value in given.items()}
