"""Frames of videos as clips, which are made as they are asked for: there are millions."""

from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emorec.data.affwild2 import Video
from emorec.data.clip import Clip


class FrameClips(Sequence[Clip]):
    """Frames as a sequence of clips; a clip's path is the frame's picture, its take the video, its actor the film.

    Args:
        videos: What the frames are of.
        rows: (N, 2) int32, the position of a video and the number of a frame, from 1; in the order of the videos.
        unknown: The label of a frame that has none.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        rows: npt.NDArray[np.int32],
        unknown: int | tuple[float, ...] = -1,
    ) -> None:
        self.videos = videos
        self.rows = rows
        self.unknown = unknown

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Clip: ...
    @overload
    def __getitem__(self, at: slice) -> "FrameClips": ...
    @override
    def __getitem__(self, at: int | slice) -> "Clip | FrameClips":
        if isinstance(at, slice):
            return self.at(self.rows[at])
        place, frame = self.rows[at].tolist()
        video = self.videos[place]
        return Clip(
            path=video.picture(frame),
            label=self._label(video, frame),
            actor=video.film,
            take=video.name,
        )

    def at(self, rows: npt.NDArray[np.int32]) -> "FrameClips":
        """Other rows of the same videos."""
        return FrameClips(self.videos, rows, self.unknown)

    def _label(self, video: Video, frame: int) -> int | tuple[float, ...]:
        if video.labels is None or frame > len(video.labels):
            return self.unknown
        known = video.labels[frame - 1]
        if known.ndim == 0:
            return int(known)
        return self.unknown if (known < -1).any() else tuple(known.tolist())

    @property
    def labels(self) -> npt.NDArray[np.float32] | npt.NDArray[np.int64]:
        """(N, 2) or (N,) of N frames that all have a label."""
        each: list[npt.NDArray[np.float32] | npt.NDArray[np.int64]] = []
        for place in np.unique(self.rows[:, 0]).tolist():
            known = self.videos[place].labels
            assert known is not None
            each.append(known[self.rows[self.rows[:, 0] == place, 1] - 1])
        joined: npt.NDArray[np.float32] | npt.NDArray[np.int64] = np.concatenate(each)  # type: ignore[assignment]
        return joined
