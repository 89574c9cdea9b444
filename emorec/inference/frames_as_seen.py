"""Frames that somebody has become a window, as those of a video do."""

import numpy as np
import numpy.typing as npt

from emorec.data.decoding.sample import linspace_indices
from emorec.data.faces.detector import load_detector
from emorec.data.faces.detector_file import find_detector
from emorec.data.faces.face import Box, clip_box, crop_square, square_around
from emorec.data.resize import Frames, square_side, to_squares
from emorec.inference.facts import Facts
from emorec.inference.settings import Settings
from emorec.inference.window import Window


def frames_as_seen(frames: Frames, facts: Facts, settings: Settings) -> Window:
    """A window of T of the frames, as the network would see them of a clip.

    Args:
        frames: (N, H, W, 3) uint8, RGB.
        facts: Of a network that sees.
        settings: Whether a face is cut out.
    """
    chosen = frames[linspace_indices(len(frames), facts.num_frames)]  # (T, H, W, 3)
    box: Box | None = None
    found: int | None = None
    if settings.crops_faces(facts):
        face = clip_box(chosen, load_detector(find_detector(settings.face_detector)))
        box, found = face.box, face.found
        if box is None:
            return Window(start=0, end=0, person=None, frames=None, face_frames=found)
        chosen = crop_square(chosen, square_around(box))
    return Window(
        start=0,
        end=0,
        person=1,
        frames=central_crop(chosen, facts),
        sound=silence(facts),
        box=box,
        face_frames=found,
    )


def central_crop(frames: Frames, facts: Facts) -> Frames:
    """(T, H, W, 3) -> (T, S, S, 3): what training takes of pictures where nothing is drawn at random."""
    squares = to_squares(frames, square_side(facts.image_size), facts.resize)
    margin = (squares.shape[1] - facts.image_size) // 2
    end = margin + facts.image_size
    return np.ascontiguousarray(squares[:, margin:end, margin:end])


def silence(facts: Facts) -> npt.NDArray[np.float32] | None:
    """(samples,) zeros for a network that also hears."""
    if not facts.hears:
        return None
    return np.zeros(round(facts.sound_rate * facts.sound_seconds), np.float32)
