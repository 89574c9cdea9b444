"""IEMOCAP: its folder becomes clips.

    IEMOCAP_full_release/Session1 ... Session5/
        dialog/EmoEvaluation/Ses01F_impro01.txt                       who says what when, and how it was judged
        dialog/avi/DivX/Ses01F_impro01.avi                            both people, side by side
        sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav          an utterance's sound

Source: Busso et al. 2008, Language Resources and Evaluation 42(4):335-359; https://sail.usc.edu/iemocap/.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emorec.data.clip import Clip, Half
from emorec.data.iemocap_files import SESSIONS, Utterance, read_utterances
from emorec.data.iemocap_labels import LABELS, NumClasses, class_of
from emorec.errors import UserError

ROOT_VARIABLE = "EMOREC_IEMOCAP_ROOT"
"""Names the folder once and for all."""

RELEASE = "IEMOCAP_full_release"
"""What the archive's folder is called."""

WHERE_TO_ASK = (
    "ask for IEMOCAP with the release form at https://sail.usc.edu/iemocap/iemocap_release.htm "
    f"and unpack it: {RELEASE} holds Session1 to Session5"
)

EVALUATIONS = Path("dialog", "EmoEvaluation")
VIDEOS = Path("dialog", "avi", "DivX")
SOUNDS = Path("sentences", "wav")


@dataclass(frozen=True, slots=True)
class Folder:
    """What was found below a folder.

    Attributes:
        clips: The utterances asked for, in the order of their names.
        counts: Code -> utterances of that label, of all that were looked at.
        incomplete: Utterances asked for that can't be taken, each with what is missing.
        others: Files with lines that are no utterances, each with the first such line.
    """

    clips: tuple[Clip, ...]
    counts: Mapping[str, int]
    incomplete: tuple[tuple[str, str], ...]
    others: tuple[tuple[Path, str], ...]


def find_clips(
    root: str | Path,
    *,
    num_classes: NumClasses = 4,
    merge_excited: bool = False,
    improvised_only: bool = False,
    marked_half: Half = "left",
    middle_seconds: float = math.inf,
    seen: bool = True,
) -> Folder:
    """The utterances of the classes.

    Args:
        root: The folder that holds Session1 to Session5, or the one that holds that; some sessions may be missing.
        num_classes: 4 (angry, happy, neutral, sad), or 3 without happy.
        merge_excited: Count excited as happy.
        improvised_only: Leave out dialogues that were read from a script: all sessions say the same sentences there.
        marked_half: The half of the picture in which the person with the markers is (see `IemocapDataModule`).
        middle_seconds: How much of an utterance is seen at most.
        seen: Whether the videos are needed; many a copy of IEMOCAP is sound alone.

    Raises:
        UserError: When the folder does not exist, can't be read, is not laid out like IEMOCAP, or holds no such
            utterance.
    """
    sessions = sessions_in(Path(root).expanduser(), seen=seen)
    utterances, others = _utterances(sessions)
    wanted = [said for said in utterances if said.improvised or not improvised_only]
    clips: list[Clip] = []
    incomplete: list[tuple[str, str]] = []
    there = {path for session in sessions for path in _media(session, seen=seen)}
    for said in sorted(wanted, key=lambda said: said.name):
        label = class_of(said.code, num_classes, merge_excited=merge_excited)
        if label is None:
            continue
        session = sessions[0].parent / f"Session{said.session}"
        video = session / VIDEOS / f"{said.dialogue}.avi"
        sound = session / SOUNDS / said.dialogue / f"{said.name}.wav"
        needed = (("avi", video), ("wav", sound)) if seen else (("wav", sound),)
        missing = [kind for kind, path in needed if path not in there]
        if missing:
            incomplete.append((said.name, f"no {' and no '.join(missing)}"))
            continue
        clips.append(
            Clip(
                path=video,
                label=label,
                actor=said.person,
                take=said.name,
                span_seconds=middle_of(said.start, said.end, middle_seconds),
                half=said.half(marked_half),
                sound_path=sound,
            )
        )
    if not clips:
        raise UserError(_nothing_in(sessions, incomplete, len(utterances)))
    counts = Counter(said.code for said in wanted)
    return Folder(tuple(clips), counts, tuple(incomplete), tuple(others))


def middle_of(start: float, end: float, seconds: float) -> tuple[float, float]:
    """So many seconds in the middle of a span, or all of a shorter one.

    >>> middle_of(10.0, 15.0, 3.0), middle_of(10.0, 12.0, 3.0)
    ((11.0, 14.0), (10.0, 12.0))
    """
    left_out = max(0.0, end - start - seconds)
    return start + left_out / 2, end - left_out / 2


def sessions_in(root: Path, *, seen: bool = True) -> list[Path]:
    """The folders of the sessions that are there.

    Args:
        root: See `find_clips`.
        seen: Whether the videos are needed.

    Raises:
        UserError: When there is no such folder, no session in it, or one lacks what IEMOCAP has.
    """
    if not root.is_dir():
        raise UserError(f"no such folder: {root} ({WHERE_TO_ASK})")
    here = next((place for place in (root, root / RELEASE) if _numbers(place)), None)
    if here is None:
        raise UserError(f"{root} is not laid out like IEMOCAP, it has no Session1: {WHERE_TO_ASK}")
    sessions = [here / f"Session{number}" for number in _numbers(here)]
    for session in sessions:
        missing = [
            str(part)
            for part in (EVALUATIONS, VIDEOS, SOUNDS)
            if not (session / part).is_dir() and (seen or part != VIDEOS)
        ]
        if missing:
            raise UserError(
                f"{session} is not laid out like IEMOCAP, it lacks {', '.join(missing)}: unpack it whole, or remove it"
            )
    return sessions


def left_out(
    counts: Mapping[str, int], num_classes: NumClasses, *, merge_excited: bool
) -> dict[str, int]:
    """The labels that are no class -> how many utterances that leaves out, the most frequent first.

    >>> left_out({"ang": 5, "exc": 1, "fru": 3}, 4, merge_excited=False)
    {'frustrated': 3, 'excited': 1}
    """
    none = [
        code for code in counts if class_of(code, num_classes, merge_excited=merge_excited) is None
    ]
    return {LABELS[code]: counts[code] for code in sorted(none, key=lambda code: -counts[code])}


def _numbers(place: Path) -> list[int]:
    return [number for number in SESSIONS if (place / f"Session{number}").is_dir()]


def _utterances(sessions: Sequence[Path]) -> tuple[list[Utterance], list[tuple[Path, str]]]:
    """All utterances, and the files with lines that are none; what macOS adds (`._name`) is passed over."""
    utterances: list[Utterance] = []
    others: list[tuple[Path, str]] = []
    for session in sessions:
        try:
            files = sorted((session / EVALUATIONS).glob("[!.]*.txt"))
            for path in files:
                wrong = None
                for said in read_utterances(path):
                    if isinstance(said, Utterance):
                        utterances.append(said)
                    elif wrong is None:
                        wrong = str(said)
                if wrong:
                    others.append((path, wrong))
        except OSError as error:
            raise UserError(
                f"can't read {error.filename}: {error.strerror} (change its permissions)"
            ) from error
    return utterances, others


def _media(session: Path, *, seen: bool) -> list[Path]:
    """Videos and sounds, by listing folders: questions about ten thousand files take long on a network's disk."""
    found = list((session / VIDEOS).glob("[!.]*.avi")) if seen else []
    for folder in (session / SOUNDS).iterdir():
        if folder.is_dir() and not folder.name.startswith("."):
            found += folder.iterdir()
    return found


def _nothing_in(
    sessions: Sequence[Path], incomplete: Sequence[tuple[str, str]], num_utterances: int
) -> str:
    here = sessions[0].parent
    if incomplete:
        name, missing = incomplete[0]
        return (
            f"none of the {len(incomplete)} utterances in {here} can be taken, {name} is the first: {missing} "
            f"(they belong into {VIDEOS} and {SOUNDS} of each session)"
        )
    if num_utterances:
        return f"none of the {num_utterances} utterances in {here} is of the classes asked for"
    return f"no utterance in {here}: no file in Session*/{EVALUATIONS} tells of one; {WHERE_TO_ASK}"
