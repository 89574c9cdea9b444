"""Inputs of `emorec predict`: the videos that its arguments name, each with an output folder of its own."""

import glob
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emorec.data.clip import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from emorec.inference.results import is_result_file
from emorec.io import list_files
from emorec.text import listed_files


@dataclass(frozen=True, slots=True)
class Source:
    """Video, or sound file, to predict.

    Attributes:
        video: Path of a file, or index of a camera.
        folder: For its results, relative to the output folder.
    """

    video: Path | int
    folder: Path

    @property
    def name(self) -> str:
        """Name in messages and tables."""
        return f"camera {self.video}" if isinstance(self.video, int) else self.video.name


@dataclass(slots=True)
class Sources:
    """Videos to predict, and problems with the arguments.

    Attributes:
        sources: In the order of the arguments, those of a folder sorted.
        errors: A line for each argument that names no video.
        notes: A line for each folder with files that are not videos.
    """

    sources: list[Source] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_sources(arguments: Sequence[str], *, sound: bool = False) -> Sources:
    """Find the videos named by files, folders (at any depth), glob patterns and camera indices.

    Args:
        arguments: The names; a file that is named itself is a video whatever its suffix.
        sound: Whether sound files in folders count as videos, as for a network that only hears.
    """
    found = Sources()
    videos: list[Path | int] = []
    for argument in arguments:
        path = Path(argument).expanduser()
        if path.is_dir():
            videos += _videos_in(path, found, sound)
        elif argument.isdecimal() and not path.exists():
            videos.append(int(argument))
        elif not os.path.lexists(path) and glob.has_magic(argument):
            matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - ** as in the shell
            if not matches:
                found.errors.append(f"no file matches {path}")
            for match in map(Path, matches):
                videos += _videos_in(match, found, sound) if match.is_dir() else [match]
        elif not path.exists():
            found.errors.append(f"no such file or folder: {argument}")
        else:
            videos.append(path)
    videos = list(dict.fromkeys(videos))
    folders = output_folders([video for video in videos if isinstance(video, Path)])
    found.sources = [
        Source(video, Path(f"camera_{video}") if isinstance(video, int) else folders[video])
        for video in videos
    ]
    return found


def _videos_in(folder: Path, found: Sources, sound: bool) -> list[Path]:
    """Return all videos below a folder, sorted; without hidden files and results of earlier predictions."""
    files = [path for path in list_files(folder) if path.is_file() and not is_result_file(path)]
    files.sort()
    suffixes = VIDEO_SUFFIXES | AUDIO_SUFFIXES if sound else VIDEO_SUFFIXES
    kind = "video or sound file" if sound else "video"
    videos = [path for path in files if path.suffix.lower() in suffixes]
    others = [(path.relative_to(folder), "") for path in files if path not in set(videos)]
    if not videos:
        found.errors.append(f"no {kind} in {folder}")
    elif others:
        ignored = (
            f"1 file is no {kind}" if len(others) == 1 else f"{len(others)} files are no {kind}s"
        )
        found.notes.append(f"{ignored} in {folder}: {listed_files(others)}")
    return videos


def output_folders(videos: Sequence[Path]) -> dict[Path, Path]:
    """Return an output folder for each video: its name without suffix, and as much more as makes it unique.

    >>> [str(folder) for folder in output_folders([Path("a/1.mp4"), Path("b/1.mp4"), Path("b/2.mp4")]).values()]
    ['a/1', 'b/1', '2']
    >>> [str(folder) for folder in output_folders([Path("1.mp4"), Path("1.avi")]).values()]
    ['1.mp4', '1.avi']
    """
    absolute = {video: Path(os.path.abspath(video)) for video in videos}  # noqa: PTH100 - keeps symlinks
    root = Path(os.path.commonpath([path.parent for path in absolute.values()] or [Path("/")]))
    schemes: list[Callable[[Path], Path]] = [
        lambda path: Path(path.stem),
        lambda path: path.relative_to(root).with_suffix(""),
        lambda path: path.relative_to(root),
    ]
    folders: dict[Path, Path] = {}
    remaining = list(videos)
    for scheme in schemes:
        named = {video: scheme(absolute[video]) for video in remaining}
        # compared in lower case: some file systems ignore case
        count = Counter(str(folder).lower() for folder in [*named.values(), *folders.values()])
        folders |= {
            video: folder for video, folder in named.items() if count[str(folder).lower()] == 1
        }
        remaining = [video for video in remaining if video not in folders]
    folders |= {
        video: Path(f"{absolute[video].name}_{number}") for number, video in enumerate(remaining, 1)
    }
    return {video: folders[video] for video in videos}
