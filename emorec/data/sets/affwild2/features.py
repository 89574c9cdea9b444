"""Features of Aff-Wild2's frames that `emorec features` has computed, in place of images."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset
from typing_extensions import override

from emorec.data.clip import Clip, Sample
from emorec.data.dataset import label_tensor
from emorec.data.sets.affwild2.parser import Video
from emorec.data.sets.affwild2.windows import Window
from emorec.errors import UserError

Features = npt.NDArray[np.float32]


def features_file(folder: Path, video: Video) -> Path:
    """Return the file of a video's features."""
    return folder / f"{video.name}.npy"


class WindowFeatures:
    """Reads the features of a clip's window.

    Args:
        videos: The videos of the clips.
        window: The frames that lead to each clip.
        folder: Holds `<video>.npy`, (frames with an image, D) float32.
    """

    def __init__(self, videos: Iterable[Video], window: Window, folder: Path) -> None:
        self.videos = {video.name: video for video in videos}
        self.window = window
        self.folder = folder
        self._open: dict[str, Features] = {}

    def __call__(self, clip: Clip) -> Features:
        """Return (T, D) float32.

        Raises:
            UserError: When the features of the video are missing or of other frames.
        """
        video = self.videos[clip.take]
        if video.name not in self._open:
            self._open[video.name] = self._load(video)
        frames = self.window.frames(video.frames, int(clip.path.stem))
        return np.array(self._open[video.name][np.searchsorted(video.frames, frames)])

    def _load(self, video: Video) -> Features:
        """Return (frames with an image, D), memory-mapped."""
        path = features_file(self.folder, video)
        remedy = "compute them with emorec features CKPT"
        try:
            features: Features = np.load(path, mmap_mode="r")
        except (OSError, ValueError):
            raise UserError(f"no features of {video.name} in {self.folder}: {remedy}") from None
        if features.ndim != 2 or len(features) != len(video.frames):
            raise UserError(
                f"{path} holds {len(features)} features and {video.folder} {len(video.frames)} images: {remedy}"
            )
        return features


class FeatureDataset(Dataset[Sample]):
    """Clips by position or by (epoch, position), as features (T, D) float32.

    Args:
        clips: The clips.
        read_features: Returns the features of a clip, (T, D) float32.
    """

    def __init__(self, clips: Sequence[Clip], read_features: Callable[[Clip], Features]) -> None:
        self.clips = clips
        self.read_features = read_features

    def __len__(self) -> int:
        return len(self.clips)

    @override
    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        index = key[1] if isinstance(key, tuple) else key
        clip = self.clips[index]
        features = torch.from_numpy(self.read_features(clip))
        return Sample(features=features, label=label_tensor(clip), index=index)
