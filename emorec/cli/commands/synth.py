"""`emorec synth`: makes the demo data."""

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from emorec.cli.commands.actors import parse_actors
from emorec.data.ravdess import ACTORS
from emorec.data.synthetic.settings import ClipSettings


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
        fps: Frames a second.
        sound: Give the audio-visual clips a voice.
        twins: Add a video-only file to each audio-visual one, with the same pictures.
        seed: Changes the actors and their takes.
        num_workers: Processes; all cores when not given.

    Raises:
        UserError: When an argument is impossible, or the folder can't take the clips.
    """
    # late: drawing needs libraries that the help can do without
    from emorec.data.synthetic.clips import plan, write_dataset

    start = time.perf_counter()
    settings = ClipSettings(
        width=width, height=height, num_frames=num_frames, fps=fps, sound=sound, seed=seed
    )
    wanted = parse_actors(actors)
    total = len(plan(actors=wanted, takes=takes, twins=twins))
    console = Console()
    columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    silent = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=silent) as bar:
        task = bar.add_task("", total=None)
        written = write_dataset(
            folder,
            actors=wanted,
            takes=takes,
            settings=settings,
            twins=twins,
            num_workers=num_workers,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    seconds = time.perf_counter() - start
    if written:
        kept = f" ({total - len(written)} were there)" if len(written) < total else ""
        did = f"wrote {len(written)} clips of {len(wanted)} actors{kept}"
        console.print(f"{did} to {folder} in {seconds:.1f} s", highlight=False, soft_wrap=True)
    else:
        did = f"nothing to do: all {total} clips are in {folder}"
        console.print(did, highlight=False, soft_wrap=True)
