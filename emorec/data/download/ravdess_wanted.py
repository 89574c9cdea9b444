"""Which clips of RAVDESS somebody wants, and which of them are here already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emorec.data.download.ravdess_archives import Modality, RavdessArchive
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.files import files_below, refuse_folder

Missing = Mapping[RavdessArchive, Sequence[RavdessName]]
"""Archive -> those of its clips that are asked for and are not here."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The clips that somebody wants to have in a folder.

    Attributes:
        root: The folder.
        archives: Those that hold the clips.
        modality: Which of their clips.

    >>> from emorec.data.download.ravdess_archives import archives_of
    >>> wanted = Wanted(Path("nowhere"), tuple(archives_of([3, 18], "both")), "av")
    >>> str(wanted), [len(clips) for clips in wanted.missing().values()]
    ('164 clips of 2 actors', [60, 44, 60])
    """

    root: Path
    archives: tuple[RavdessArchive, ...]
    modality: Modality

    def missing(self) -> dict[RavdessArchive, list[RavdessName]]:
        """The clips that are not there, for each archive that has some.

        Raises:
            UserError: When a folder can't be read.
        """
        there = clips_below(self.root)
        missing = {
            archive: [name for name in archive.clips(self.modality) if str(name) not in there]
            for archive in self.archives
        }
        return {archive: names for archive, names in missing.items() if names}

    def __str__(self) -> str:
        clips = sum(len(archive.clips(self.modality)) for archive in self.archives)
        actors = len({archive.actor for archive in self.archives})
        return f"{clips:,} clips of {actors} actor{'s' if actors > 1 else ''}"


def clips_below(root: Path) -> dict[str, Path]:
    """The clips of RAVDESS below a folder, however deep they lie: name -> file. Empty files are none.

    Raises:
        UserError: When a folder can't be read.
    """
    found: dict[str, Path] = {}
    for path in files_below(root, refuse_folder if root.exists() else None):
        if path.suffix.lower() == ".mp4" and path.is_file() and path.stat().st_size:
            found.setdefault(path.stem, path)
    return found
