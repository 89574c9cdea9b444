"""Where the videos lie that a CSV file names, also when it leaves out their folder or their ending."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from emorec.errors import UserError
from emorec.files import files_below

VIDEO_SUFFIXES = frozenset(
    (
        ".mp4",
        ".m4v",
        ".mov",
        ".avi",
        ".mkv",
        ".webm",
        ".mpg",
        ".mpeg",
        ".wmv",
        ".flv",
        ".3gp",
        ".mts",
    )
)


def locate(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """The file of each name; one that is not there stays as it was written.

    A name counts from the folder. Where no such file is, it may lack the ending of a video, and one without a folder
    may lie in any folder below.

    Args:
        folder: That of the CSV file.
        names: As it writes them.

    Raises:
        UserError: When a name without a folder or an ending fits several files.
    """
    found: dict[str, Path] = {}
    below: Mapping[str, list[Path]] | None = None
    for name in dict.fromkeys(names):
        path = folder / name
        if not path.is_file():
            if "/" in name:
                fitting = _with_an_ending(path)
            else:
                below = _videos_below(folder) if below is None else below
                fitting = below.get(name, [])
            if len(fitting) > 1:
                files = ", ".join(str(each.relative_to(folder)) for each in fitting[:3])
                raise UserError(
                    f"{name} fits {len(fitting)} files in {folder}: {files}: "
                    "write folder and ending into the CSV file"
                )
            path = fitting[0] if fitting else path
        found[name] = path
    return found


def _with_an_ending(path: Path) -> list[Path]:
    if not path.parent.is_dir():
        return []
    return [path.with_name(path.name + end) for end in sorted(VIDEO_SUFFIXES) if _there(path, end)]


def _there(path: Path, ending: str) -> bool:
    return path.with_name(path.name + ending).is_file()


def _videos_below(folder: Path) -> Mapping[str, list[Path]]:
    """Every video in the folder, by its name and by its name without the ending."""
    videos = defaultdict(list)
    for path in files_below(folder):
        if path.suffix.lower() in VIDEO_SUFFIXES:
            videos[path.name].append(path)
            videos[path.stem].append(path)
    return videos
