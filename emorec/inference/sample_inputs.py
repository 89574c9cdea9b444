"""Sample inputs of a network: windows of real clips, or of synthetic faces and voices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from emorec.data.audio.decode import NO_SOUND, decode_audio
from emorec.data.audio.spec import fit_length, to_float
from emorec.data.augment import ClipTransform
from emorec.data.clip import UNLABELLED, Clip
from emorec.data.preprocessing import FrameSpec, resize_frames
from emorec.data.sets.csv.parser import VIDEO_SUFFIXES
from emorec.data.synthetic.clips import draw_clip, plan, voice_clip
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.synthetic.voice import SAMPLE_RATE
from emorec.data.video.reader import ClipError, Frames, linspace_indices
from emorec.errors import UserError
from emorec.image_size import size_before_crop
from emorec.inference.audio import audio_preprocessing
from emorec.inference.spec import Inputs, ModelSpec
from emorec.io import list_files

MAX_CLIPS = 8

Sound = tuple[npt.NDArray[np.float32], bool]
"""(samples,), and whether the clip has sound."""


def sample_inputs(spec: ModelSpec, folder: Path | None) -> tuple[Inputs, str]:
    """Return the inputs of up to eight clips, and a description of the clips.

    Args:
        spec: Of the network.
        folder: Of videos at any depth, from which evenly spaced ones are taken; `None`: synthetic faces.

    Raises:
        UserError: When there is no video, or one can't be decoded.
    """
    if folder is None:
        return synthetic_inputs(spec), f"{MAX_CLIPS} drawn faces"
    videos = [path for path in list_files(folder) if path.suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        raise UserError(f"no video below {folder}: name a folder of clips with --clips")
    paths = [videos[index] for index in linspace_indices(len(videos), min(MAX_CLIPS, len(videos)))]
    sounds = [_read_sound(path, spec) for path in paths] if spec.uses_sound else []
    frames = [_read_frames(path, spec) for path in paths] if spec.uses_frames else []
    return _stack(spec, frames, sounds), f"{len(paths)} clips of {folder}"


def synthetic_inputs(spec: ModelSpec, count: int = MAX_CLIPS) -> Inputs:
    """Return inputs of synthetic faces that act the emotions in turn, with their voices."""
    settings = ClipSettings(num_frames=max(1, spec.num_frames))
    names = (plan(actors=[1], takes=1) * count)[:count]
    frames = [resize_frames(draw_clip(name, settings), spec.image_size) for name in names]
    spoken = ClipSettings(num_frames=max(1, round(spec.sound_seconds * settings.fps)))
    sounds = [(_resample(voice_clip(name, spoken), spec), True) for name in names]
    return _stack(spec, frames, sounds)


def _stack(spec: ModelSpec, frames: Sequence[Frames], sounds: Sequence[Sound]) -> Inputs:
    inputs: dict[str, Any] = {}
    if spec.uses_frames:
        inputs["frames"] = np.stack(frames)
    if spec.uses_sound:
        inputs["sound"] = np.stack([samples for samples, _ in sounds])
        inputs["heard"] = np.array([has_sound for _, has_sound in sounds])
    return cast("Inputs", {name: inputs[name] for name in spec.inputs})


def _read_frames(path: Path, spec: ModelSpec) -> Frames:
    """(T, H, W, 3), whole frames even for a network of faces: runtimes are compared, not accuracy."""
    size = size_before_crop(spec.image_size)
    frame_spec = FrameSpec(num_frames=spec.num_frames, size=size, resize=spec.resize)
    clip = Clip(path=path, label=UNLABELLED, actor="", take=path.stem)
    return ClipTransform(spec.image_size)(frame_spec.load(clip))


def _read_sound(path: Path, spec: ModelSpec) -> Sound:
    preprocessing = audio_preprocessing(spec)
    try:
        waveform = decode_audio(path, preprocessing.sound_rate)
        return to_float(preprocessing.fit(waveform)), True
    except ClipError as error:
        if error.reason != NO_SOUND:
            raise
        return preprocessing.silence, False


def _resample(voice: npt.NDArray[np.float32], spec: ModelSpec) -> npt.NDArray[np.float32]:
    """Return a synthetic voice at the sample rate and of the length of the network's input."""
    times = np.arange(spec.sound_samples) / spec.sound_rate
    voice_times = np.arange(len(voice)) / SAMPLE_RATE
    return fit_length(np.interp(times, voice_times, voice).astype(np.float32), len(times))
