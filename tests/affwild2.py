"""A small data set in the layout of Aff-Wild2, in which the brightness of a face is its valence."""

from pathlib import Path

import cv2
import numpy as np

PEOPLE = {
    "Train_Set": ["1-30-1280x720", "video2_left", "video2_right", "video3", "video4", "video5"],
    "Validation_Set": ["video6", "video7_left"],
}
NUM_FRAMES = 12
GAPS = {"video3": (4, 5), "video6": (1, 9)}
"""Frames without a face."""

VA_HEADER = "valence,arousal"
EXPR_HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"


def affect(name: str, frame: int) -> tuple[float, float]:
    """Return the valence and arousal of a frame; frame 2 of each video is not annotated."""
    if frame == 2:
        return -5, -5
    rng = np.random.default_rng([len(name), ord(name[-1]), frame])
    # unbalanced, as in Aff-Wild2
    valence = rng.choice([-0.75, -0.25, 0.25, 0.75], p=[0.1, 0.2, 0.5, 0.2])
    arousal = rng.choice([-0.5, 0.5], p=[0.3, 0.7])
    return float(valence), float(arousal)


def expression(name: str, frame: int) -> int:
    return -1 if frame == 2 else (frame + len(name)) % 8


def brightness(name: str, frame: int) -> int:
    """Return the grey level of the face, 0 to 255."""
    return round(127.5 * (1 + affect(name, frame)[0])) if frame != 2 else 0


def write_affwild2(root: Path, *, long_names: bool = False, size: int = 112) -> Path:
    """Write images, valence/arousal and expressions of eight people; video8 has no annotation."""
    sets = (
        ("VA_Estimation_Challenge", "EXPR_Recognition_Challenge")
        if long_names
        else ("VA_Set", "EXPR_Set")
    )
    for side, names in PEOPLE.items():
        for name in names:
            va = [affect(name, frame) for frame in range(1, NUM_FRAMES + 1)]
            expr = [expression(name, frame) for frame in range(1, NUM_FRAMES + 1)]
            _write(root / "annotations" / sets[0] / side / f"{name}.txt", VA_HEADER, va)
            _write(root / "annotations" / sets[1] / side / f"{name}.txt", EXPR_HEADER, expr)
    for name in [*PEOPLE["Train_Set"], *PEOPLE["Validation_Set"], "video8"]:
        folder = root / "cropped_aligned" / name
        folder.mkdir(parents=True)
        for frame in range(1, NUM_FRAMES + 1):
            if frame not in GAPS.get(name, ()):
                face = np.full((size, size, 3), brightness(name, frame), dtype=np.uint8)
                cv2.imwrite(str(folder / f"{frame:05d}.jpg"), face)
    (root / "cropped_aligned" / "video3" / ".DS_Store").touch()
    return root


def write_features(root: Path, folder: Path, num_features: int) -> None:
    """Write (images, D) features of each video like `emorec features`; each value is the frame number."""
    folder.mkdir()
    for video in (root / "cropped_aligned").iterdir():
        frames = sorted(int(image.stem) for image in video.glob("*.jpg"))
        numbers = np.repeat(np.array(frames, dtype=np.float32)[:, None], num_features, axis=1)
        np.save(folder / f"{video.name}.npy", numbers)


def _write(path: Path, header: str, rows: list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join(map(str, row)) if isinstance(row, tuple) else str(row) for row in rows]
    path.write_text("\n".join([header, *lines]) + "\n")
