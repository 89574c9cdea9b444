"""Aff-Wild2's folders of face images and text files of annotations.

    DIR/cropped_aligned/<video>/00001.jpg
    DIR/VA_Set or EXPR_Set/Train_Set and Validation_Set/<video>.txt

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
OfficialSet = Literal["train", "validation"]
FrameNumbers = npt.NDArray[np.int32]
Labels = npt.NDArray[np.float32] | npt.NDArray[np.int64]
"""(N, 2) valence and arousal, or (N,) expressions."""

ROOT_VARIABLE = "EMOREC_AFFWILD2_ROOT"
"""Environment variable with the default data folder."""

HOW_TO_GET_AFFWILD2 = (
    "ask for Aff-Wild2 at https://ibug.doc.ic.ac.uk/resources/aff-wild2/ and lay it out as DIR/cropped_aligned/"
    "<video>/00001.jpg and DIR/VA_Set or EXPR_Set/Train_Set and Validation_Set/<video>.txt"
)

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
"""Frame rate of most videos; the images have no timestamps."""

IMAGE_FOLDER = "cropped_aligned"

MAX_DEPTH = 3
"""Levels of folders below the root that are searched for images and annotations."""


@dataclass(frozen=True, slots=True, eq=False)
class Video:
    """The face images and annotations of a person in a video.

    Attributes:
        name: Such as "video10_left", whose annotations are of the person on the left.
        folder: Folder of the images.
        frames: Numbers, from 1, of the frames that have an image because a face was detected; ascending.
        official_set: Official set of the annotations; `None` without annotations.
        labels: Labels of N frames, row n of frame n + 1; `None` without annotations.
    """

    name: str
    folder: Path
    frames: FrameNumbers
    official_set: OfficialSet | None = None
    labels: Labels | None = None

    @property
    def film(self) -> str:
        """The video file, which two people may share; they belong to the same subset.

        >>> Video("video10_left", Path(), np.array([], np.int32)).film
        'video10'
        """
        return self.name.removesuffix("_left").removesuffix("_right")

    @property
    def num_frames(self) -> int:
        """Length of the video in frames, as far as known: the annotated ones, or up to the last image."""
        if self.labels is not None:
            return len(self.labels)
        return int(self.frames[-1]) if len(self.frames) else 0

    @property
    def labelled_frames(self) -> FrameNumbers:
        """Numbers of the frames that have both an image and a label."""
        if self.labels is None:
            return self.frames[:0]
        frames = self.frames[self.frames <= len(self.labels)]
        labels = self.labels[frames - 1]
        return frames[(labels >= 0) if labels.ndim == 1 else (labels >= -1).all(axis=1)]

    def image_path(self, frame: int) -> Path:
        """Return the file of a frame."""
        return self.folder / f"{frame:05d}.jpg"


def find_videos(root: str | Path, task: Task) -> tuple[list[Video], list[Path]]:
    """Return all videos below a folder sorted by name, and the annotation files of videos without images.

    Args:
        root: Holds `cropped_aligned` and the annotations of the task.
        task: "va" for valence and arousal, "expr" for the eight expressions.

    Raises:
        UserError: When there is no such folder, it has no images or no annotations, or a file can't be read.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise UserError(f"no such folder: {root}; {HOW_TO_GET_AFFWILD2}")
    folders = _find_image_folders(root)
    annotations = _find_annotations(root, task)
    videos = []
    for name, folder in sorted(folders.items()):
        frames = _list_frames(folder)
        if name in annotations:
            official_set, path = annotations[name]
            labels = read_annotations(path, task)
            videos.append(Video(name, folder, frames, official_set, labels))
        else:
            videos.append(Video(name, folder, frames))
    if not folders.keys() & annotations.keys():
        raise UserError(
            f"none of {len(annotations)} annotated videos has images below {root}; {HOW_TO_GET_AFFWILD2}"
        )
    unmatched = [path for name, (_, path) in sorted(annotations.items()) if name not in folders]
    return videos, unmatched


def read_annotations(path: Path, task: Task) -> Labels:
    """Return (N, 2) float32 valence and arousal, -5 if unknown, or (N,) int64 expressions, -1 if unknown.

    Raises:
        UserError: When the file can't be read, has another header, or a line is malformed.
    """
    try:
        header, *lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"can't read {path}: not a text file") from None
    expected = DIMENSIONS if task == "va" else EXPRESSIONS
    names = tuple(name.strip().lower() for name in header.split(",") if name.strip())
    if names not in (expected, expected[:7]):
        raise UserError(
            f"{path} has no {task} annotations: its first line is {header!r}, not {','.join(expected)}"
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
                f"{path} line {number} is malformed: {line.strip()!r}; download the file again"
            )
        rows.append(row)
    if task == "va":
        return np.array(rows, dtype=np.float32).reshape(-1, 2)
    return np.array(rows, dtype=np.int64).reshape(-1)


def _is_affect(row: Sequence[float]) -> bool:
    return len(row) == 2 and all(-1 <= value <= 1 or value == -5 for value in row)


def _is_expression(row: Sequence[float]) -> bool:
    return len(row) == 1 and row[0] in range(-1, len(EXPRESSIONS))


def _find_image_folders(root: Path) -> dict[str, Path]:
    """Return the folder of each video in all `cropped_aligned*` folders; the data set comes in several archives."""
    folders = {
        entry.name: Path(entry)
        for parent in _walk_folders(root)
        if parent.name.startswith(IMAGE_FOLDER)
        for entry in os.scandir(parent)
        if entry.is_dir()
    }
    if not folders:
        raise UserError(f"no folder {IMAGE_FOLDER}/<video> below {root}; {HOW_TO_GET_AFFWILD2}")
    return folders


def _find_annotations(root: Path, task: Task) -> dict[str, tuple[OfficialSet, Path]]:
    """Return the official set and file of each video, from `VA_Set`, `VA_Estimation_Challenge`, `EXPR_...`."""
    folders = [
        folder
        for folder in _walk_folders(root)
        if folder.name.upper().startswith(f"{task.upper()}_") and (folder / "Train_Set").is_dir()
    ]
    if not folders:
        raise UserError(f"no {task.upper()}_.../Train_Set below {root}; {HOW_TO_GET_AFFWILD2}")
    if len(folders) > 1:
        names = ", ".join(str(folder.relative_to(root)) for folder in folders)
        raise UserError(f"{root} has {len(folders)} sets of {task} annotations, {names}: keep one")
    sets: tuple[tuple[OfficialSet, str], ...] = (
        ("validation", "Validation_Set"),
        ("train", "Train_Set"),
    )
    annotations: dict[str, tuple[OfficialSet, Path]] = {}
    for official_set, folder_name in sets:
        for path in sorted((folders[0] / folder_name).glob("*.txt")):
            if path.stem in annotations:
                raise UserError(f"{path} is in the validation set too: remove one of the two")
            annotations[path.stem] = (official_set, path)
    return annotations


def _walk_folders(root: Path, depth: int = MAX_DEPTH) -> Iterator[Path]:
    """Yield a folder and those below it, except the many inside of image folders."""
    yield root
    if depth == 0 or root.name.startswith(IMAGE_FOLDER):
        return
    for path in sorted(root.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            yield from _walk_folders(path, depth - 1)


def _list_frames(folder: Path) -> FrameNumbers:
    """Return the numbers in the names of a folder's images, ascending."""
    numbers = [
        int(entry.name[:-4])
        for entry in os.scandir(folder)
        if entry.name.endswith(".jpg") and entry.name[:-4].isdecimal()
    ]
    return np.array(sorted(numbers), dtype=np.int32)
