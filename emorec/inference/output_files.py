"""The files of a predicted video."""

from pathlib import Path

TIMELINE = "timeline.csv"
SUMMARY = "summary.json"
PICTURE = "timeline.png"
ANNOTATED = "annotated.mp4"


def is_output(path: Path) -> bool:
    """Whether a video was made by an earlier prediction, of another video."""
    return path.name == ANNOTATED and path.with_name(TIMELINE).is_file()
