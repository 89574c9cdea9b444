"""Clips of equal content under different names: refused in two subsets, as a person is."""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from emorec.data.cache.store import file_digests, fingerprint
from emorec.data.clip import Clip
from emorec.data.split import Subset
from emorec.errors import UserError
from emorec.text import first_few, plural

Pair = tuple[Clip, Clip]


def check_duplicates(
    subsets: Mapping[Subset, Sequence[Clip]],
    sources: Callable[[Clip], Collection[Path]],
    cache: Path,
) -> list[Pair]:
    """Refuse equal content in two subsets; return the pairs of clips of equal content within one.

    Two clips have equal content when files of theirs have equal bytes under different names, and their spans overlap in
    the same half of the picture. Clips of one and the same file or take are what the data set says that they are.
    Two clips that a split both validates and tests are in one subset.

    Args:
        subsets: The clips of each subset.
        sources: Clip -> its files.
        cache: Folder of the cache, whose database keeps the digests of files.

    Raises:
        UserError: When clips in two subsets have equal content.
    """
    subsets_of: dict[Clip, tuple[Subset, ...]] = defaultdict(tuple)
    clips_of: dict[Path, list[Clip]] = defaultdict(list)
    for subset, clips in subsets.items():
        for clip in clips:
            if clip not in subsets_of:
                for path in sources(clip):
                    clips_of[path].append(clip)
            subsets_of[clip] += (subset,)
    leaks, duplicates = [], []
    for paths in equal_files(clips_of, cache):
        distinct: dict[object, tuple[Path, Clip]] = {}
        for path, clip in ((file, clip) for file in paths for clip in clips_of[file]):
            own = subsets_of[clip]
            equal = [
                other
                for other_path, other in distinct.values()
                if other_path != path
                and other.take != clip.take
                and _overlap(clip, path, other, other_path)
            ]
            elsewhere = [other for other in equal if subsets_of[other] != own]
            if elsewhere:
                leaks.append((elsewhere[0], clip))
            elif equal:
                duplicates.append((equal[0], clip))
            distinct.setdefault((clip.span_seconds, clip.half, own), (path, clip))
    if leaks:
        named = [
            " and ".join(f"{clip.title} in {' and '.join(subsets_of[clip])}" for clip in pair)
            for pair in leaks
        ]
        raise UserError(
            f"{plural(len(leaks), 'clip')} of equal content in two subsets: {first_few(named, separator='; ')}; "
            "remove one of each two, or give both to the same person"
        )
    return duplicates


def equal_files(paths: Collection[Path], cache: Path) -> list[list[Path]]:
    """Group files of equal bytes; only files that share their size with another one are read.

    Empty and unreadable files are left out.

    Args:
        paths: The files.
        cache: Folder of the cache, whose database keeps the digests of files.
    """
    of_size = defaultdict(list)
    for path in paths:
        size, _ = fingerprint(path) or (0, None)
        if size:
            of_size[size].append(path)
    digests = file_digests(cache, [path for same in of_size.values() if same[1:] for path in same])
    of_digest = defaultdict(list)
    for path, digest in digests.items():
        of_digest[digest].append(path)
    return [same for same in of_digest.values() if same[1:]]


def _overlap(one: Clip, path: Path, other: Clip, other_path: Path) -> bool:
    """Whether clips of equal files have seconds and a part of the picture in common."""
    (start, end), (other_start, other_end) = _span(one, path), _span(other, other_path)
    halves = {one.half, other.half} - {None}
    return start < other_end and other_start < end and len(halves) < 2


def _span(clip: Clip, path: Path) -> tuple[float, float]:
    """Return the part of a clip's file that it uses; a separate sound file is used in full."""
    return (path != clip.sound_path and clip.span_seconds) or (0.0, math.inf)
