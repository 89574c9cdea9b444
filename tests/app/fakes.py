"""Predictions of videos without a network."""

import sys
import time
from pathlib import Path

from emorec.app.handler import Answer, Progress
from emorec.errors import UserError
from emorec.inference.timeline import Timeline, Window
from tests.inference.specs import make_spec

NAMES = ("happy", "sad")

SPEC = make_spec(
    network="emorec.models.LateFusion",
    names=NAMES,
    num_frames=4,
    image_size=(32, 32),
    sound_seconds=3.0,
    window_seconds=2.0,
    data="emorec.data.RavdessDataModule",
    split={"train": [1, 2, 3], "num_clips": {"train": 180}},
    licence="no commercial use",
)

SECONDS = {b"slow": 0.5, b"endl": 120.0}
"""Seconds that a prediction takes, by the first bytes of the file."""


def timeline_of(path: Path | None = None, **overrides: object) -> Timeline:
    """Two windows of one person: happy, then sad."""
    windows = tuple(
        Window(
            names=NAMES,
            values=(share, 1 - share),
            predicted=label,
            confidence=max(share, 1 - share),
            start=float(start),
            end=start + 2.0,
            person=1,
        )
        for start, label, share in ((0, "happy", 0.75), (1, "sad", 0.25))
    )
    known = {
        "path": path,
        "task": "classes",
        "names": NAMES,
        "windows": windows,
        "gaps": (),
        "seconds": 3.0,
        "window_seconds": 2.0,
        "hop_seconds": 1.0,
    }
    return Timeline(**{**known, **overrides})  # type: ignore[arg-type]


def predict(video: Path, folder: Path, progress: Progress) -> Answer:
    """Write the files of a result, or fail, depending on the first bytes of the upload."""
    content = video.read_bytes()
    if content.startswith(b"broken"):
        raise UserError(f"{video}: not a video")
    if content.startswith(b"crash"):
        raise RuntimeError(f"a mistake of the programmer in {video}")
    print("begin", file=sys.stderr, flush=True)
    (folder / "timeline.csv").write_text("start,end\n")
    until = time.monotonic() + SECONDS.get(content[:4], 0.0)
    while time.monotonic() < until:
        progress("predicting", 0.5)
        time.sleep(0.02)
    assert video.read_bytes() == content  # the upload still exists
    (folder / "timeline.png").write_bytes(b"\x89PNG")
    (folder / "annotated.mp4").write_bytes(content)
    print("end", file=sys.stderr, flush=True)
    return Answer(timeline_of(Path(video.name)), folder)


def files_below(folder: Path) -> list[str]:
    """Names of all files below a folder, sorted."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
