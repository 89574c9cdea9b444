"""IEMOCAP's folders and evaluation files.

    IEMOCAP_full_release/Session1 ... Session5/
        dialog/EmoEvaluation/Ses01F_impro01.txt                       who speaks when, and the emotion labels
        dialog/avi/DivX/Ses01F_impro01.avi                            both people, side by side
        sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav          an utterance's sound

`Ses01F_impro01` is session 1 with the motion capture markers on the woman, `Ses01F_impro01_M000` the man's first
utterance in it.

Source: Busso et al. 2008, Language Resources and Evaluation 42(4):335-359, and the README of the release;
https://sail.usc.edu/iemocap/.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from emorec.data.clip import Clip, Half
from emorec.errors import UserError

ROOT_VARIABLE = "EMOREC_IEMOCAP_ROOT"
"""Environment variable with the default data folder."""

RELEASE_FOLDER = "IEMOCAP_full_release"
"""Folder in the archive that holds the sessions."""

HOW_TO_GET_IEMOCAP = (
    "ask for IEMOCAP with the release form at https://sail.usc.edu/iemocap/iemocap_release.htm "
    f"and unpack it: {RELEASE_FOLDER} holds Session1 to Session5"
)

SESSIONS = tuple(range(1, 6))
EVALUATIONS = Path("dialog", "EmoEvaluation")
VIDEOS = Path("dialog", "avi", "DivX")
SOUNDS = Path("sentences", "wav")

LABELS: Mapping[str, str] = {
    "neu": "neutral",
    "ang": "angry",
    "sad": "sad",
    "hap": "happy",
    "exc": "excited",
    "fru": "frustrated",
    "sur": "surprised",
    "fea": "fearful",
    "dis": "disgust",
    "oth": "other",
    "xxx": "without agreement",
}
"""Code -> the label of most annotators; without a majority it is xxx.

Source: Busso et al. 2008, section 4; the codes are those of `EmoEvaluation/*.txt`.
"""

LABEL_COUNTS: Mapping[str, int] = {
    "neu": 1708,
    "ang": 1103,
    "sad": 1084,
    "hap": 595,
    "exc": 1041,
    "fru": 1849,
    "sur": 107,
    "fea": 40,
    "dis": 2,
    "oth": 3,
    "xxx": 2507,
}
"""Code -> utterances in the whole release, 10,039 in all.

So 4 classes are 4,490 utterances, 5,531 when excited counts as happy (1,636), and 3 classes are 3,895.

Source: tae898/multimodal-datasets `IEMOCAP/dataset-stats.md`; the same numbers in FlagEval's page of IEMOCAP.
"""

NumClasses = Literal[3, 4]

CLASSES: Mapping[int, tuple[str, ...]] = {
    4: ("angry", "happy", "neutral", "sad"),
    3: ("angry", "neutral", "sad"),
}
"""Number of classes -> their names in label order; the seed study left out happy because it is rare."""

Sex = Literal["F", "M"]

_DIALOGUE = r"Ses0(?P<session>[1-5])(?P<marked>[FM])_(?P<kind>impro|script)\d\d[a-z]?(?:_\d[a-z]?)?"
_TURN = re.compile(rf"(?P<dialogue>{_DIALOGUE})_(?P<speaker>[FM])(?:XX)?\d+")
_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_LINE = re.compile(
    rf"\[{_NUMBER}-{_NUMBER}\]\s+(\S+)\s+(\w+)\s+\[{_NUMBER},{_NUMBER},{_NUMBER}\]\s*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    r"""An annotated utterance.

    Attributes:
        name: Such as "Ses01F_impro01_M000".
        dialogue: Such as "Ses01F_impro01".
        session: 1 to 5.
        marked: Who wears the markers in the dialogue, "F" or "M".
        speaker: Who speaks, "F" or "M".
        improvised: Whether the dialogue was improvised rather than read from a script.
        start: Seconds from the start of the dialogue.
        end: End in seconds, exclusive.
        code: A key of `LABELS`.
        valence: Mean of the annotators, 1 (negative) to 5 (positive).
        activation: The same, 1 (calm) to 5 (excited).
        dominance: The same, 1 (weak) to 5 (strong).

    >>> utterance = Utterance.parse("[6.2901 - 8.2357]\tSes01F_impro01_M000\tneu\t[2.5000, 2.5000, 2.5000]")
    >>> utterance.person, utterance.improvised, utterance.code, utterance.start, utterance.end
    ('Ses01M', True, 'neu', 6.2901, 8.2357)
    >>> utterance.half(marked_half="left")
    'right'
    """

    name: str
    dialogue: str
    session: int
    marked: Sex
    speaker: Sex
    improvised: bool
    start: float
    end: float
    code: str
    valence: float
    activation: float
    dominance: float

    @classmethod
    def parse(cls, line: str) -> Self:
        """Parse a line "[start - end] name label [valence, activation, dominance]".

        Raises:
            ValueError: When the line has another format, the name or label is not of IEMOCAP, or the utterance ends
                before it starts.
        """
        match = _LINE.fullmatch(line)
        if not match:
            raise ValueError(
                "not like [start - end], name, label and [valence, activation, dominance]"
            )
        start, end, name, code, *dimensions = match.groups()
        turn = _TURN.fullmatch(name)
        if not turn:
            raise ValueError(f"{name} is not an utterance of IEMOCAP")
        if code not in LABELS:
            raise ValueError(f"{name} has the label {code}, which IEMOCAP does not have")
        if not 0 <= float(start) < float(end):
            raise ValueError(f"{name} lasts from {start} s to {end} s")
        valence, activation, dominance = map(float, dimensions)
        return cls(
            name=name,
            dialogue=turn["dialogue"],
            session=int(turn["session"]),
            marked="F" if turn["marked"] == "F" else "M",
            speaker="F" if turn["speaker"] == "F" else "M",
            improvised=turn["kind"] == "impro",
            start=float(start),
            end=float(end),
            code=code,
            valence=valence,
            activation=activation,
            dominance=dominance,
        )

    @property
    def person(self) -> str:
        """The speaker by session and sex: one of ten people."""
        return f"Ses{self.session:02d}{self.speaker}"

    def half(self, marked_half: Half) -> Half:
        """Return the half of the picture that shows the speaker.

        Args:
            marked_half: The half that shows the person with the markers.
        """
        other: Half = "right" if marked_half == "left" else "left"
        return marked_half if self.speaker == self.marked else other


def read_utterances(path: Path) -> Iterator[Utterance | ValueError]:
    """Yield the utterances of a dialogue's evaluation file in order, and an error for each malformed line.

    Lines of single annotators, comments (%) and empty lines are skipped.

    Raises:
        OSError: When the file can't be read.
    """
    # annotators' remarks have other encodings; the relevant lines are ASCII
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.startswith("["):
            continue
        try:
            utterance = Utterance.parse(line)
            if utterance.dialogue != path.stem:
                raise ValueError(f"{utterance.name} belongs to another dialogue")
        except ValueError as error:
            yield ValueError(f"line {number}: {error}")
        else:
            yield utterance


def class_of(code: str, num_classes: NumClasses, *, merge_excited: bool) -> int | None:
    """Return the class of a label, `None` for a label that is left out.

    Args:
        code: A key of `LABELS`.
        num_classes: 4, or 3 without happy.
        merge_excited: Whether excited counts as happy.

    >>> class_of("sad", 4, merge_excited=False), class_of("exc", 4, merge_excited=False)
    (3, None)
    >>> class_of("exc", 4, merge_excited=True), class_of("hap", 3, merge_excited=False)
    (1, None)
    """
    name = "happy" if merge_excited and code == "exc" else LABELS[code]
    names = CLASSES[num_classes]
    return names.index(name) if name in names else None


@dataclass(frozen=True, slots=True)
class IemocapFolder:
    """The content of an IEMOCAP folder.

    Attributes:
        sessions: The sessions that exist.
        clips: The utterances of the classes, sorted by name.
        label_counts: Code -> utterances with this label, whatever its class.
        incomplete: Utterances of the classes without video or sound, each with what is missing.
        malformed: Evaluation files with malformed lines, each with the first such line.
    """

    sessions: tuple[int, ...]
    clips: tuple[Clip, ...]
    label_counts: Mapping[str, int]
    incomplete: tuple[tuple[str, str], ...]
    malformed: tuple[tuple[Path, str], ...]

    def excluded(self, num_classes: NumClasses, *, merge_excited: bool) -> dict[str, int]:
        """Return the labels that are not a class and their numbers of utterances, the most frequent first."""
        return {
            LABELS[code]: count
            for code, count in Counter(self.label_counts).most_common()
            if class_of(code, num_classes, merge_excited=merge_excited) is None
        }


def find_clips(
    root: str | Path,
    *,
    num_classes: NumClasses = 4,
    merge_excited: bool = False,
    improvised_only: bool = False,
    marked_half: Half = "left",
    middle_seconds: float = math.inf,
    videos_required: bool = True,
) -> IemocapFolder:
    """Find the utterances of the classes.

    Args:
        root: The folder that holds Session1 to Session5, or its parent; some sessions may be missing.
        num_classes: 4 (angry, happy, neutral, sad), or 3 without happy.
        merge_excited: Count excited as happy.
        improvised_only: Leave out scripted dialogues, which have the same sentences in all sessions.
        marked_half: The half of the picture that shows the person with the markers (see `IemocapDataModule`).
        middle_seconds: The clip is at most so many seconds in the middle of the utterance.
        videos_required: Many copies of IEMOCAP have sound only, which is enough for models of sound.

    Raises:
        UserError: When the folder does not exist, can't be read, does not have IEMOCAP's layout, or holds no such
            utterance.
    """
    sessions = _find_sessions(Path(root).expanduser(), videos_required=videos_required)
    utterances, malformed = _read_all_utterances(sessions.values())
    existing = {
        path
        for session in sessions.values()
        for path in _list_media(session, videos=videos_required)
    }
    selected = [each for each in utterances if each.improvised or not improvised_only]
    clips: list[Clip] = []
    incomplete: list[tuple[str, str]] = []
    for utterance in sorted(selected, key=lambda each: each.name):
        label = class_of(utterance.code, num_classes, merge_excited=merge_excited)
        if label is None:
            continue
        session = sessions[utterance.session]
        video = session / VIDEOS / f"{utterance.dialogue}.avi"
        sound = session / SOUNDS / utterance.dialogue / f"{utterance.name}.wav"
        missing = ["no avi"] if videos_required and video not in existing else []
        missing += ["no wav"] if sound not in existing else []
        if missing:
            incomplete.append((utterance.name, " and ".join(missing)))
            continue
        clips.append(
            Clip(
                path=video,
                label=label,
                actor=utterance.person,
                take=utterance.name,
                span_seconds=middle_of(utterance.start, utterance.end, middle_seconds),
                half=utterance.half(marked_half),
                sound_path=sound,
            )
        )
    if not clips:
        release = next(iter(sessions.values())).parent
        if incomplete:
            name, missing_files = incomplete[0]
            raise UserError(
                f"none of the {len(incomplete)} utterances in {release} has its files, such as {name}: "
                f"{missing_files} (they belong into {VIDEOS} and {SOUNDS} of each session)"
            )
        if utterances:
            raise UserError(
                f"none of the {len(utterances)} utterances in {release} has such a class"
            )
        raise UserError(
            f"no utterance in {release}: Session*/{EVALUATIONS} lists none; {HOW_TO_GET_IEMOCAP}"
        )
    return IemocapFolder(
        sessions=tuple(sessions),
        clips=tuple(clips),
        label_counts=Counter(utterance.code for utterance in selected),
        incomplete=tuple(incomplete),
        malformed=tuple(malformed),
    )


def middle_of(start: float, end: float, seconds: float) -> tuple[float, float]:
    """Return the middle seconds of a span, or all of a shorter one.

    >>> middle_of(10.0, 15.0, 3.0), middle_of(10.0, 12.0, 3.0)
    ((11.0, 14.0), (10.0, 12.0))
    """
    excess = max(0.0, end - start - seconds)
    return start + excess / 2, end - excess / 2


def _find_sessions(root: Path, *, videos_required: bool) -> dict[int, Path]:
    """Return the folder of each session that exists.

    Raises:
        UserError: When the folder does not exist, has no session, or a session lacks a folder.
    """
    if not root.is_dir():
        raise UserError(f"no such folder: {root} ({HOW_TO_GET_IEMOCAP})")
    for parent in (root, root / RELEASE_FOLDER):
        sessions = {number: parent / f"Session{number}" for number in SESSIONS}
        sessions = {number: path for number, path in sessions.items() if path.is_dir()}
        if sessions:
            break
    else:
        raise UserError(f"{root} is not IEMOCAP, it has no Session1: {HOW_TO_GET_IEMOCAP}")
    required = (EVALUATIONS, VIDEOS, SOUNDS) if videos_required else (EVALUATIONS, SOUNDS)
    for session in sessions.values():
        missing = [str(folder) for folder in required if not (session / folder).is_dir()]
        if missing:
            raise UserError(
                f"{session} is incomplete, it lacks {', '.join(missing)}: unpack it whole, or remove it"
            )
    return sessions


def _read_all_utterances(
    sessions: Iterable[Path],
) -> tuple[list[Utterance], list[tuple[Path, str]]]:
    """Return all utterances, and the files with malformed lines; macOS' `._name` files are skipped."""
    utterances: list[Utterance] = []
    malformed: list[tuple[Path, str]] = []
    try:
        for session in sessions:
            for path in sorted((session / EVALUATIONS).glob("[!.]*.txt")):
                lines = list(read_utterances(path))
                utterances += (line for line in lines if isinstance(line, Utterance))
                errors = [str(line) for line in lines if isinstance(line, ValueError)]
                if errors:
                    malformed.append((path, errors[0]))
    except OSError as error:
        raise UserError(
            f"can't read {error.filename}: {error.strerror} (change its permissions)"
        ) from error
    return utterances, malformed


def _list_media(session: Path, *, videos: bool) -> list[Path]:
    """List videos and sounds folder by folder, which on a network disk is much faster than ten thousand `is_file`."""
    files = list((session / VIDEOS).glob("[!.]*.avi")) if videos else []
    for folder in (session / SOUNDS).iterdir():
        if folder.is_dir() and not folder.name.startswith("."):
            files += folder.iterdir()
    return files
