"""A list of clips as features that were computed before."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from typing_extensions import override

from emorec.data.clip import Clip, Sample
from emorec.data.dataset import ClipDataset, label_tensor


class FeatureDataset(ClipDataset):
    """Clips by position or by (epoch, position); each is features (T, D) float32, its label and its position.

    Args:
        clips: The clips.
        features: Gives those of a clip, (T, D) float32 in memory of their own.
    """

    def __init__(
        self, clips: Sequence[Clip], features: Callable[[Clip], npt.NDArray[np.float32]]
    ) -> None:
        self.clips = clips
        self.features = features

    @override
    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        index = key[1] if isinstance(key, tuple) else key
        clip = self.clips[index]
        features = torch.from_numpy(self.features(clip))
        return cast("Sample", {"features": features, "label": label_tensor(clip), "index": index})
