"""How RAVDESS lies on Zenodo: which archive holds which clips, and which of them are here already.

Source: Zenodo record 1188976, "Audio-Visual and Video-only files": `Video_Speech_Actor_01.zip` holds the 60 spoken
takes of actor 1 with sound and the same 60 without, `Video_Song_Actor_01.zip` the 44 and 44 sung ones.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from emorec.data.download.archive import Limits, unpack
from emorec.data.sets.ravdess.parser import (
    CHANNELS,
    INTENSITIES,
    NUM_REPETITIONS,
    SINGERS,
    STATEMENTS,
    RavdessName,
    class_names,
)
from emorec.data.split import ACTORS
from emorec.errors import UserError

RECORD = 1188976
RECORD_PAGE = f"https://zenodo.org/records/{RECORD}"

UNFINISHED = ".unfinished"
"""The folder below the root for archives on their way; hidden, so that nobody looks for clips there."""

KEPT = ".archives"
"""The folder below the root for archives that are to be kept."""

Channel = Literal["speech", "song"]
Modality = Literal["av", "video", "both"]

LIMITS = Limits(member_bytes=64_000_000, total_bytes=4_000_000_000)
"""About ten times what there is: a clip has 3 to 6 MB, an archive about 0.55 GB, which unpacking hardly changes."""


@dataclass(frozen=True, slots=True, order=True)
class RavdessArchive:
    """One archive of the record.

    Attributes:
        actor: 1 to 24.
        channel: "speech" or "song".

    >>> RavdessArchive(7, "song").name
    'Video_Song_Actor_07.zip'
    >>> len(RavdessArchive(7, "speech").clips("av")), len(RavdessArchive(7, "song").clips("both"))
    (60, 88)
    """

    actor: int
    channel: Channel

    @property
    def name(self) -> str:
        """Its file's name."""
        return f"Video_{self.channel.capitalize()}_Actor_{self.actor:02d}.zip"

    def clips(self, modality: Modality = "both") -> tuple[RavdessName, ...]:
        """The clips that RAVDESS promises to be in it."""
        return tuple(
            RavdessName(
                modality=kind,
                channel=self.channel,
                emotion=emotion,
                intensity=intensity,
                statement=statement,
                repetition=repetition,
                actor=self.actor,
            )
            for kind, emotion, intensity, statement, repetition in product(
                ("av", "video") if modality == "both" else (modality,),
                class_names(self.channel),
                INTENSITIES,
                range(1, len(STATEMENTS) + 1),
                range(1, NUM_REPETITIONS + 1),
            )
            if (emotion, intensity) != ("neutral", "strong")
        )


def archives_of(
    actors: Iterable[int], channel: Literal["speech", "song", "both"]
) -> list[RavdessArchive]:
    """The archives that hold some actors' clips, actor by actor.

    Raises:
        UserError: When RAVDESS has no such actor, or none of them sang.

    >>> [archive.name for archive in archives_of([18, 17], "both")][1:]
    ['Video_Song_Actor_17.zip', 'Video_Speech_Actor_18.zip']
    """
    wanted = sorted(set(actors))
    if unknown := [actor for actor in wanted if actor not in ACTORS]:
        raise UserError(f"no actor {unknown[0]}: RAVDESS has {ACTORS[0]} to {ACTORS[-1]}")
    channels = CHANNELS if channel == "both" else (channel,)
    archives = [
        RavdessArchive(actor, each)
        for actor in wanted
        for each in ("speech", "song")
        if each in channels and (each == "speech" or actor in SINGERS)
    ]
    if not archives:
        raise UserError("actor 18 did not sing: RAVDESS has no Video_Song_Actor_18.zip")
    return archives


def place_of(root: Path, name: RavdessName) -> Path:
    """Where a clip is unpacked.

    >>> place_of(Path("ravdess"), RavdessName.parse("01-01-03-02-01-02-07")).as_posix()
    'ravdess/Actor_07/01-01-03-02-01-02-07.mp4'
    """
    return root / f"Actor_{name.actor:02d}" / f"{name}.mp4"


def unpack_clips(
    file: Path,
    archive: RavdessArchive,
    names: Iterable[RavdessName],
    root: Path,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Writes clips of an archive below the root; each takes its name only when it is whole.

    Args:
        file: The archive.
        archive: Which one it should be.
        names: Which clips.
        root: The folder that gets `Actor_01` and so on.
        progress: Called with the bytes of each piece that was written.

    Raises:
        UserError: When the archive is damaged or not the one, or a clip can't be written.
    """
    belong = {f"{name}.mp4" for name in archive.clips()}
    targets = {f"{name}.mp4": place_of(root, name) for name in names}
    unpack(file, targets, belong, LIMITS, progress)
