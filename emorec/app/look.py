"""A predictor looks at an upload and leaves the files of its result."""

import time
from pathlib import Path

from emorec.app.answer import Progress
from emorec.app.limits import Limits
from emorec.inference.predictor import Predictor
from emorec.inference.timeline import Timeline
from emorec.inference.video_file import VideoFile
from emorec.inference.video_report import report_video


class LookWith:
    """Looks at videos with a predictor, one at a time.

    Args:
        predictor: What says something of them.
        limits: How long they may be.
    """

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        self._predictor = predictor
        self._limits = limits

    def __call__(self, video: Path, folder: Path, progress: Progress) -> Timeline:
        """See `answer.Look`."""
        begun = time.perf_counter()
        file = VideoFile(video)
        self._limits.refuse_long(video, file.seconds)
        report = report_video(
            self._predictor,
            file,
            folder,
            self._predictor.settings,
            _Watcher(progress, file.seconds),
            annotated=True,
            begun=begun,
        )
        return report.timeline


class _Watcher:
    """Tells shares of what is done, first of looking, then of drawing."""

    def __init__(self, progress: Progress, seconds: float) -> None:
        self._progress = progress
        self._seconds = max(seconds, 0.001)

    def at(self, seconds: float) -> None:
        self._progress("looking at the video", min(1.0, seconds / self._seconds))

    def said(self, prediction: object) -> None:
        """What is said is shown at the end, all of it."""

    def annotating(self, seconds: float) -> None:
        self._progress("drawing on the video", min(1.0, seconds / self._seconds))
