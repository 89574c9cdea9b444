"""A small RAVDESS-shaped data set, made on the spot: drawn faces that act the eight emotions, and a voice to each.

Surprise and fear show the same pictures in opposite order (`synthetic_expression.BACKWARDS`), so a model must watch
the motion to tell them apart. The sound does tell them apart.
"""

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from emorec.data.clip import EMOTIONS
from emorec.data.ravdess import ACTORS, RavdessName
from emorec.data.synthetic.encode import encode_mp4, read_comment
from emorec.data.synthetic.expression import Pose, perform
from emorec.data.synthetic.face import draw_face, make_look
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.synthetic.voice import SAMPLE_RATE, sing
from emorec.errors import UserError

MAX_TAKES = 8
"""What RAVDESS has of each emotion but neutral: 2 intensities x 2 statements x 2 repetitions."""

# Spread so that the first few takes already show both intensities and both statements.
_TAKES = (
    ("normal", 1, 1),
    ("strong", 2, 1),
    ("normal", 2, 2),
    ("strong", 1, 2),
    ("strong", 1, 1),
    ("normal", 2, 1),
    ("strong", 2, 2),
    ("normal", 1, 2),
)


def plan(*, actors: Iterable[int], takes: int, twins: bool = False) -> list[RavdessName]:
    """The clips of a data set, actor by actor.

    >>> [str(name) for name in plan(actors=[7], takes=1)][:2]
    ['01-01-01-01-01-01-07', '01-01-02-01-01-01-07']
    >>> len(plan(actors=range(1, 25), takes=8))  # all of spoken RAVDESS
    1440

    Args:
        actors: Numbers from 1 to 24.
        takes: Takes of each emotion by each actor, 1 to 8. RAVDESS has 8, and 4 of neutral, which is never strong.
        twins: Add a video-only file to each audio-visual one, with the same pictures.

    Raises:
        UserError: When RAVDESS has no such actor, or not that many takes.
    """
    if not 1 <= takes <= MAX_TAKES:
        raise UserError(f"takes is {takes}: choose 1 to {MAX_TAKES} takes of each emotion")
    names = []
    for actor in sorted(set(actors)):
        if actor not in ACTORS:
            raise UserError(f"no actor {actor}: RAVDESS has {ACTORS[0]} to {ACTORS[-1]}")
        for emotion in EMOTIONS:
            possible = [take for take in _TAKES if emotion != "neutral" or take[0] == "normal"]
            for intensity, statement, repetition in possible[:takes]:
                names += [
                    RavdessName(
                        modality=modality,
                        channel="speech",
                        emotion=emotion,
                        intensity=intensity,
                        statement=statement,
                        repetition=repetition,
                        actor=actor,
                    )
                    for modality in (("av", "video") if twins else ("av",))
                ]
    return names


def draw_clip(name: RavdessName, settings: ClipSettings) -> NDArray[np.uint8]:
    """(T, H, W, 3) RGB pictures of a take, before any encoder has touched them."""
    performance = perform(name, num_frames=settings.num_frames, seed=settings.seed)
    look = make_look(name.actor, seed=settings.seed)
    size = {"width": settings.width, "height": settings.height}
    return np.stack([draw_face(Pose(*row), look, **size) for row in performance.poses])


def voice_clip(name: RavdessName, settings: ClipSettings) -> NDArray[np.float32]:
    """(samples,) of a take's sound at `SAMPLE_RATE`, as long as its pictures."""
    performance = perform(name, num_frames=settings.num_frames, seed=settings.seed)
    seconds = settings.num_frames / settings.fps
    return sing(name, performance, seconds=seconds, seed=settings.seed)


def write_dataset(
    root: str | Path,
    *,
    actors: Sequence[int],
    takes: int,
    settings: ClipSettings | None = None,
    twins: bool = False,
    num_workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """The clips that were written: those of the plan that were not there yet.

    A clip appears under its name only when it is whole, so a call that was cut short is finished by the next one. The
    pictures of a clip depend on its name and the settings alone, never on the number of workers.

    Args:
        root: The folder that gets `Actor_01/01-01-01-01-01-01-01.mp4` and so on; made when missing.
        actors: As for `plan`.
        takes: As for `plan`.
        settings: Size, length and seed of every clip; the defaults when `None`.
        twins: As for `plan`.
        num_workers: Processes; 0 does the work in this one, `None` takes one for each core.
        progress: Called with the clips written so far and those to write, once before the first.

    Raises:
        UserError: When the plan is impossible, the folder can't be written to, or a file of that name is there which
            these settings did not write.
    """
    settings = settings or ClipSettings()
    root = Path(root).expanduser()
    names = plan(actors=actors, takes=takes, twins=twins)
    if num_workers is None:
        num_workers = os.cpu_count() or 1
    try:
        missing = _missing(names, root, settings)
        if progress is not None:
            progress(0, len(missing))
        clips = _written(missing, settings, min(num_workers, len(missing)))
        for done, _ in enumerate(clips, start=1):
            if progress is not None:
                progress(done, len(missing))
    except OSError as error:
        place = error.filename or root
        raise UserError(
            f"can't write {place}: {error.strerror or error} (choose another folder)"
        ) from error
    return [path for _, path in missing]


def _missing(
    names: Iterable[RavdessName], root: Path, settings: ClipSettings
) -> list[tuple[RavdessName, Path]]:
    missing = []
    for name in names:
        path = root / f"Actor_{name.actor:02d}" / f"{name}.mp4"
        if not path.exists():
            missing.append((name, path))
        elif read_comment(path) != str(settings):
            reason = f"is there already and is not {settings}"
            raise UserError(f"{path} {reason}: choose another folder or remove it")
    return missing


def _written(
    clips: Sequence[tuple[RavdessName, Path]], settings: ClipSettings, num_workers: int
) -> Iterator[Path]:
    """Each clip's path as soon as it is on disk."""
    if num_workers < 2:
        yield from (_write_clip(name, path, settings) for name, path in clips)
        return
    # not forked: a fork copies locks that the parent's other threads (a progress bar, torch) may hold
    pool = ProcessPoolExecutor(num_workers, mp_context=get_context("spawn"), initializer=_start)
    try:
        futures = [pool.submit(_write_clip, name, path, settings) for name, path in clips]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    cv2.setNumThreads(0)


def _write_clip(name: RavdessName, path: Path, settings: ClipSettings) -> Path:
    audible = settings.sound and name.modality == "av"
    clip = encode_mp4(
        draw_clip(name, settings),
        fps=settings.fps,
        sound=voice_clip(name, settings) if audible else None,
        sample_rate=SAMPLE_RATE,
        comment=str(settings),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    # hidden, so that no reader takes it for a clip
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(clip)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
