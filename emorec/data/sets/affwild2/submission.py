"""Predictions of every frame of Aff-Wild2: interpolated, smoothed, and written for its challenges."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from emorec.data.sets.affwild2.parser import DIMENSIONS, EXPRESSIONS, FrameNumbers, Task, Video
from emorec.data.sets.affwild2.windows import FrameClips
from emorec.errors import UserError
from emorec.io import atomic_write
from emorec.text import first_few

Smooth = Literal["none", "box", "gaussian"]
Values = npt.NDArray[np.float64]


def select_videos(videos: Sequence[Video], names_file: str) -> list[Video]:
    """Return the videos whose names a file lists, a line each, in its order.

    Raises:
        UserError: When the file can't be read, or a video has no images.
    """
    path = Path(names_file).expanduser()
    try:
        names = path.read_text(encoding="utf-8-sig").split()
    except OSError as error:
        raise UserError(f"can't read data.predict_list {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"can't read data.predict_list {path}: not a text file") from None
    videos_by_name = {video.name: video for video in videos}
    missing = [name for name in names if name not in videos_by_name]
    if missing:
        raise UserError(f"{path} lists videos without images: {first_few(missing)}")
    return [videos_by_name[name] for name in names]


def write_submission(
    path: Path, clips: FrameClips, values: Values, task: Task, *, smooth: Smooth, width: int
) -> str:
    """Write `image_location,valence,arousal`, or the number of the expression, of every frame; return a summary.

    Frames without prediction are interpolated. Expressions are chosen after their probabilities have been interpolated
    and smoothed. Valence and arousal are clipped to -1 to 1.

    Args:
        path: The file.
        clips: N frames.
        values: (N, 2) valence and arousal, or (N, 8) probabilities.
        task: What the values are.
        smooth: See `smooth_over_time`.
        width: See `smooth_over_time`.

    Source: the format is that of the ABAW challenges since 2023.
    """
    # capitalised as in the challenge's own files
    names = DIMENSIONS if task == "va" else [name.capitalize() for name in EXPRESSIONS]
    lines, num_interpolated, num_videos = [",".join(["image_location", *names])], 0, 0
    for video, mask, every_frame in _values_by_video(clips, values, smooth, width):
        lines += (
            f"{video.name}/{frame:05d}.jpg,{_format_cells(row, task)}"
            for frame, row in enumerate(every_frame, start=1)
        )
        num_interpolated += len(every_frame) - int(mask.sum())
        num_videos += 1
    with atomic_write(path) as file:
        file.write("\n".join([*lines, ""]).encode())
    note = f", {num_interpolated} of them interpolated" if num_interpolated else ""
    return f"{len(lines) - 1} frames of {num_videos} videos{note}: {path}"


def smooth_predictions(clips: FrameClips, values: Values, smooth: Smooth, width: int) -> Values:
    """Return the predictions of N frames smoothed within each video, (N, K), as in a submission.

    Frames between them without prediction, such as those without annotation in a test, are interpolated.
    """
    result = np.empty_like(values)
    for _, mask, every_frame in _values_by_video(clips, values, smooth, width):
        result[mask] = every_frame[clips.rows[mask, 1] - 1]
    return result


def interpolate(num_frames: int, frames: FrameNumbers, values: Values) -> Values:
    """Return values of all frames, (num_frames, K): linear between known ones, constant before and after them.

    Args:
        num_frames: Length of the video.
        frames: (N,) numbers, from 1, of the frames whose values are known, ascending, at least one.
        values: (N, K).

    >>> interpolate(5, np.array([2, 4], np.int32), np.array([[0.0], [1.0]])).ravel().tolist()
    [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    numbers = np.arange(1, num_frames + 1)
    return np.stack([np.interp(numbers, frames, column) for column in values.T], axis=1)


def smooth_over_time(values: Values, smooth: Smooth, width: int) -> Values:
    """Return the weighted mean over the frames around each frame, (N, K), over fewer frames at the ends.

    Args:
        values: (N, K) of consecutive frames.
        smooth: "none", "box" (equal weights) or "gaussian" (standard deviation a quarter of the width).
        width: Number of frames, odd, centred on each frame.

    >>> smooth_over_time(np.array([[0.0], [3.0], [0.0], [0.0]]), "box", 3).ravel().tolist()
    [1.5, 1.0, 1.0, 0.0]
    """
    if smooth == "none":
        return values
    offsets = np.arange(width) - width // 2
    weights = np.ones(width) if smooth == "box" else np.exp(-0.5 * (offsets / (width / 4)) ** 2)
    # not NumPy's mode "same", which returns the longer of the two lengths
    centre = slice(width // 2, width // 2 + len(values))
    total_weight = np.convolve(np.ones(len(values)), weights)[centre]
    columns = [np.convolve(column, weights)[centre] / total_weight for column in values.T]
    return np.stack(columns, axis=1)


def _values_by_video(
    clips: FrameClips, values: Values, smooth: Smooth, width: int
) -> Iterator[tuple[Video, npt.NDArray[np.bool_], Values]]:
    """Yield each video that has clips, the mask of its clips, (N,), and values of all its frames, (num_frames, K)."""
    for i, video in enumerate(clips.videos):
        mask = clips.rows[:, 0] == i
        if mask.any():
            every_frame = interpolate(video.num_frames, clips.rows[mask, 1], values[mask])
            yield video, mask, smooth_over_time(every_frame, smooth, width)


def _format_cells(row: Values, task: Task) -> str:
    if task == "expr":
        return str(int(row.argmax()))
    return ",".join(f"{value:.6f}" for value in row.clip(-1, 1))
