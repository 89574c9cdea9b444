"""Features are computed once: they are kept in memory for the next fold, and beside the cache for the next run."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from emorec.baseline.extractor import Extractor
from emorec.baseline.feature_file import FeatureFile, clip_keys
from emorec.baseline.pooling import Floats, mean_and_sd
from emorec.data.cache.progress import with_progress
from emorec.data.cache.store import resolve_cache
from emorec.data.clip import Clip
from emorec.data.datamodule import ClipDataModule
from emorec.data.dataset import make_loader
from emorec.data.decoding.decode import Frames

FORMAT = 1
"""Of the file, and of how frames are pooled."""

FOLDER = "features"
"""Within the cache."""

KEEP_SECONDS = 60.0
"""A kill loses the work of so many seconds."""


class FeatureStore:
    """The pooled features of clips.

    They are kept in the cache folder, in a file for each way of making frames and features; a clip is known by the
    content of its file. With `--data.cache none` they are kept in memory alone.

    Args:
        extractor: Gives the features of frames.
    """

    def __init__(self, extractor: Extractor) -> None:
        self.extractor = extractor
        self._known: dict[Clip, Floats] = {}

    def features(self, data: ClipDataModule, clips: Sequence[Clip]) -> Floats:
        """(N, 2D): the mean and the standard deviation over the frames of each clip, as a network would see them.

        Args:
            data: Set up for a stage that needs the clips; its frames stay the same from call to call.
            clips: N clips.
        """
        if self._unknown(clips):
            folder = _cache(data)
            if folder is None:
                self._compute(data, self._unknown(clips))
            else:
                self._look_up(data, self._unknown(clips), folder)
        return np.stack([self._known[clip] for clip in clips])

    def _unknown(self, clips: Sequence[Clip]) -> list[Clip]:
        return [clip for clip in clips if clip not in self._known]

    def _look_up(self, data: ClipDataModule, clips: Sequence[Clip], folder: Path) -> None:
        """Reads features from the disk, and computes and keeps those that are not there."""
        file = FeatureFile(folder / FOLDER / f"{self._name(data)}.npz")
        keys = dict(zip(clips, clip_keys(folder, clips), strict=True))

        def take(kept: dict[str, Floats]) -> dict[str, Floats]:
            self._known |= {each: kept[key] for each, key in keys.items() if key in kept}
            return kept

        take(file.read())
        if not self._unknown(clips):
            return
        with file.alone():
            kept = take(file.read())  # another process may have been at work

            def keep() -> None:
                known = {
                    key: self._known[each] for each, key in keys.items() if each in self._known
                }
                if known.keys() - kept.keys():
                    kept.update(known)
                    file.write(kept)

            self._compute(data, self._unknown(clips), keep)

    def _compute(
        self, data: ClipDataModule, clips: Sequence[Clip], keep: Callable[[], None] = lambda: None
    ) -> None:
        """Finds out the features of clips, and keeps them every now and then and at the end, also after Ctrl-C."""
        saved = time.monotonic()
        words = f"{self.extractor.name} features"
        try:
            for clip, frames in with_progress(_frames(data, clips), len(clips), words):
                self._known[clip] = mean_and_sd(self.extractor(frames))
                if time.monotonic() - saved > KEEP_SECONDS:
                    keep()
                    saved = time.monotonic()
        finally:
            keep()

    def _name(self, data: ClipDataModule) -> str:
        size = "x".join(map(str, data.image_size))
        made_by = f"{FORMAT} {data.frame_spec.name} {size} {self.extractor.version}"
        digest = hashlib.sha256(made_by.encode()).hexdigest()
        return f"{data.frame_spec.name}-{size}-{self.extractor.name}-{digest[:8]}"


def _frames(data: ClipDataModule, clips: Sequence[Clip]) -> Iterator[tuple[Clip, Frames]]:
    """Each clip with its frames (T, H, W, C), which nothing was drawn for."""
    if not clips:
        return
    loader = make_loader(
        data.dataset(clips),
        batch_size=data.batch_size,
        num_workers=min(data.num_workers, len(clips)),
    )
    for batch in loader:
        frames = batch["frames"].permute(0, 1, 3, 4, 2).contiguous().numpy()  # (B, T, H, W, C)
        yield from zip([clips[index] for index in batch["index"].tolist()], frames, strict=True)


def _cache(data: ClipDataModule) -> Path | None:
    if data.cache == "none":
        return None
    return resolve_cache(data.cache)
