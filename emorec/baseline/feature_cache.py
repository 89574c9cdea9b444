"""Clip features, computed once: kept in memory for the next fold, and in the cache folder for the next run."""

import hashlib
import logging
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np

from emorec.baseline.features import FeatureExtractor, Floats, pool_frames
from emorec.data.cache.progress import with_progress
from emorec.data.cache.store import file_digests, resolve_cache, wait_for_lock
from emorec.data.clip import Clip
from emorec.data.datamodule import ClipDataModule
from emorec.data.dataset import make_loader
from emorec.data.preprocessing import FrameSpec
from emorec.data.video.reader import Frames
from emorec.io import atomic_write

log = logging.getLogger(__name__)

FORMAT = 1
"""Of the file, and of how frames are pooled."""

FOLDER = "features"
"""Within the cache."""

SAVE_INTERVAL_SECONDS = 60.0
"""How much work a kill may lose."""


class FeatureCache:
    """Pooled features of clips.

    The cache folder has one file for each way of making frames and features; in it, a clip is identified by the
    content of its video file. With `--data.cache none`, features are kept in memory only.

    Args:
        extractor: Computes the features of frames.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self.extractor = extractor
        self._features: dict[Clip, Floats] = {}

    def features(self, data: ClipDataModule, clips: Sequence[Clip]) -> Floats:
        """(N, 2D): mean and standard deviation over the frames of each clip, as a network would get them.

        Args:
            data: Set up for a stage that includes the clips.
            clips: N clips.
        """
        if missing := self._missing(clips):
            if data.cache == "none":
                self._compute(data, missing)
            else:
                self._load_or_compute(data, missing, resolve_cache(data.cache))
        return np.stack([self._features[clip] for clip in clips])

    def _missing(self, clips: Sequence[Clip]) -> list[Clip]:
        return [clip for clip in clips if clip not in self._features]

    def _load_or_compute(
        self, data: ClipDataModule, clips: Sequence[Clip], cache_folder: Path
    ) -> None:
        path = cache_folder / FOLDER / f"{self._file_stem(data)}.npz"
        digests = file_digests(cache_folder, {clip.path for clip in clips})
        keys = {clip: FrameSpec.key(clip, digests[clip.path]) for clip in clips}

        def load() -> dict[str, Floats]:
            stored = read_features(path)
            self._features |= {each: stored[key] for each, key in keys.items() if key in stored}
            return stored

        load()
        if not self._missing(clips):
            return
        with ExitStack() as stack:
            with suppress(OSError):  # without a lock where the cache can't be written to
                path.parent.mkdir(parents=True, exist_ok=True)
                lock = path.with_suffix(".lock")
                stack.enter_context(wait_for_lock(lock, f"another process is computing {path}"))
            stored = load()  # another process may have computed some meanwhile

            def save() -> None:
                computed = {
                    key: self._features[each]
                    for each, key in keys.items()
                    if each in self._features
                }
                if computed.keys() - stored.keys():
                    stored.update(computed)
                    write_features(path, stored)

            self._compute(data, self._missing(clips), save)

    def _compute(
        self, data: ClipDataModule, clips: Sequence[Clip], save: Callable[[], None] = lambda: None
    ) -> None:
        """Compute the features of clips; save them every minute and at the end, also after Ctrl-C."""
        saved_at = time.monotonic()
        try:
            for clip, frames in with_progress(
                _clip_frames(data, clips), len(clips), f"{self.extractor.name} features"
            ):
                self._features[clip] = pool_frames(self.extractor(frames))
                if time.monotonic() - saved_at > SAVE_INTERVAL_SECONDS:
                    save()
                    saved_at = time.monotonic()
        finally:
            save()

    def _file_stem(self, data: ClipDataModule) -> str:
        size = "x".join(map(str, data.image_size))
        source = f"{FORMAT} {data.frame_spec.name} {size} {self.extractor.version}"
        digest = hashlib.sha256(source.encode()).hexdigest()
        return f"{data.frame_spec.name}-{size}-{self.extractor.name}-{digest[:8]}"


def read_features(path: Path) -> dict[str, Floats]:
    """Content key -> (2D,) features; empty when the file is missing or damaged, since they can be computed again."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return dict(zip(file["clips"].tolist(), file["features"], strict=True))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("features in %s can't be read and are computed again: %s", path, error)
        return {}


def write_features(path: Path, features: Mapping[str, Floats]) -> None:
    """Replace the file; if it can't be written, log a warning and go on."""
    try:
        with atomic_write(path) as file:
            np.savez(file, clips=np.array(list(features)), features=np.stack([*features.values()]))
    except OSError as error:
        log.warning("features are not cached: can't write %s: %s", path, error.strerror)


def _clip_frames(data: ClipDataModule, clips: Sequence[Clip]) -> Iterator[tuple[Clip, Frames]]:
    """Each clip with its frames (T, H, W, C), without augmentation."""
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
