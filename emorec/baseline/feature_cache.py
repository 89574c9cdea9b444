"""Clip features, computed once: kept in memory for the next fold, and in the cache folder for the next run."""

import hashlib
import logging
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from torch import Tensor

from emorec.baseline.features import FeatureExtractor, Floats, Stream, pool_frames
from emorec.data.cache.progress import with_progress
from emorec.data.cache.store import file_digests, resolve_cache, wait_for_lock
from emorec.data.cache.workers import ClipSpec
from emorec.data.clip import Clip
from emorec.data.datamodule import ClipDataModule
from emorec.data.dataset import make_loader
from emorec.io import atomic_write

log = logging.getLogger(__name__)

FORMAT = 2
"""Of the file, and of how frames are pooled."""

FOLDER = "features"
"""Within the cache."""

SAVE_INTERVAL_SECONDS = 60.0
"""How much work a kill may lose."""


class FeatureCache:
    """Pooled features of clips.

    The cache folder has one file for each way of making a stream and its features; in it, a clip is identified by the
    content of its file. With `--data.cache none`, features are kept in memory only.

    Args:
        extractor: Computes the features of clips from a stream of the data module.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self.extractor = extractor
        self._features: dict[Clip, Floats] = {}

    def features(self, data: ClipDataModule, clips: Sequence[Clip]) -> Floats:
        """(N, D): those of the frames of each clip, pooled, from what a network would get without augmentation.

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
        spec = self._spec(data)
        digests = file_digests(cache_folder, {spec.source(clip) for clip in clips})
        keys = {clip: spec.key(clip, digests[spec.source(clip)]) for clip in clips}

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
            for clip, entries in with_progress(
                _clip_entries(data, clips), len(clips), f"{self.extractor.name} features"
            ):
                self._features[clip] = pool_frames(
                    self.extractor(entries), self.extractor.statistics
                )
                if time.monotonic() - saved_at > SAVE_INTERVAL_SECONDS:
                    save()
                    saved_at = time.monotonic()
        finally:
            save()

    def _file_stem(self, data: ClipDataModule) -> str:
        stream = self._spec(data).name
        if self.extractor.stream == "frames":
            stream += "-" + "x".join(map(str, data.image_size))  # to which they are cropped
        statistics = " ".join(self.extractor.statistics)
        source = f"{FORMAT} {stream} {self.extractor.version} {statistics}"
        digest = hashlib.sha256(source.encode()).hexdigest()
        return f"{stream}-{self.extractor.name}-{digest[:8]}"

    def _spec(self, data: ClipDataModule) -> ClipSpec:
        """What the clips of the stream are made by."""
        specs: dict[Stream, ClipSpec | None] = {
            "frames": data.frame_spec,
            "landmarks": data.landmark_spec,
            "embedding": data.embedding_spec,
        }
        spec = specs[self.extractor.stream]
        if spec is None:
            raise ValueError(f"the data module loads no {self.extractor.stream}")
        return spec


def read_features(path: Path) -> dict[str, Floats]:
    """Content key -> (D,) features; empty when the file is missing or damaged, since they can be computed again."""
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


def _clip_entries(
    data: ClipDataModule, clips: Sequence[Clip]
) -> Iterator[tuple[Clip, Mapping[str, Tensor]]]:
    """Each clip with its entries of a batch, without augmentation."""
    if not clips:
        return
    loader = make_loader(
        data.dataset(clips),
        batch_size=data.batch_size,
        num_workers=min(data.num_workers, len(clips)),
    )
    for batch in loader:
        for position, index in enumerate(batch["index"].tolist()):
            yield clips[index], {name: values[position] for name, values in batch.items()}
