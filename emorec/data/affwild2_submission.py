"""Predictions of Aff-Wild2 as its challenges want them: a line for every frame of every video."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emorec.data.affwild2 import DIMENSIONS, EXPRESSIONS, Task, Video
from emorec.data.every_frame import Smooth, filled, smoothed
from emorec.data.frame_clips import FrameClips
from emorec.errors import UserError
from emorec.files import whole_file
from emorec.text import listed_files


def named_videos(videos: Sequence[Video], names_file: str | None) -> list[Video]:
    """The videos whose names a file lists, a line each, in its order; all videos without a file.

    Raises:
        UserError: When the file can't be read, or a video is not there.
    """
    if names_file is None:
        return list(videos)
    path = Path(names_file).expanduser()
    try:
        names = path.read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"can't read data.predict_list {path}: {getattr(error, 'strerror', None) or 'no text'}"
        ) from None
    known = {video.name: video for video in videos}
    missing = [(Path(name), "") for name in names if name not in known]
    if missing:
        raise UserError(f"{path} names videos without pictures: {listed_files(missing)}")
    return [known[name] for name in names]


def write_submission(
    path: Path,
    clips: FrameClips,
    values: npt.NDArray[np.float64],
    task: Task,
    *,
    smooth: Smooth,
    width: int,
) -> str:
    """Writes `image_location,valence,arousal`, or the number of the expression, of every frame; says so in a line.

    Frames that were not predicted get values between those of their neighbours; expressions are chosen after their
    probabilities have been filled in and smoothed. Valence and arousal are kept within -1 to 1.

    Args:
        path: The file.
        clips: N frames.
        values: (N, 2) or (N, 8).
        task: Which.
        smooth: See `smoothed`.
        width: See `smoothed`.

    Source: the format is that of the ABAW challenges since 2023.
    """
    # capitals as in the challenge's own files
    names = DIMENSIONS if task == "va" else [name.capitalize() for name in EXPRESSIONS]
    lines, guessed, videos = [",".join(["image_location", *names])], 0, 0
    for video, own, every in _every_frame(clips, values, smooth, width):
        lines += (
            f"{video.name}/{frame:05d}.jpg,{_cells(row, task)}"
            for frame, row in enumerate(every, start=1)
        )
        guessed += len(every) - int(own.sum())
        videos += 1
    with whole_file(path) as file:
        file.write("\n".join([*lines, ""]).encode())
    between = f", {guessed} of them between neighbours" if guessed else ""
    return f"{len(lines) - 1} frames of {videos} videos{between}: {path}"


def smoothed_values(
    clips: FrameClips, values: npt.NDArray[np.float64], smooth: Smooth, width: int
) -> npt.NDArray[np.float64]:
    """What a submission would say of the frames that were predicted, (N, K): smoothed within each video.

    Frames that were not predicted, as those without annotation in a test, count as between their neighbours.
    """
    result = np.empty_like(values)
    for _, own, every in _every_frame(clips, values, smooth, width):
        result[own] = every[clips.rows[own, 1] - 1]
    return result


def _every_frame(
    clips: FrameClips, values: npt.NDArray[np.float64], smooth: Smooth, width: int
) -> Iterator[tuple[Video, npt.NDArray[np.bool_], npt.NDArray[np.float64]]]:
    """Each video with predictions, which of the N rows are its own, and the values of all its frames."""
    for place, video in enumerate(clips.videos):
        own = clips.rows[:, 0] == place
        if own.any():
            every = filled(video.num_frames, clips.rows[own, 1], values[own])
            yield video, own, smoothed(every, smooth, width)


def _cells(row: npt.NDArray[np.float64], task: Task) -> str:
    if task == "expr":
        return str(int(row.argmax()))
    return ",".join(f"{value:.6f}" for value in row.clip(-1, 1))
