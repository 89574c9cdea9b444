"""RAVDESS: a file name becomes a typed record, a folder becomes clips.

Source: Livingstone & Russo 2018, PLOS ONE 13(5):e0196391; file naming on Zenodo record 1188976.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from emorec.data.clip import EMOTIONS, SONG_EMOTIONS, Clip
from emorec.errors import UserError
from emorec.files import files_below, refuse_folder

ROOT_VARIABLE = "EMOREC_RAVDESS_ROOT"
"""Names the folder once and for all."""

MODALITIES = ("av", "video", "audio")
CHANNELS = ("speech", "song")
INTENSITIES = ("normal", "strong")
STATEMENTS = ("Kids are talking by the door", "Dogs are sitting by the door")
NUM_REPETITIONS = 2
ACTORS = tuple(range(1, 25))
SINGERS = tuple(actor for actor in ACTORS if actor != 18)
"""Actor 18 did not sing."""

_STEM = re.compile(r"\d{2}(-\d{2}){6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RavdessName:
    """What a RAVDESS file name says; `str()` gives the file's stem back.

    Attributes:
        modality: "av" (sound and picture), "video" (no sound) or "audio" (no picture).
        channel: "speech" or "song".
        emotion: One of the eight class names.
        intensity: "normal" or "strong"; neutral has only normal.
        statement: 1 or 2, a position (from 1) in `STATEMENTS`.
        repetition: 1 or 2.
        actor: 1 to 24.

    >>> name = RavdessName.parse("01-01-03-02-01-02-07")
    >>> name.emotion, name.intensity, name.actor, name.sex
    ('happy', 'strong', 7, 'male')
    >>> str(name)
    '01-01-03-02-01-02-07'
    """

    modality: str
    channel: str
    emotion: str
    intensity: str
    statement: int
    repetition: int
    actor: int

    @classmethod
    def parse(cls, stem: str) -> Self:
        """The record of a file name without its ending.

        Raises:
            ValueError: When the text is not seven two-digit fields, a field is out of range, or RAVDESS
                has no such take (strong neutral, sung disgust or surprise).
        """
        if not _STEM.fullmatch(stem):
            raise ValueError("not seven two-digit fields joined by '-'")
        codes = [int(field) for field in stem.split("-")]
        for (field, largest), code in zip(_LARGEST_CODE.items(), codes, strict=True):
            if not 1 <= code <= largest:
                raise ValueError(f"{field} {code:02d} is not within 01 to {largest:02d}")
        name = cls(
            modality=MODALITIES[codes[0] - 1],
            channel=CHANNELS[codes[1] - 1],
            emotion=EMOTIONS[codes[2] - 1],
            intensity=INTENSITIES[codes[3] - 1],
            statement=codes[4],
            repetition=codes[5],
            actor=codes[6],
        )
        if name.emotion == "neutral" and name.intensity == "strong":
            raise ValueError("RAVDESS has no strong neutral")
        if name.channel == "song" and name.emotion not in SONG_EMOTIONS:
            raise ValueError(f"RAVDESS has no sung {name.emotion}")
        return name

    @property
    def sex(self) -> Literal["male", "female"]:
        """Odd actors are male, even ones female."""
        return "male" if self.actor % 2 else "female"

    @property
    def take(self) -> str:
        """The name without its modality: equal for the files of one performance."""
        return str(self)[3:]

    def __str__(self) -> str:
        codes = (
            MODALITIES.index(self.modality) + 1,
            CHANNELS.index(self.channel) + 1,
            EMOTIONS.index(self.emotion) + 1,
            INTENSITIES.index(self.intensity) + 1,
            self.statement,
            self.repetition,
            self.actor,
        )
        return "-".join(f"{code:02d}" for code in codes)


_LARGEST_CODE = {
    "modality": len(MODALITIES),
    "channel": len(CHANNELS),
    "emotion": len(EMOTIONS),
    "intensity": len(INTENSITIES),
    "statement": len(STATEMENTS),
    "repetition": NUM_REPETITIONS,
    "actor": len(ACTORS),
}


@dataclass(frozen=True, slots=True)
class Folder:
    """What was found below a folder.

    Attributes:
        clips: The clips asked for, in the order of their names.
        others: Files that RAVDESS does not know or that are a second copy of a clip, each with the reason.
    """

    clips: tuple[Clip, ...]
    others: tuple[tuple[Path, str], ...]


def class_names(channel: Literal["speech", "song", "both"]) -> tuple[str, ...]:
    """The emotions that occur in a channel, in label order.

    >>> len(class_names("speech")), len(class_names("song")), len(class_names("both"))
    (8, 6, 8)
    """
    return SONG_EMOTIONS if channel == "song" else EMOTIONS


def find_clips(
    root: str | Path,
    *,
    modality: Literal["av", "video", "both"] = "av",
    channel: Literal["speech", "song", "both"] = "speech",
) -> Folder:
    """The clips below a folder, however deep RAVDESS was unzipped.

    Files of the other modality or channel are RAVDESS too: they are left out without a word. Whatever else lies
    there is listed in `Folder.others`, never taken; hidden files are the operating system's and are passed over.

    Args:
        root: A folder that holds `*.mp4` files at any depth.
        modality: "av" takes the files with sound, "video" their silent twins, "both" all of them.
        channel: Spoken clips, sung clips, or both.

    Raises:
        UserError: When the folder does not exist, can't be read, or holds no clip of that kind.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise UserError(f"no such folder: {root} (--data.root is where RAVDESS was unzipped)")
    modalities = ("av", "video") if modality == "both" else (modality,)
    channels = CHANNELS if channel == "both" else (channel,)
    found: dict[str, Clip] = {}
    others: list[tuple[Path, str]] = []
    for path in files_below(root, refuse_folder):
        try:
            name = RavdessName.parse(path.stem)
        except ValueError as error:
            others.append((path, str(error)))
            continue
        if name.modality not in modalities or name.channel not in channels:
            continue
        if path.suffix.lower() != ".mp4":
            others.append((path, f"a RAVDESS name on a {path.suffix or 'nameless'} file"))
        elif str(name) in found:
            others.append((path, f"a second copy of {found[str(name)].path}"))
        else:
            label = EMOTIONS.index(name.emotion)
            found[str(name)] = Clip(path=path, label=label, actor=name.actor, take=name.take)
    if not found:
        seen = f"; of {len(others)} files there {_example(others)}" if others else ""
        raise UserError(f"no {modality} {channel} clip of RAVDESS below {root}{seen}")
    return Folder(tuple(found[stem] for stem in sorted(found)), tuple(others))


def _example(others: Sequence[tuple[Path, str]]) -> str:
    path, reason = others[0]
    return f"{path.name} is the first that is none: {reason}"
