"""Which frames of a video a clip is made of. Pure functions: (frames there are, frames wanted) -> indices."""

import numpy as np


def linspace_indices(video_frames: int, num_frames: int) -> list[int]:
    """T indices spread evenly from the first frame to the last, rounded down; a shorter video repeats frames.

    Args:
        video_frames: N, the frames that the video really has.
        num_frames: T.

    Raises:
        ValueError: When either is below 1.

    >>> linspace_indices(98, num_frames=6)
    [0, 19, 38, 58, 77, 97]
    >>> linspace_indices(3, num_frames=5)
    [0, 0, 1, 1, 2]
    >>> linspace_indices(98, num_frames=1)
    [0]
    """
    if video_frames < 1 or num_frames < 1:
        raise ValueError(f"can't take {num_frames} frames of a video that has {video_frames}")
    # dtype=int rounds down, as in the seed study, whose results are to be reproduced
    indices: list[int] = np.linspace(0, video_frames - 1, num_frames, dtype=int).tolist()
    return indices
