"""A small IEMOCAP: five sessions of two dialogues, in the layout of the release.

Frame i of a dialogue has the grey level `grey(...) + i`, which differs between halves of the frame and dialogues and
so identifies half and time. The codec is DivX with B-frames, as in the release.
"""

import wave
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

FPS = 10
NUM_FRAMES = 60
SIZE = (64, 32)
"""Width and height in pixels."""

RATE = 16000


class Turn(NamedTuple):
    """An utterance: speaker, time and label."""

    speaker: str
    number: int
    start: float
    end: float
    code: str


FIRST = (
    Turn("F", 0, 0.5, 1.5, "neu"),
    Turn("M", 0, 1.2, 2.0, "ang"),
    Turn("F", 1, 2.0, 2.8, "sad"),
    Turn("M", 1, 2.9, 3.5, "hap"),
    Turn("F", 2, 3.5, 4.0, "exc"),
    Turn("M", 2, 4.1, 4.9, "fru"),
    Turn("M", 3, 5.0, 5.9, "xxx"),
)
"""Utterances of the improvised dialogue of each session, in which the woman wears the markers."""

SECOND = tuple(
    turn._replace(speaker="M" if turn.speaker == "F" else "F")
    for turn in FIRST
    if turn.code != "xxx"
)
"""Utterances of the scripted dialogue, in which the man wears the markers, so both have all six labels."""

DIALOGUES = {"F_impro01": FIRST, "M_script01_1b": SECOND}


def name_of(session: int, dialogue: str, turn: Turn) -> str:
    """Return the name of an utterance, such as Ses01F_impro01_M000."""
    return f"Ses{session:02d}{dialogue}_{turn.speaker}{turn.number:03d}"


def grey(session: int, dialogue: str, half: str) -> int:
    """Return the grey level of the first frame of a dialogue, 0 to 255."""
    return 10 + 4 * session + 2 * dialogue.startswith("M") + 120 * (half == "right")


def write_iemocap(root: Path, sessions: range = range(1, 6)) -> Path:
    """Write the data set and return the folder of its sessions."""
    release = root / "IEMOCAP_full_release"
    for session in sessions:
        session_folder = release / f"Session{session}"
        for subfolder in ("dialog/EmoEvaluation/Categorical", "dialog/avi/DivX", "sentences/wav"):
            (session_folder / subfolder).mkdir(parents=True)
        (session_folder / "dialog/EmoEvaluation/Categorical/Ses01F_impro01_e1_cat.txt").write_text(
            "Ses01F_impro01_F000 :Neutral state; ()\n"
        )
        for dialogue, turns in DIALOGUES.items():
            name = f"Ses{session:02d}{dialogue}"
            evaluations = session_folder / "dialog/EmoEvaluation"
            (evaluations / f"{name}.txt").write_text(evaluation(session, dialogue, turns))
            (evaluations / f"._{name}.txt").write_bytes(b"\x00\x05\x16\x07[0.0 - 1.0]")
            (session_folder / "dialog/avi/DivX" / f"{name}.avi").write_bytes(
                _video(root / "dialogue.avi", session, dialogue)
            )
            (session_folder / "dialog/avi/DivX" / f"._{name}.avi").write_bytes(b"\x00\x05\x16\x07")
            (session_folder / "sentences/wav" / name).mkdir()
            for turn in turns:
                path = (
                    session_folder
                    / "sentences/wav"
                    / name
                    / f"{name_of(session, dialogue, turn)}.wav"
                )
                _write_wav(path, turn.end - turn.start, tone(session, turn))
    return release


def evaluation(session: int, dialogue: str, turns: tuple[Turn, ...]) -> str:
    """Return the evaluation file of a dialogue; the utterances of the woman come first, as in the release."""
    heading = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"
    blocks = [
        f"[{turn.start:.4f} - {turn.end:.4f}]\t{name_of(session, dialogue, turn)}\t{turn.code}\t"
        "[2.5000, 3.0000, 2.5000]\n"
        "C-E2:\tNeutral;\t()\nC-E3:\tAnger; Frustration;\t()\nC-F1:\tNeutral;\t(caf\u00e9)\n"
        "A-E3:\tval 3; act 2; dom  2;\t()\nA-F1:\tval 2; act 4; dom  ;\t()\n"
        for turn in sorted(turns)
    ]
    return "\n".join([heading, *blocks])


def _video(path: Path, session: int, dialogue: str) -> bytes:
    width, height = SIZE
    left, right = (grey(session, dialogue, half) for half in ("left", "right"))
    with av.open(str(path), "w") as file:
        options = {"bf": "1", "g": "12", "qscale": "2", "flags": "+qscale"}
        video = file.add_stream("mpeg4", rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.max_b_frames = 1
        for index in range(NUM_FRAMES):
            image = np.full((height, width, 3), left + index, dtype=np.uint8)
            image[:, width // 2 :] = right + index
            file.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(video.encode())
    return path.read_bytes()


def tone(session: int, turn: Turn) -> int:
    """Return the pitch of an utterance in Hz, which is unique to speaker and number."""
    return 200 + 100 * session + 20 * turn.number + 10 * (turn.speaker == "M")


def _write_wav(path: Path, seconds: float, pitch: int) -> None:
    times = np.arange(round(seconds * RATE)) / RATE
    samples = (8000 * np.sin(2 * np.pi * pitch * times)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
