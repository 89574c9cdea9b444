"""Aff-Wild2: folders of pictures and text files of annotations become videos.

Source: Kollias & Zafeiriou 2019, Expression, Affect, Action Unit Recognition: Aff-Wild2 (arXiv 1910.04855); the layout
is that of the ABAW challenges' releases.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from emorec.errors import UserError

Task = Literal["va", "expr"]

ROOT_VARIABLE = "EMOREC_AFFWILD2_ROOT"
"""Names the folder once and for all."""

EXPRESSIONS = (
    "neutral",
    "anger",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
    "other",
)
"""In label order. Source: Kollias 2022, ABAW (arXiv 2202.10659), section 2; before 2022 there was no "other"."""

DIMENSIONS = ("valence", "arousal")

FRAMES_PER_SECOND = 30
"""Of most of the videos; their pictures come without times."""

PICTURES = "cropped_aligned"
HOW_TO_GET_IT = (
    "ask for Aff-Wild2 at https://ibug.doc.ic.ac.uk/resources/aff-wild2/ and lay it out as DIR/cropped_aligned/"
    "<video>/00001.jpg and DIR/VA_Set or EXPR_Set/Train_Set and Validation_Set/<video>.txt"
)
DEEPEST = 3
"""Folders below the root in which annotations are looked for."""

Frames = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Video:
    """A person in a video.

    Attributes:
        name: Such as "video10_left", whose annotations are of the person on the left.
        folder: Where the pictures are.
        frames: Numbers, from 1, of the frames that have a picture, ascending: those where the face was found.
        side: The official set, "train" or "test" (which is the validation set); `None` without annotations.
        labels: (N, 2) float32 or (N,) int64, row n of frame n + 1, of all N frames; `None` without annotations.
    """

    name: str
    folder: Path
    frames: Frames
    side: Literal["train", "test"] | None = None
    labels: npt.NDArray[np.float32] | npt.NDArray[np.int64] | None = None

    @property
    def film(self) -> str:
        """The file that it is from: two people of one film share its pictures, and so stay on one side.

        >>> Video("video10_left", Path(), np.array([], np.int32)).film
        'video10'
        """
        return self.name.removesuffix("_left").removesuffix("_right")

    @property
    def num_frames(self) -> int:
        """Of the film as far as is known: those annotated, or up to the last picture."""
        last = int(self.frames[-1]) if len(self.frames) else 0
        return last if self.labels is None else len(self.labels)

    @property
    def labelled(self) -> Frames:
        """Numbers of the frames that have both a picture and a label."""
        if self.labels is None:
            return self.frames[:0]
        within = self.frames[self.frames <= len(self.labels)]
        known = self.labels[within - 1]
        return within[(known >= 0) if known.ndim == 1 else (known >= -1).all(axis=1)]

    def picture(self, frame: int) -> Path:
        """The file of a frame."""
        return self.folder / f"{frame:05d}.jpg"


def find_videos(root: str | Path, task: Task) -> tuple[list[Video], list[tuple[Path, str]]]:
    """All videos below a folder, by name, and the annotation files of videos without pictures.

    Args:
        root: Holds `cropped_aligned` and the annotations of the task.
        task: "va" for valence and arousal, "expr" for the eight expressions.

    Raises:
        UserError: When there is no such folder, no pictures or no annotations in it, or a file can't be read.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise UserError(f"no such folder: {root}; {HOW_TO_GET_IT}")
    folders = _picture_folders(root)
    files = _annotation_files(root, task)
    videos = [
        Video(
            name,
            folder,
            _frames(folder),
            files[name][0] if name in files else None,
            read_annotations(files[name][1], task) if name in files else None,
        )
        for name, folder in sorted(folders.items())
    ]
    others = [(path, "") for name, (_, path) in sorted(files.items()) if name not in folders]
    if not any(video.side for video in videos):
        raise UserError(
            f"none of {len(files)} annotated videos has pictures below {root}; {HOW_TO_GET_IT}"
        )
    return videos, others


def read_annotations(path: Path, task: Task) -> npt.NDArray[np.float32] | npt.NDArray[np.int64]:
    """(N, 2) float32 valence and arousal with -5 where there is none, or (N,) int64 expressions with -1.

    Raises:
        UserError: When the file can't be read, has no header, or a line is none of that.
    """
    try:
        header, *lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"can't read {path}: {getattr(error, 'strerror', None) or 'no text'}"
        ) from None
    wanted = DIMENSIONS if task == "va" else EXPRESSIONS
    names = tuple(name.strip().lower() for name in header.split(",") if name.strip())
    if names != wanted and names != wanted[:7]:
        raise UserError(
            f"{path} is no {task} annotation: its first line is not {','.join(wanted)} but {header!r}"
        )
    while lines and not lines[-1].strip():
        lines.pop()
    rows: list[list[float]] = []
    for number, line in enumerate(lines, start=2):
        try:
            row = [float(value) for value in line.split(",")]
        except ValueError:
            row = []
        if not (_is_affect(row) if task == "va" else _is_expression(row)):
            raise UserError(
                f"{path} line {number} can't be read: {line.strip()!r}; get the file anew"
            )
        rows.append(row)
    if task == "va":
        return np.array(rows, dtype=np.float32).reshape(-1, 2)
    return np.array(rows, dtype=np.int64).reshape(-1)


def _is_affect(row: Sequence[float]) -> bool:
    return len(row) == 2 and all(-1 <= value <= 1 or value == -5 for value in row)


def _is_expression(row: Sequence[float]) -> bool:
    return len(row) == 1 and row[0] in range(-1, len(EXPRESSIONS))


def _picture_folders(root: Path) -> dict[str, Path]:
    """Video -> its folder, from all `cropped_aligned*` folders: the data set comes in batches."""
    found: dict[str, Path] = {}
    for folder in _folders(root):
        if folder.name.startswith(PICTURES):
            found |= {each.name: Path(each) for each in os.scandir(folder) if each.is_dir()}
    if not found:
        raise UserError(f"no folder {PICTURES}/<video> below {root}; {HOW_TO_GET_IT}")
    return found


def _annotation_files(root: Path, task: Task) -> dict[str, tuple[Literal["train", "test"], Path]]:
    """Video -> its official set and file, of `VA_Set`, `VA_Estimation_Challenge`, `EXPR_...`."""
    sets = [
        folder
        for folder in _folders(root)
        if folder.name.upper().startswith(f"{task.upper()}_") and (folder / "Train_Set").is_dir()
    ]
    if not sets:
        raise UserError(f"no {task.upper()}_.../Train_Set below {root}; {HOW_TO_GET_IT}")
    if len(sets) > 1:
        names = ", ".join(str(folder.relative_to(root)) for folder in sets)
        raise UserError(f"{root} has {len(sets)} sets of {task} annotations, {names}: keep one")
    files: dict[str, tuple[Literal["train", "test"], Path]] = {}
    for name, side in (("Validation_Set", "test"), ("Train_Set", "train")):
        for path in sorted((sets[0] / name).glob("*.txt")):
            if path.stem in files:
                raise UserError(f"{path} is in the validation set too: remove one of the two")
            files[path.stem] = ("train" if side == "train" else "test", path)
    return files


def _folders(root: Path, depth: int = DEEPEST) -> Iterator[Path]:
    """Folders below a folder; not what is inside those of pictures, which are many."""
    yield root
    if depth == 0 or root.name.startswith(PICTURES):
        return
    for each in sorted(root.iterdir()):
        if each.is_dir() and not each.name.startswith("."):
            yield from _folders(each, depth - 1)


def _frames(folder: Path) -> Frames:
    """The numbers in the names of a folder's pictures."""
    numbers = [
        int(each.name[:-4])
        for each in os.scandir(folder)
        if each.name.endswith(".jpg") and each.name[:-4].isdecimal()
    ]
    return np.array(sorted(numbers), dtype=np.int32)
