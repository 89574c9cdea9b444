"""What is to be predicted: the words of a command become videos, each with a folder of its own."""

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emorec.data.csv_paths import VIDEO_SUFFIXES
from emorec.files import files_below
from emorec.inference.output_files import is_output
from emorec.text import listed_files


@dataclass(frozen=True, slots=True)
class Source:
    """A video to predict.

    Attributes:
        video: Its path, or the number of a camera.
        folder: Where its files go, within the output folder.
    """

    video: Path | int
    folder: Path

    @property
    def name(self) -> str:
        """What people call it."""
        return f"camera {self.video}" if isinstance(self.video, int) else self.video.name


@dataclass(slots=True)
class Found:
    """What there is to predict.

    Attributes:
        sources: In the order of the words, those of a folder sorted.
        missing: A line for each word that names nothing.
        others: A line for each folder that also holds what is no video.
    """

    sources: list[Source] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def find_sources(words: Sequence[str]) -> Found:
    """The videos that words name: files, folders with all that is in them, patterns, numbers of cameras."""
    found = Found()
    videos: dict[Path | int, None] = {}
    for word in words:
        path = Path(word).expanduser()
        if path.is_dir():
            videos |= dict.fromkeys(_videos_in(path, found))
        elif word.isdecimal() and not path.exists():
            videos[int(word)] = None
        elif not os.path.lexists(path) and glob.has_magic(word):
            videos |= dict.fromkeys(_matches(path, found))
        elif not path.exists():
            found.missing.append(f"no such file or folder: {word}")
        else:
            videos[path] = None
    folders = _folders([video for video in videos if isinstance(video, Path)])
    found.sources = [
        Source(video, Path(f"camera_{video}") if isinstance(video, int) else folders[video])
        for video in videos
    ]
    return found


def _videos_in(folder: Path, found: Found) -> list[Path]:
    """All videos below a folder, sorted; what is hidden, or was written by an earlier prediction, is left out."""
    files = [path for path in sorted(files_below(folder)) if path.is_file() and not is_output(path)]
    videos = [path for path in files if is_video(path)]
    others = [(path.relative_to(folder), "") for path in files if not is_video(path)]
    if not videos:
        found.missing.append(f"no video in {folder}")
    elif others:
        left_out = (
            "1 file is no video" if len(others) == 1 else f"{len(others)} files are no videos"
        )
        found.others.append(f"{left_out} in {folder}: {listed_files(others)}")
    return videos


def _matches(pattern: Path, found: Found) -> Iterator[Path]:
    """What a pattern stands for, sorted; ** is any depth."""
    matches = sorted(glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - as the shell does
    if not matches:
        found.missing.append(f"nothing matches {pattern}")
    for match in map(Path, matches):
        yield from _videos_in(match, found) if match.is_dir() else [match]


def is_video(path: Path) -> bool:
    """Whether a file is called as videos are.

    >>> is_video(Path("a.MP4")), is_video(Path("a.txt"))
    (True, False)
    """
    return path.suffix.lower() in VIDEO_SUFFIXES


def _folders(videos: Sequence[Path]) -> dict[Path, Path]:
    """A folder for each video: its name without the ending, and as much more as tells it from the others.

    >>> [str(folder) for folder in _folders([Path("a/1.mp4"), Path("b/1.mp4"), Path("b/2.mp4")]).values()]
    ['a/1', 'b/1', '2']
    >>> [str(folder) for folder in _folders([Path("1.mp4"), Path("1.avi")]).values()]
    ['1.mp4', '1.avi']
    """
    absolute = {video: Path(os.path.abspath(video)) for video in videos}  # noqa: PTH100 - links stay as they are
    top = Path(os.path.commonpath([path.parent for path in absolute.values()] or [Path("/")]))
    ways: list[Callable[[Path], Path]] = [
        lambda path: Path(path.stem),
        lambda path: path.relative_to(top).with_suffix(""),
        lambda path: path.relative_to(top),
    ]
    folders: dict[Path, Path] = {}
    left = list(videos)
    for way in ways:
        named = {video: way(absolute[video]) for video in left}
        # some file systems take capitals for small letters
        count = Counter(str(folder).lower() for folder in [*named.values(), *folders.values()])
        folders |= {
            video: folder for video, folder in named.items() if count[str(folder).lower()] == 1
        }
        left = [video for video in left if video not in folders]
    folders |= {
        video: Path(f"{absolute[video].name}_{number}") for number, video in enumerate(left, 1)
    }
    return {video: folders[video] for video in videos}
