"""Build the cache: decode every clip once, before the first epoch; find the broken ones and store the others."""

import logging
import math
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from emorec.data.cache.progress import with_progress
from emorec.data.cache.store import (
    CacheEntry,
    CacheError,
    CacheStore,
    fingerprint,
    resolve_cache,
)
from emorec.data.cache.workers import (
    Call,
    ClipSpec,
    Decoded,
    DecoderDiedError,
    DecoderPool,
    Targets,
    decode_clip,
    decode_spans,
    read_digest,
)
from emorec.data.clip import Clip
from emorec.data.preprocessing import VideoSpec
from emorec.data.video.reader import run_with_timeout
from emorec.errors import UserError
from emorec.io import free_bytes
from emorec.text import listed_files

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 60.0
"""For one clip: about a hundred times what it takes."""

COMMIT_SECONDS = 2.0
"""A kill loses the work of at most this long."""

MAX_SPANS = 16
"""Spans decoded in one pass. Their frames are in memory at the same time: 330 MB of 20 frames of IEMOCAP each."""


class ClipReader:
    """Read the frames, landmarks, sound or embeddings of clips from the cache, or decode them.

    Args:
        spec: Of the frames, the landmarks, the sound or the embeddings.
        files: The .npy files of cached clips; other clips are decoded at each call.
        errors: Why clips can't be used.
        faceless: Clips in which no face was found.
        folder: Where the clips are cached; `None` without a cache.
    """

    def __init__(
        self,
        spec: ClipSpec,
        files: Mapping[Clip, Path] | None = None,
        *,
        errors: Mapping[Clip, str] | None = None,
        faceless: Sequence[Clip] = (),
        folder: Path | None = None,
    ) -> None:
        self.spec = spec
        self.files = dict(files or {})
        self.errors = dict(errors or {})
        self.faceless = list(faceless)
        self.folder = folder

    def __call__(self, clip: Clip) -> Any:
        """Return frames (T, H, W, C) uint8, faces (T,), sound (samples,) int16 or an embedding (S, D) float32.

        They are in memory of their own.

        Raises:
            ClipError: When the clip is not cached and can't be decoded, or that takes longer than a minute.
        """
        file = self.files.get(clip)
        if file is not None:
            try:
                return np.load(file, allow_pickle=False)
            except (OSError, ValueError, EOFError):
                # the cache was cleared or damaged meanwhile
                log.warning("%s can't be read any more: decoding %s instead", file, clip.title)
                del self.files[clip]
        if 0 in self.spec.shape:
            return self.spec.load(clip)  # nothing, for which a thread need not wait
        return run_with_timeout(
            TIMEOUT_SECONDS, self.spec.source(clip), partial(self.spec.load, clip)
        )


def build_cache(
    clips: Sequence[Clip],
    spec: ClipSpec,
    cache: str = "auto",
    *,
    also: VideoSpec | None = None,
    workers: int,
    required: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
    progress: bool = True,
) -> ClipReader:
    """Decode the clips that the cache does not hold yet, store them, and return a reader of all.

    Broken are clips that can't be read or decoded to their end, that have one frame, that declare more than one frame
    too many, that the decoder reports as damaged, and those that hang or crash the decoder. Damage that no decoder
    notices (a flipped bit that still decodes) can't be found. A clip is recognised by the content of its file,
    wherever it lies. Clips that hang or crash the decoder are tried again each time, as it may have been the machine's
    fault.

    Args:
        clips: The clips.
        spec: Of their frames, landmarks, sound or embeddings.
        cache: "auto", "none" or a folder; see `ClipDataModule`. With "none" clips are only checked.
        also: Made of the same T frames: clips that are decoded now are stored under it, too, where they are missing
            there. A later call with it decodes the rest.
        workers: Number of decoder subprocesses.
        required: Whether "auto" must not go on without a cache.
        timeout_seconds: For one clip; then its decoder is killed.
        progress: Show a bar when it takes longer than two seconds.

    Raises:
        CacheError: When the cache can't be used, unless it is "auto" and not required.
        UserError: When the decoder or the face detector can't be used.
        RuntimeError: When no subprocess can be started.
        ValueError: When `also` takes other frames.
    """
    specs = [spec]
    if also is not None:
        if not isinstance(spec, VideoSpec) or not spec.has_frames_of(also):
            raise ValueError(f"{also.name} is not made of the frames of {spec.name}")
        specs += [also] if cache != "none" else []
    build = partial(
        _build,
        clips,
        folder=resolve_cache(cache),
        workers=workers,
        timeout_seconds=timeout_seconds,
        progress=progress,
    )
    try:
        return build(specs, store_clips=cache != "none")
    except CacheError as error:
        if cache != "auto" or required:
            raise
        log.warning("no cache, so every epoch decodes anew: %s", error)
        return build([spec], store_clips=False)


def check_broken(
    errors: Mapping[Clip, str], num_clips: int, on_error: Literal["refuse", "skip"]
) -> None:
    """Refuse broken clips where none are allowed, or where all are broken.

    Args:
        errors: The broken clips with the reasons.
        num_clips: Number of all clips.
        on_error: "refuse" or "skip" broken clips.

    Raises:
        UserError: For such clips, listed with the reasons.
    """
    if errors and on_error == "refuse":
        raise UserError(
            f"{len(errors)} of {num_clips} clips can't be used: {listed_clips(errors)}; "
            "replace them or leave them out with --data.on_error skip"
        )
    if errors and len(errors) == num_clips:
        raise UserError(f"none of the {num_clips} clips can be used: {listed_clips(errors)}")


def listed_clips(errors: Mapping[Clip, str]) -> str:
    """Join the first clips with their reasons, on one line."""
    return listed_files([(clip.path, reason) for clip, reason in errors.items()])


def _build(
    clips: Sequence[Clip],
    specs: Sequence[ClipSpec],
    *,
    folder: Path,
    workers: int,
    timeout_seconds: float,
    store_clips: bool,
    progress: bool,
) -> ClipReader:
    """Fill the cache of the first specification; return its reader."""
    spec = specs[0]
    try:
        with ExitStack() as stack:
            stores = {
                each: stack.enter_context(
                    CacheStore(
                        folder, each.name if store_clips else each.check_name, required=store_clips
                    )
                )
                for each in specs
            }
            store = stores[spec]
            keys, entries = _known_keys(clips, spec, store), store.intact_entries()
            if any(keys.get(clip) not in entries for clip in clips):
                if store_clips:
                    # no process waits for the first one while it holds another: they can't block each other
                    for each in stores.values():
                        stack.enter_context(each.exclusive())
                pool = stack.enter_context(DecoderPool(min(workers, len(clips)), timeout_seconds))
                filler = _Filler(
                    spec=spec, stores=stores, pool=pool, store_clips=store_clips, progress=progress
                )
                keys, entries = filler.fill(clips)
    except OSError as error:
        raise CacheError(f"can't keep clips in {folder}: {error.strerror or error}") from error
    found = {clip: entries[keys[clip]] for clip in clips}
    return ClipReader(
        spec,
        {clip: store.path(keys[clip]) for clip in found if found[clip].checksum is not None},
        errors={clip: entry.error for clip, entry in found.items() if entry.error is not None},
        faceless=[clip for clip, one in found.items() if one.face_frames == 0 and not one.error],
        folder=folder if store_clips else None,
    )


def _known_keys(clips: Sequence[Clip], spec: ClipSpec, store: CacheStore) -> dict[Clip, str]:
    """The keys of the clips whose files have not changed since their digest was read."""
    digests = store.known_digests({spec.source(clip) for clip in clips})
    return {
        clip: spec.key(clip, digests[spec.source(clip)])
        for clip in clips
        if spec.source(clip) in digests
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filler:
    """Fills one part of a cache, while other processes wait.

    Attributes:
        spec: Of that part.
        stores: That part, and others in which a clip that is decoded for it is stored too, where they lack it.
    """

    spec: ClipSpec
    stores: Mapping[ClipSpec, CacheStore]
    pool: DecoderPool
    store_clips: bool
    progress: bool

    @property
    def store(self) -> CacheStore:
        return self.stores[self.spec]

    def fill(self, clips: Sequence[Clip]) -> tuple[dict[Clip, str], dict[str, CacheEntry]]:
        """Decode what is missing; return the keys of the clips and the entries by key."""
        damaged = self.store.drop_damaged(progress=self.progress)
        if damaged:
            log.warning("%d cached clips were damaged: decoding them again", damaged)
        keys = _known_keys(clips, self.spec, self.store)
        entries = self.store.intact_entries()
        digests, unreadable = self._read_digests(
            {self.spec.source(clip) for clip in clips if clip not in keys}
        )
        for clip in clips:
            path = self.spec.source(clip)
            if path in digests:
                keys[clip] = self.spec.key(clip, digests[path])
            elif path in unreadable:  # without a digest there is nothing to recognise it by
                keys[clip] = f"unreadable {path}"
                entries[keys[clip]] = CacheEntry(error=unreadable[path])
        # two files of the same content are one clip here
        entries |= self._decode({key: clip for clip, key in keys.items() if key not in entries})
        return keys, entries

    def _read_digests(self, paths: Collection[Path]) -> tuple[dict[Path, str], dict[Path, str]]:
        """Read and record the digests of files; return them, and why other files can't be read."""
        fingerprints = {path: fingerprint(path) for path in paths}
        results = self.pool.results({path: (read_digest, (path.absolute(),)) for path in paths})
        digests, unreadable = {}, {}
        for path, result in with_progress(results, len(paths), "reading clips", show=self.progress):
            if isinstance(result, OSError):
                unreadable[path] = f"can't be read: {result.strerror}"
            elif isinstance(result, Exception):
                unreadable[path] = str(result)
            else:
                digests[path] = result
        with self.store.transaction():
            for path, digest in digests.items():
                before = fingerprints[path]
                if before is not None:
                    self.store.add_digest(path, before, digest)
        return digests, unreadable

    def _decode(self, todo: Mapping[str, Clip]) -> dict[str, CacheEntry]:
        """Decode clips and record their entries as they come."""
        targets = self._targets(todo)
        if self.store_clips:
            self._check_room(targets)
        description = "decoding into the cache" if self.store_clips else "looking for broken clips"
        entries: dict[str, CacheEntry] = {}
        notes: list[tuple[Path, str]] = []
        unsaved: dict[ClipSpec, dict[str, CacheEntry]] = {spec: {} for spec in self.stores}
        num_bytes = 0
        began = saved = time.monotonic()
        try:
            with closing(self._results(todo, targets)) as results:
                for key, result in with_progress(
                    results, len(todo), description, show=self.progress
                ):
                    if isinstance(result, DecoderDiedError):
                        # not recorded, as it may have been the machine's fault
                        entries[key] = CacheEntry(error=str(result))
                        continue
                    of_specs, note = result
                    entries[key] = of_specs[0]
                    for spec, entry in zip(targets[key], of_specs, strict=True):
                        unsaved[spec][key] = entry
                        num_bytes += entry.size or 0
                    if note is not None:
                        notes.append((todo[key].title, note))
                    if time.monotonic() - saved > COMMIT_SECONDS:
                        self._save(unsaved, todo)
                        saved = time.monotonic()
        finally:
            self._save(unsaved, todo)
        if notes:
            log.warning("%s", self.spec.warning(sorted(notes)))
        if self.store_clips and entries:
            log.info(
                "decoded %d clips into %s (%.2f GB) in %.0f s; from now on they are read from there",
                len(entries),
                self.store.folder.parent,
                num_bytes / 1e9,
                time.monotonic() - began,
            )
        return entries

    def _targets(self, todo: Mapping[str, Clip]) -> dict[str, Targets]:
        """The file of each clip, by its key, in each part that lacks it; the part to fill comes first."""
        if not self.store_clips:
            return {key: {self.spec: None} for key in todo}
        held = {
            spec: store.intact_entries() for spec, store in self.stores.items() if spec != self.spec
        }
        return {
            key: {
                spec: store.path(key).absolute()
                for spec, store in self.stores.items()
                if key not in held.get(spec, ())
            }
            for key in todo
        }

    def _results(
        self, todo: Mapping[str, Clip], targets: Mapping[str, Targets]
    ) -> Generator[tuple[str, Decoded | DecoderDiedError]]:
        """The result of each clip, or the error of a decoder that died.

        Spans of one video are decoded in one pass. Where something goes wrong in a pass, its clips are decoded one by
        one, so that each gets the result that it would get alone.
        """
        alone: list[tuple[str, ...]] = []
        for batches in (group_spans(todo, self.spec), alone):
            calls = {
                keys: _call([todo[key] for key in keys], [targets[key] for key in keys])
                for keys in batches
            }
            with closing(self.pool.results(calls)) as results:
                for keys, result in results:
                    if isinstance(result, Exception) and not isinstance(result, DecoderDiedError):
                        raise result
                    if len(keys) == 1:
                        yield keys[0], result
                        continue
                    each = [None] * len(keys) if isinstance(result, Exception) else result
                    alone += [(key,) for key, one in zip(keys, each, strict=True) if one is None]
                    yield from ((key, one) for key, one in zip(keys, each, strict=True) if one)

    def _check_room(self, targets: Mapping[str, Targets]) -> None:
        folder = self.store.folder.parent
        num_clips = Counter(spec for each in targets.values() for spec in each)
        needed = sum(
            number * math.prod(spec.shape) * np.dtype(spec.dtype).itemsize
            for spec, number in num_clips.items()
        )
        room = free_bytes(folder)
        if needed > room:
            raise CacheError(
                f"{len(targets)} clips need {needed / 1e9:.1f} GB in {folder}, where {room / 1e9:.1f} GB are free: "
                "choose another place with --data.cache DIR, or none with --data.cache none"
            )

    def _save(
        self, unsaved: Mapping[ClipSpec, dict[str, CacheEntry]], clips: Mapping[str, Clip]
    ) -> None:
        for spec, entries in unsaved.items():
            if entries:
                files = {key: spec.source(clips[key]).name for key in entries}
                self.stores[spec].add(entries, files)
                entries.clear()


def _call(clips: Sequence[Clip], targets: Sequence[Targets]) -> Call:
    """The call of a subprocess that decodes one clip, or spans of one video."""
    # it may run in another folder
    absolute = [
        replace(
            clip,
            path=clip.path.absolute(),
            sound_path=clip.sound_path and clip.sound_path.absolute(),
        )
        for clip in clips
    ]
    if len(clips) == 1:
        return decode_clip, (absolute[0], targets[0])
    return decode_spans, (absolute, targets)


def group_spans(clips: Mapping[str, Clip], spec: ClipSpec) -> list[tuple[str, ...]]:
    """Group clips by their key: spans of one video that are decoded in one pass, every other clip by itself.

    >>> from emorec.data.preprocessing import FrameSpec
    >>> early = Clip(path=Path("a.avi"), label=0, actor=1, take="a", span_seconds=(1, 2))
    >>> late, whole = replace(early, span_seconds=(5, 6)), replace(early, span_seconds=None)
    >>> group_spans({"late": late, "early": early, "whole": whole}, FrameSpec(num_frames=2, size=(8, 8)))
    [('early', 'late'), ('whole',)]
    """
    of_video: dict[Any, list[str]] = defaultdict(list)
    for key, clip in clips.items():
        is_span = clip.span_seconds is not None and isinstance(spec, VideoSpec)
        of_video[clip.path if is_span else key].append(key)
    groups = []
    for keys in of_video.values():
        if len(keys) > 1:  # in temporal order, so that a pass need not go to the end
            keys.sort(key=lambda key: clips[key].span_seconds or (0.0, 0.0))
        groups += [
            tuple(keys[start : start + MAX_SPANS]) for start in range(0, len(keys), MAX_SPANS)
        ]
    return groups
