"""RAVDESS file names and folders.

Source: Livingstone & Russo 2018, PLOS ONE 13(5):e0196391; file naming on Zenodo record 1188976.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, TypeAlias

from emorec.data.clip import EMOTIONS, SONG_EMOTIONS, Clip
from emorec.data.split import ACTORS
from emorec.errors import UserError
from emorec.io import list_files, raise_unreadable
from emorec.text import plural

ROOT_VARIABLE = "EMOREC_RAVDESS_ROOT"
"""Environment variable with the default data folder."""

Modality: TypeAlias = Literal["av", "video", "both", "audio"]
Channel: TypeAlias = Literal["speech", "song", "both"]

MODALITIES = ("av", "video", "audio")
CHANNELS = ("speech", "song")
INTENSITIES = ("normal", "strong")
STATEMENTS = ("Kids are talking by the door", "Dogs are sitting by the door")
NUM_REPETITIONS = 2
SINGERS = tuple(actor for actor in ACTORS if actor != 18)
"""Actor 18 did not sing."""

_STEM = re.compile(r"\d{2}(-\d{2}){6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RavdessName:
    """The seven fields of a RAVDESS file name; `str()` gives the stem back.

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
        """Parse a file name without its suffix.

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
class RavdessFolder:
    """The content of a RAVDESS folder.

    Attributes:
        clips: The clips of the requested modality and channel, sorted by name.
        other_files: Files that are not RAVDESS clips, or duplicates, each with the reason.
    """

    clips: tuple[Clip, ...]
    other_files: tuple[tuple[Path, str], ...]


def class_names(channel: Channel) -> tuple[str, ...]:
    """Return the emotions of a channel in label order.

    >>> len(class_names("speech")), len(class_names("song")), len(class_names("both"))
    (8, 6, 8)
    """
    return SONG_EMOTIONS if channel == "song" else EMOTIONS


def find_clips(
    root: str | Path, *, modality: Modality = "av", channel: Channel = "speech"
) -> RavdessFolder:
    """Find the RAVDESS clips below a folder, in any nesting.

    Clips of another modality or channel are left out silently, hidden files too. Any other file is listed in
    `RavdessFolder.other_files`.

    Args:
        root: A folder that holds `*.mp4` or `*.wav` files at any depth.
        modality: "av" takes the videos with sound, "video" their silent twins, "both" both of them, "audio" the sound
            files.
        channel: Spoken clips, sung clips, or both.

    Raises:
        UserError: When the folder does not exist, can't be read, or holds no such clip.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise UserError(f"no such folder: {root} (--data.root is where RAVDESS was unzipped)")
    modalities = ("av", "video") if modality == "both" else (modality,)
    channels = CHANNELS if channel == "both" else (channel,)
    clips: dict[str, Clip] = {}
    other_files: list[tuple[Path, str]] = []
    unused: Counter[str] = Counter()
    for path in list_files(root, raise_unreadable):
        try:
            name = RavdessName.parse(path.stem)
        except ValueError as error:
            other_files.append((path, str(error)))
            continue
        if name.channel not in channels:
            continue
        suffix = ".wav" if name.modality == "audio" else ".mp4"
        if name.modality not in modalities:
            unused[name.modality] += 1
        elif path.suffix.lower() != suffix:
            other_files.append(
                (path, f"a RAVDESS name, but not {suffix} ({path.suffix or 'no suffix'})")
            )
        elif str(name) in clips:
            other_files.append((path, f"a second copy of {clips[str(name)].path}"))
        else:
            label = EMOTIONS.index(name.emotion)
            clips[str(name)] = Clip(path=path, label=label, actor=name.actor, take=name.take)
    if not clips:
        missing = f"no {modality} {channel} clip of RAVDESS below {root}"
        raise UserError(f"{missing}{_instead(unused, other_files)}")
    return RavdessFolder(tuple(clips[stem] for stem in sorted(clips)), tuple(other_files))


def _instead(unused: Counter[str], other_files: Sequence[tuple[Path, str]]) -> str:
    """What there is instead of clips: those of other modalities, or other files."""
    if unused:
        modality, number = unused.most_common(1)[0]
        return f"; --data.modality {modality} takes the {plural(number, 'clip')} that it has"
    if other_files:
        path, reason = other_files[0]
        return f"; it has {len(other_files)} other files, such as {path.name}: {reason}"
    return ""


def parse_actors(text: str) -> list[int]:
    """Parse a list of actor numbers and ranges.

    >>> parse_actors("1-3,23")
    [1, 2, 3, 23]

    Raises:
        UserError: When the text is not such a list.
    """
    actors: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            numbers = range(int(first), int(last if dash else first) + 1)
        except ValueError:
            numbers = range(0)
        if not numbers:
            raise UserError(f"actors is {text!r}: write numbers and ranges, as in 1-4,23,24")
        actors |= set(numbers)
    return sorted(actors)
