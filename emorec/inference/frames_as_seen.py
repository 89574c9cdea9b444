"""Frames that somebody has become a window, as those of a video do."""

from emorec.data.decoding.decode import Frames
from emorec.data.decoding.sample import linspace_indices
from emorec.data.faces.detector import FaceDetector
from emorec.data.faces.face import Box, clip_box
from emorec.inference.facts import Facts
from emorec.inference.looks import as_trained, face_as_trained
from emorec.inference.sound_windows import sound_recipe
from emorec.inference.window import Window


def frames_as_seen(frames: Frames, facts: Facts, detector: FaceDetector | None) -> Window:
    """A window of T of the frames, as the network would see them of a clip; nothing is heard.

    Args:
        frames: (N, H, W, 3) uint8, RGB.
        facts: Of a network that sees.
        detector: Finds the face that is cut out; `None` keeps the whole pictures.
    """
    chosen = frames[linspace_indices(len(frames), facts.num_frames)]  # (T, H, W, 3)
    box: Box | None = None
    found: int | None = None
    if detector is not None:
        face = clip_box(chosen, detector)
        box, found = face.box, face.found
        if box is None:
            return Window(start=0, end=0, person=None, frames=None, face_frames=found)
    return Window(
        start=0,
        end=0,
        person=1,
        frames=face_as_trained(chosen, box, facts) if box else as_trained(chosen, facts),
        sound=sound_recipe(facts).silence if facts.hears else None,
        box=box,
        face_frames=found,
    )
