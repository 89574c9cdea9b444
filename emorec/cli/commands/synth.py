"""`emorec synth`: draw the demo data set."""

import time

from emorec.data.sets.ravdess.parser import parse_actors
from emorec.data.split import ACTORS
from emorec.data.synthetic.settings import ClipSettings
from emorec.text import plural


def synth(
    folder: str,
    *,
    actors: str = f"{ACTORS[0]}-{ACTORS[-1]}",
    takes: int = 2,
    width: int = ClipSettings.width,
    height: int = ClipSettings.height,
    num_frames: int = ClipSettings.num_frames,
    fps: int = ClipSettings.fps,
    sound: bool = ClipSettings.sound,
    twins: bool = False,
    seed: int = ClipSettings.seed,
    num_workers: int | None = None,
) -> None:
    """Make a small RAVDESS-shaped data set of drawn, speaking faces.

    Clips that are there already are kept, so an interrupted call is finished by the same call.

    Args:
        folder: The folder to fill; made when missing.
        actors: Which of the 24, as in `1-24` or `1-4,23,24`.
        takes: Takes of each emotion by each actor, 1 to 8.
        width: Width in pixels, even.
        height: Height in pixels, even.
        num_frames: Frames of a clip.
        fps: Frames per second.
        sound: Add a voice to the audio-visual clips.
        twins: Add a video-only file to each audio-visual one, with the same frames.
        seed: Changes the actors and their takes.
        num_workers: Number of processes; by default one per core.

    Raises:
        UserError: When an argument is invalid, or the folder can't take the clips.
    """
    # late: --help does without these libraries
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    from emorec.console import make_console, make_progress
    from emorec.data.synthetic.clips import plan, write_dataset

    start = time.perf_counter()
    settings = ClipSettings(
        width=width, height=height, num_frames=num_frames, fps=fps, sound=sound, seed=seed
    )
    selected = parse_actors(actors)
    total = len(plan(actors=selected, takes=takes, twins=twins))
    console = make_console(soft_wrap=True)
    columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with make_progress(*columns) as progress:
        bar = progress.add_task("", total=None)
        written = write_dataset(
            folder,
            actors=selected,
            takes=takes,
            settings=settings,
            twins=twins,
            num_workers=num_workers,
            progress=lambda done, of: progress.update(bar, completed=done, total=of),
        )
    if not written:
        console.print(f"nothing to do: all {total} clips are in {folder}")
        return
    kept = f" ({total - len(written)} were there)" if len(written) < total else ""
    console.print(
        f"wrote {plural(len(written), 'clip')} of {plural(len(selected), 'actor')}{kept} to {folder} "
        f"in {time.perf_counter() - start:.1f} s"
    )
