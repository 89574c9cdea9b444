"""How people decode clips in a data set of their own: three libraries, each used plainly."""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from emorec.data.clip import Clip
from emorec.data.recipe import Recipe
from emorec.data.resize import Frames, resized
from emorec.data.video.reader import linspace_indices

Decode = Callable[[Path, int], Frames]
"""A video and T become (T, H, W, C) uint8, evenly spaced."""


class PlainlyDecoded:
    """The pictures of a clip, decoded each time by one of these functions; a `Source` like emorec's own.

    Args:
        decode: The function.
        recipe: What the pictures are like.
    """

    def __init__(self, decode: Decode, recipe: Recipe) -> None:
        self.decode = decode
        self.recipe = recipe

    def __call__(self, clip: Clip) -> Frames:
        """(T, H, W, C) uint8."""
        frames = self.decode(clip.path, self.recipe.num_frames)
        return resized(frames, self.recipe.size, self.recipe.resize)


def with_opencv(path: Path, num_frames: int) -> Frames:
    """Reads to the last wanted frame and unpacks the wanted ones.

    Raises:
        RuntimeError: When OpenCV gives no frame at all.
    """
    # one thread, as the loader's workers are the parallelism here
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    wanted = linspace_indices(max(1, int(video.get(cv2.CAP_PROP_FRAME_COUNT))), num_frames)
    kept: dict[int, Any] = {}
    for index in range(wanted[-1] + 1):
        if not video.grab():
            break
        if index in wanted:
            kept[index] = cv2.cvtColor(video.retrieve()[1], cv2.COLOR_BGR2RGB)
    video.release()
    return _in_order(path, kept, wanted)


def with_pyav(path: Path, num_frames: int) -> Frames:
    """Decodes all frames and converts the wanted ones.

    Raises:
        RuntimeError: When PyAV gives no frame at all.
    """
    import av

    with av.open(str(path)) as file:
        video = file.streams.video[0]
        wanted = linspace_indices(max(1, video.frames), num_frames)
        kept = {
            index: frame.to_ndarray(format="rgb24")
            for index, frame in enumerate(file.decode(video))
            if index in wanted
        }
    return _in_order(path, kept, wanted)


def with_torchcodec(path: Path, num_frames: int) -> Frames:
    """Asks for the wanted frames, which torchcodec seeks."""
    from torchcodec.decoders import VideoDecoder

    video = VideoDecoder(str(path), dimension_order="NHWC")
    wanted = linspace_indices(len(video), num_frames)
    frames: Frames = video.get_frames_at(wanted).data.numpy()
    return frames


def _in_order(path: Path, kept: dict[int, Any], wanted: list[int]) -> Frames:
    if not kept:
        raise RuntimeError(f"{path}: no frame could be decoded")
    # files may promise more frames than they hold: the last one stands for the rest
    return np.stack([kept.get(index, kept[max(kept)]) for index in wanted])


PLAIN_DECODERS: dict[str, tuple[str, Decode]] = {
    "opencv": ("cv2", with_opencv),
    "pyav": ("av", with_pyav),
    "torchcodec": ("torchcodec.decoders", with_torchcodec),
}
"""Name -> what is imported, and the function."""


def installed_decoders() -> dict[str, Decode]:
    """Those whose package is there and finds what it needs.

    >>> "opencv" in installed_decoders()
    True
    """
    there = {}
    for name, (package, decode) in PLAIN_DECODERS.items():
        with suppress(ImportError, RuntimeError, OSError):  # torchcodec without FFmpeg
            import_module(package)
            there[name] = decode
    return there
