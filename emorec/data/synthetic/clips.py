"""A small synthetic data set in the shape of RAVDESS: drawn faces that act the eight emotions, each with a voice.

Surprise and fear show the same frames in opposite order (`emorec.data.synthetic.expression.BACKWARDS`), so only a model
that uses the motion can distinguish them. The sound alone distinguishes them, too.
"""

import io
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
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.split import ACTORS
from emorec.data.synthetic.expression import Pose, perform
from emorec.data.synthetic.face import draw_face, make_look
from emorec.data.synthetic.settings import DRAWN, ClipSettings
from emorec.data.synthetic.voice import SAMPLE_RATE, synthesize
from emorec.errors import UserError

MAX_TAKES = 8
"""Takes of each emotion by each actor in RAVDESS, except neutral: 2 intensities x 2 statements x 2 repetitions."""

# Ordered so that the first few takes already show both intensities and both statements.
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
    """Return the names of the clips of a data set, actor by actor.

    >>> [str(name) for name in plan(actors=[7], takes=1)][:2]
    ['01-01-01-01-01-01-07', '01-01-02-01-01-01-07']
    >>> len(plan(actors=range(1, 25), takes=8))  # all of spoken RAVDESS
    1440

    Args:
        actors: Numbers from 1 to 24.
        takes: Takes of each emotion by each actor, 1 to 8. RAVDESS has 8, and 4 of neutral, which is never strong.
        twins: Add a video-only file to each audio-visual one, with the same frames.

    Raises:
        UserError: When RAVDESS has no such actor, or fewer takes.
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
    """Draw the frames of a take: (T, H, W, 3) uint8 RGB, not yet encoded."""
    performance = perform(name, num_frames=settings.num_frames, seed=settings.seed)
    look = make_look(name.actor, seed=settings.seed)
    size = {"width": settings.width, "height": settings.height}
    return np.stack([draw_face(Pose(*row), look, **size) for row in performance.poses])


def voice_clip(name: RavdessName, settings: ClipSettings) -> NDArray[np.float32]:
    """Synthesize the sound of a take: (samples,) at `SAMPLE_RATE`, as long as its frames."""
    performance = perform(name, num_frames=settings.num_frames, seed=settings.seed)
    seconds = settings.num_frames / settings.fps
    return synthesize(name, performance, seconds=seconds, seed=settings.seed)


def draw_talk(emotions: Sequence[str], settings: ClipSettings, *, actor: int = 1) -> bytes:
    """Draw an actor who acts several emotions in turn, with a voice: the content of an mp4 file."""
    names = [
        next(name for name in plan(actors=[actor], takes=1) if name.emotion == emotion)
        for emotion in emotions
    ]
    return encode_mp4(
        np.concatenate([draw_clip(name, settings) for name in names]),
        fps=settings.fps,
        sound=np.concatenate([voice_clip(name, settings) for name in names]),
        sample_rate=SAMPLE_RATE,
        comment=str(settings),
    )


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
    """Write the clips of a data set that are not there yet; return their paths.

    A clip takes its name only once it is complete, so an interrupted call is finished by the next one. The frames of a
    clip depend on its name and the settings only, not on the number of workers.

    Args:
        root: The folder that gets `Actor_01/01-01-01-01-01-01-01.mp4` and so on; created when missing.
        actors: As for `plan`.
        takes: As for `plan`.
        settings: Size, length and seed of every clip; `None` for the defaults.
        twins: As for `plan`.
        num_workers: Number of processes; 0 draws in this one, `None` is one per core.
        progress: Called with the number of clips written so far and in all, the first time before the first clip.

    Raises:
        UserError: When the plan is impossible, the folder can't be written to, or a file of that name was not written
            with these settings.
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
        clips = _write_clips(missing, settings, min(num_workers, len(missing)))
        for done, _ in enumerate(clips, start=1):
            if progress is not None:
                progress(done, len(missing))
    except OSError as error:
        raise UserError(
            f"can't write {error.filename or root}: {error.strerror or error} (choose another folder)"
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


def _write_clips(
    clips: Sequence[tuple[RavdessName, Path]], settings: ClipSettings, num_workers: int
) -> Iterator[Path]:
    """Yield the path of each clip as soon as it is written."""
    if num_workers < 2:
        yield from (_write_clip(name, path, settings) for name, path in clips)
        return
    # not forked: a fork copies locks that the parent's other threads (a progress bar, torch) may hold
    pool = ProcessPoolExecutor(
        num_workers, mp_context=get_context("spawn"), initializer=_init_worker
    )
    try:
        futures = [pool.submit(_write_clip, name, path, settings) for name, path in clips]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _init_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
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
    # hidden, so that it is not taken for a clip
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(clip)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def encode_mp4(
    frames: NDArray[np.uint8],
    *,
    fps: int,
    sound: NDArray[np.float32] | None = None,
    sample_rate: int = 16_000,
    comment: str = "",
) -> bytes:
    """Encode an mp4 file with H.264 frames and AAC sound: the same bytes for the same arguments.

    Args:
        frames: (T, H, W, 3) RGB; H and W even.
        fps: Frames per second.
        sound: (samples,) within -1 to 1; `None` for no sound track.
        sample_rate: Samples per second.
        comment: Stored in the file, see `read_comment`.
    """
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        container.metadata["comment"] = comment
        # zerolatency: with its look-ahead ("macroblock tree") x264 occasionally encodes equal frames differently, and
        # B-frames make the container hide its start behind an edit list, which some decoders misread. One thread,
        # because clips are encoded in parallel.
        options = {"crf": "16", "preset": "veryfast", "tune": "zerolatency", "threads": "1"}
        video = container.add_stream("libx264", rate=fps, options=options)
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "yuv420p"
        # streams have to exist before the first packet is written
        audio = (
            container.add_stream("aac", rate=sample_rate, layout="mono")
            if sound is not None
            else None
        )
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            samples = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            samples.sample_rate, samples.pts = sample_rate, 0
            container.mux(audio.encode(samples))
            container.mux(audio.encode(None))
    return file.getvalue()


def read_comment(path: Path) -> str | None:
    """Return the comment stored in a video; `None` when it has none or is not a video."""
    import av

    try:
        with av.open(str(path)) as container:
            comment: str | None = container.metadata.get("comment")
            return comment
    except (av.FFmpegError, OSError):
        return None


def is_drawn(path: Path) -> bool:
    """Whether a clip was drawn by emorec."""
    return (read_comment(path) or "").startswith(DRAWN)
