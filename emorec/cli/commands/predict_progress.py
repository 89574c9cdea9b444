"""How far a prediction is and how fast; of a camera, what is said as it is said."""

import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from emorec.inference.camera import Camera
from emorec.inference.prediction import WindowPrediction
from emorec.inference.video_file import VideoFile


class PredictProgress:
    """A bar of a video, in a terminal only; a camera has a line a window instead.

    Args:
        name: What is predicted.
        video: That is predicted.
        console: Where the bar is drawn.
    """

    def __init__(self, name: str, video: VideoFile | Camera, console: Console) -> None:
        self._live = isinstance(video, Camera)
        self._rate = video.frames_per_second
        self._begun = time.perf_counter()
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=self._live or not console.is_terminal,
        )
        self._task = self._bar.add_task(name, total=video.seconds, speed="")

    def at(self, seconds: float) -> None:
        """The video is read up to that moment."""
        spent = time.perf_counter() - self._begun
        speed = f"{self._rate * seconds / spent:,.0f} frames/s" if seconds and spent else ""
        self._bar.update(self._task, completed=seconds, speed=speed)

    def said(self, prediction: WindowPrediction) -> None:
        """The network said something; of a camera that is shown at once."""
        if self._live:
            print(live_line(prediction), flush=True)

    def annotating(self, seconds: float) -> None:
        """The annotated video is written up to that moment."""
        self._bar.update(self._task, completed=seconds, speed="annotating")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.stop()


def live_line(said: WindowPrediction) -> str:
    """What was said of a window, on a line.

    >>> live_line(WindowPrediction(start=0, end=3.7, person=1, box=None, names=("sad", "happy"), values=(0.25, 0.75),
    ...     predicted="happy", confidence=0.75))
    '     0.0 s to      3.7 s  person 1  happy 75 %'
    """
    who = f"  person {said.person}" if said.person is not None else ""
    what = said.predicted
    if said.confidence is not None:
        what += f" {100 * said.confidence:.0f} %"
    elif not what:
        what = ", ".join(f"{name} {value:.2f}" for name, value in said.probabilities.items())
    return f"{said.start:8.1f} s to {said.end:8.1f} s{who}  {what}"
