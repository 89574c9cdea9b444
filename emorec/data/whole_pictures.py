"""Broken pictures of Aff-Wild2 are found before they are reached, and count like those that are not there."""

import json
import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from filelock import FileLock

from emorec.data.affwild2 import Video
from emorec.data.cache.progress import with_progress
from emorec.files import whole_file
from emorec.text import listed_files

log = logging.getLogger(__name__)

KNOWN = "checked-pictures.json"
"""What is known of the pictures, in the cache."""

JPEG_BEGINS, JPEG_ENDS = b"\xff\xd8", b"\xff\xd9"
TAIL = 512
"""Bytes in which a JPEG file has to end: some programs write a little behind it."""

THREADS = 8
"""That wait for the disk."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Videos with those of their pictures that can be read.

    Attributes:
        videos: Each without its broken pictures.
        broken: Pictures that can't be read, each with the reason.
    """

    videos: list[Video]
    broken: list[tuple[Path, str]]


def whole_pictures(videos: Sequence[Video], cache: Path) -> Pictures:
    """Looks once at the beginning and the end of each picture; what is known of a folder is kept.

    A folder is looked through anew when pictures came or went; those that were broken are looked at each time, so that
    one that was brought anew counts at once.

    Args:
        videos: Whose pictures.
        cache: The folder where it is kept. One that can't be written to costs another look.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # of many processes that start together one looks
        with FileLock(cache / f"{KNOWN}.lock"):
            return _looked_at_and_kept(videos, cache / KNOWN)
    except OSError:
        return _looked_at(videos, _read(cache / KNOWN))


def tell_broken(broken: Sequence[tuple[Path, str]]) -> None:
    """Warns of pictures that can't be read, each with the reason, in one line."""
    if broken:
        log.warning(
            "%s picture%s can't be read and count like frames without a face, get them anew: %s",
            len(broken),
            "s" * (len(broken) > 1),
            listed_files(broken),
        )


def broken_because(path: Path) -> str | None:
    """What is wrong with a picture, in a few words; `None` of one that seems whole. What is no JPEG file is decoded."""
    try:
        with path.open("rb", buffering=0) as file:
            begins = file.read(len(JPEG_BEGINS))
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            ends = file.read(TAIL)
        if begins == JPEG_BEGINS:
            return None if JPEG_ENDS in ends else "cut off"
        return "empty" if not begins else "no picture" if decoded(path) is None else None
    except OSError as error:
        return error.strerror or str(error)


def decoded(path: Path) -> npt.NDArray[Any] | None:
    """(H, W, 3) uint8, BGR; `None` of what is no picture.

    Raises:
        OSError: When the file can't be read.
    """
    try:
        return cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # an empty file
        return None


Known = dict[str, tuple[int, int, list[int]]]
"""By folder: when its list of files last changed, in nanoseconds, how many pictures it had, and which were broken."""


def _looked_at_and_kept(videos: Sequence[Video], path: Path) -> Pictures:
    known = _read(path)
    before = dict(known)
    found = _looked_at(videos, known)
    if known != before:
        with whole_file(path) as file:
            file.write(json.dumps(known).encode())
    return found


def _looked_at(videos: Sequence[Video], known: Known) -> Pictures:
    """Fills in what was not known."""
    whole, broken = [], []
    for video, bad, state in with_progress(
        _each(videos, known), len(videos), "looking at the pictures of videos", unit="videos"
    ):
        known[str(video.folder.absolute())] = (*state, sorted(bad))
        frames = video.frames[~np.isin(video.frames, list(bad))] if bad else video.frames
        whole.append(replace(video, frames=frames))
        broken += [(video.picture(frame), why) for frame, why in sorted(bad.items())]
    return Pictures(whole, broken)


def _each(
    videos: Sequence[Video], known: Known
) -> Iterator[tuple[Video, dict[int, str], tuple[int, int]]]:
    with ThreadPoolExecutor(THREADS) as threads:
        for video in videos:
            state = video.folder.stat().st_mtime_ns, len(video.frames)
            *before, bad = known.get(str(video.folder.absolute()), (0, 0, []))
            look_at = bad if tuple(before) == state else video.frames.tolist()
            reasons = threads.map(broken_because, map(video.picture, look_at))
            found = {frame: why for frame, why in zip(look_at, reasons, strict=True) if why}
            yield video, found, state


def _read(path: Path) -> Known:
    try:
        return {folder: tuple(state) for folder, state in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
