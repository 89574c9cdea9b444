"""The part of a cache that one recipe fills."""

import itertools
import logging
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from emorec.data.cache import one_pass
from emorec.data.cache.any_recipe import AnyRecipe
from emorec.data.cache.decode_pool import DecodePool, with_bar
from emorec.data.cache.frames_file import FramesFile
from emorec.data.cache.manifest import Entry, Manifest, Part, clip_key, fingerprint
from emorec.data.clip import Clip
from emorec.errors import UserError

log = logging.getLogger(__name__)

COMMIT_SECONDS = 2.0
"""A kill loses the work of so many seconds."""

PATIENT_SECONDS = 2.0
"""Until it says that it waits for another process."""


class NoRoomError(UserError):
    """The cache can't be made or filled where it was to be."""


class FrameStore:
    """What is known of clips under one recipe, and their frames.

    Args:
        manifest: Of the cache folder.
        folder: The cache.
        recipe: What the frames are like.
        pool: Decodes.
        keep_frames: Whether frames are kept, or only what is wrong with the clips.

    Attributes:
        frames: The file of the frames; `None` when none are kept.
        progress: Whether to show bars.
    """

    def __init__(
        self,
        manifest: Manifest,
        folder: Path,
        recipe: AnyRecipe,
        pool: DecodePool,
        *,
        keep_frames: bool = True,
    ) -> None:
        self.manifest = manifest
        self.recipe = recipe
        self.name = recipe.name if keep_frames else recipe.check
        self.frames = frames_of(folder, recipe) if keep_frames else None
        self.progress = True
        self._pool = pool

    @property
    def trusted(self) -> bool:
        """Whether nobody has touched the frames since their checksums were right."""
        if self.frames is None:
            return True
        seen = self.manifest.seen(self.name)
        return seen is not None and seen == fingerprint(self.frames.path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Holds off other processes that fill the same part of the cache, and is held off by them."""
        if self.frames is None:
            yield
            return
        lock = FileLock(self.frames.path.with_suffix(".lock"))
        try:
            held = lock.acquire(timeout=PATIENT_SECONDS)
        except Timeout:
            log.warning("another process fills %s: waiting for it", self.frames.path)
            held = lock.acquire()
        with held:
            yield

    def known(self, wanted: Mapping[Part, Clip]) -> dict[Part, Entry]:
        """What is known already of those whose files have not changed since."""
        digests, entries = self.manifest.digests(), self.manifest.entries(self.name)
        known = {}
        for each, clip in wanted.items():
            seen, digest = digests.get(str(clip.path.absolute()), (None, ""))
            entry = entries.get(clip_key(digest, clip))
            if entry and seen is not None and seen == fingerprint(clip.path):
                known[each] = entry
        return known

    def drop_damaged(self) -> None:
        """Forgets the clips whose frames are not what was written."""
        if self.frames is None or self.trusted:
            return
        damaged = damaged_clips(self.manifest, self.name, self.frames, progress=self.progress)
        if damaged:
            log.warning(
                "the cached frames of %d clips were damaged: making them anew", len(damaged)
            )
            with self.manifest.writing():
                self.manifest.drop(self.name, damaged)

    def find_out(self, unknown: Mapping[Part, Clip]) -> dict[Part, Entry]:
        """Decodes clips and keeps what comes of it, as it comes.

        Raises:
            NoRoomError: When there is too little room for the frames.
            OSError: When the cache can't be written to.
        """
        digests, unreadable = self._read_files({clip.path for clip in unknown.values()})
        keys = {
            each: clip_key(digests[clip.path], clip)
            for each, clip in unknown.items()
            if clip.path in digests
        }
        known = self.manifest.entries(self.name)
        # two files of the same content are one clip here
        todo = {key: unknown[each] for each, key in keys.items() if key not in known}
        entries = known | self._decode(todo)
        return {
            each: entries[keys[each]] if each in keys else Entry(error=unreadable[clip.path])
            for each, clip in unknown.items()
        }

    def _read_files(self, paths: Collection[Path]) -> tuple[dict[Path, str], dict[Path, str]]:
        """The digests of files, and the reasons why others can't be read."""
        seen = {path: fingerprint(path) for path in paths}
        digests, unreadable = {}, {}
        answers = self._pool.answers({path: {"path": str(path.absolute())} for path in paths})
        for path, answer in with_bar(answers, len(paths), "reading clips", show=self.progress):
            if "digest" in answer:
                digests[path] = answer["digest"]
            else:
                unreadable[path] = answer["error"]
        with self.manifest.writing():
            for path, digest in digests.items():
                was = seen[path]
                if was is not None:
                    self.manifest.add_digest(path, was, digest)
        return digests, unreadable

    def _decode(self, todo: Mapping[str, Clip]) -> dict[str, Entry]:
        """What comes of clips by their keys."""
        slots = dict.fromkeys(todo) if self.frames is None else self._reserve(todo)
        requests = {key: self._request(clip, slots[key]) for key, clip in todo.items()}
        words = "looking for broken clips" if self.frames is None else "decoding into the cache"
        found: dict[str, Entry] = {}
        unsaved: dict[str, Entry] = {}
        began = saved = time.monotonic()
        try:
            with closing(one_pass.answers(self._pool, requests)) as answers:
                for key, answer in with_bar(answers, len(requests), words, show=self.progress):
                    if "cant_work" in answer:
                        raise UserError(answer["cant_work"])
                    if "cant_write" in answer:
                        raise OSError(answer["cant_write"])
                    found[key] = _entry(answer, slots[key])
                    if "died" not in answer:
                        unsaved[key] = found[key]
                    if time.monotonic() - saved > COMMIT_SECONDS:
                        self._save(unsaved, todo)
                        unsaved, saved = {}, time.monotonic()
        finally:
            self._save(unsaved, todo)
        if self.frames is not None and found:
            log.info(
                "decoded %d clips into %s (%.2f GB) in %.0f s; from now on they are read from there",
                len(found),
                self.frames.path.parent,
                self.frames.path.stat().st_size / 1e9,
                time.monotonic() - began,
            )
        return found

    def _request(self, clip: Clip, slot: int | None) -> dict[str, Any]:
        return {
            "path": str(clip.path.absolute()),
            "span_seconds": clip.span_seconds,
            "half": clip.half,
            "recipe": self.recipe.plain(),
            "frames_file": self.frames and str(self.frames.path.absolute()),
            "slot": slot,
        }

    def _reserve(self, todo: Mapping[str, Clip]) -> dict[str, int | None]:
        """A free slot for each, with room for it on the disk."""
        assert self.frames is not None
        if self.manifest.add_recipe(self.name, self.recipe.plain()):
            # of a manifest that was lost: somebody may still read it, so it is not written over
            self.frames.path.unlink(missing_ok=True)
        used = {entry.slot for entry in self.manifest.entries(self.name).values()}
        free = (slot for slot in itertools.count() if slot not in used)
        slots: dict[str, int | None] = dict(zip(todo, free, strict=False))
        there = self.frames.path.stat().st_size if self.frames.path.exists() else 0
        end = max([slot for slot in slots.values() if slot is not None], default=-1) + 1
        needed = end * self.frames.slot_bytes - there
        room = shutil.disk_usage(self.frames.path.parent).free
        if needed > room:
            raise NoRoomError(
                f"the frames of {len(todo)} clips need {needed / 1e9:.1f} GB in {self.frames.path.parent}, "
                f"where {room / 1e9:.1f} GB are free: choose another place with --data.cache DIR, "
                "or none with --data.cache none"
            )
        self.frames.reserve(end)
        return slots

    def _save(self, entries: Mapping[str, Entry], clips: Mapping[str, Clip]) -> None:
        """Takes note of frames only when they are on the disk."""
        if self.frames is not None and self.frames.path.exists():
            self.frames.sync()
        with self.manifest.writing():
            for key, entry in entries.items():
                self.manifest.add(self.name, key, clips[key], entry, self.recipe.shape)
            if self.frames is not None:
                self.manifest.see(self.name, fingerprint(self.frames.path))


def damaged_clips(
    manifest: Manifest, name: str, frames: FramesFile, *, progress: bool = True
) -> list[str]:
    """Reads all frames of a recipe and returns the keys of the clips whose checksum is wrong.

    Args:
        manifest: Of the cache.
        name: Of the recipe.
        frames: Its file.
        progress: Show a bar when it takes longer than two seconds.
    """
    entries = manifest.entries(name)
    slots = {key: entry.slot for key, entry in entries.items() if entry.slot is not None}
    with ThreadPoolExecutor() as threads:  # reading and summing up both let go of Python's lock
        sums = threads.map(frames.checksum, slots.values())
        checked = with_bar(sums, len(slots), "checking cached frames", show=progress)
        return [
            key for key, found in zip(slots, checked, strict=True) if found != entries[key].checksum
        ]


def frames_of(folder: Path, recipe: AnyRecipe, name: str | None = None) -> FramesFile:
    """The file in a cache that holds the frames of a recipe; its name tells which version of a decoder made it."""
    return FramesFile(folder / f"{name or recipe.name}.frames", recipe.shape, recipe.dtype)


def _entry(answer: Mapping[str, Any], slot: int | None) -> Entry:
    error = answer["error"]
    return Entry(
        error=error,
        slot=None if error else slot,
        checksum=answer.get("checksum"),
        video_frames=answer.get("video_frames"),
        face_frames=answer.get("face_frames"),
    )
