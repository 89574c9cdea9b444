"""Every clip is decoded once, before the first epoch: broken ones are found, and the frames of the others are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from emorec.data.cache.any_recipe import AnyRecipe
from emorec.data.cache.decode_pool import DecodePool
from emorec.data.cache.frame_store import FrameStore, NoRoomError
from emorec.data.cache.frames_file import FramesFile
from emorec.data.cache.manifest import MANIFEST, Entry, Manifest, Part, part
from emorec.data.clip import Clip
from emorec.data.recipe import Recipe
from emorec.data.sound.sound_recipe import SoundRecipe
from emorec.data.source import Cached, DecodedPictures, DecodedSound, SoundSource, Source


@dataclass(frozen=True, slots=True)
class BrokenClip:
    """A clip that can't be used and why, in plain words.

    Attributes:
        path: Its file.
        reason: Why.
        part: What of the file it is, where that is known: the rest of it may do.
    """

    path: Path
    reason: str
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class LookedThrough:
    """What is known of clips after each was decoded.

    Attributes:
        entries: Of each clip, by its file and span.
        frames: Where the frames are, in the slots of the entries; `None` where none are kept.
    """

    entries: Mapping[Part, Entry]
    frames: FramesFile | None

    @property
    def broken(self) -> list[BrokenClip]:
        """The clips that can't be used."""
        return [
            BrokenClip(each.path, entry.error, each)
            for each, entry in self.entries.items()
            if entry.error is not None
        ]

    @property
    def faceless(self) -> list[Path]:
        """The clips in which a face was looked for and none was found."""
        return [
            each.called
            for each, entry in self.entries.items()
            if entry.face_frames == 0 and entry.error is None
        ]

    def without_faceless(self, reason: str) -> Self:
        """The same with clips without a face among the broken ones."""
        entries = {
            each: replace(entry, error=reason) if entry.face_frames == 0 else entry
            for each, entry in self.entries.items()
        }
        return replace(self, entries=entries)

    def source(self, recipe: Recipe) -> Source:
        """What gives the pictures of the clips that can be used."""
        return DecodedPictures(recipe) if self.frames is None else self._cached(self.frames)

    def sound_source(self, recipe: SoundRecipe) -> SoundSource:
        """What gives the sound of the clips that can be used."""
        return DecodedSound(recipe) if self.frames is None else self._cached(self.frames)

    def _cached(self, frames: FramesFile) -> Cached:
        slots = {each: entry.slot for each, entry in self.entries.items() if entry.slot is not None}
        return Cached(frames, slots)


def look_through(
    clips: Sequence[Clip],
    recipe: AnyRecipe,
    folder: Path,
    *,
    keep_frames: bool,
    workers: int,
    timeout_seconds: float = 60.0,
    progress: bool = True,
) -> LookedThrough:
    """Decodes the clips of which nothing is known yet, and keeps what it finds out.

    Broken is what can't be read or decoded to its end, what has one frame, what promises more than one frame too many,
    what was damaged so that the decoder noticed, and what hangs or crashes the decoder. Damage that no decoder notices
    (a flipped bit that still means something) can't be found. A file is known by its content, wherever it lies. Clips
    that hang or crash the decoder are tried anew each time, as that may have been the machine's fault.

    Args:
        clips: Each with its file and span.
        recipe: What the frames are to be like.
        folder: The cache.
        keep_frames: Keep the frames as well, not only what is wrong with the clips.
        workers: Processes that decode, each on one core.
        timeout_seconds: For one clip; then its process is killed.
        progress: Show a bar when it takes longer than two seconds.

    Raises:
        NoRoomError: When frames are to be kept and the folder can't take them.
        RuntimeError: When no process can be started.
    """
    wanted = {part(clip): clip for clip in clips}
    try:
        with (
            _manifest(folder, needed=keep_frames) as manifest,
            DecodePool(min(workers, len(wanted)), timeout_seconds) as pool,
        ):
            store = FrameStore(manifest, folder, recipe, pool, keep_frames=keep_frames)
            store.progress = progress
            entries = store.known(wanted)
            if entries.keys() != wanted.keys() or not store.trusted:
                with store.alone():
                    store.drop_damaged()
                    entries = store.known(wanted)
                    entries |= store.find_out(
                        {each: clip for each, clip in wanted.items() if each not in entries}
                    )
            return LookedThrough({each: entries[each] for each in wanted}, store.frames)
    except OSError as error:
        raise NoRoomError(f"can't keep frames in {folder}: {error.strerror or error}") from error


def _manifest(folder: Path, *, needed: bool) -> Manifest:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = Manifest(folder / MANIFEST)
        if not needed:
            with manifest.writing():
                pass
    except OSError:
        if needed:
            raise
        return Manifest(":memory:")  # a folder that can't be written to costs a second check
    return manifest
