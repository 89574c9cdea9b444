"""A network with predictable outputs, and timelines."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from emorec.data.faces import Box
from emorec.inference.runtimes import Inputs, Outputs
from emorec.inference.timeline import NO_FACE, UNCERTAIN, Gap, Timeline, Window
from tests.inference.specs import make_spec

EIGHT = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")

SPEC = make_spec(
    network="made.Grey",
    names=("dark", "bright"),
    num_frames=2,
    image_size=(16, 16),
    sound_seconds=0.5,
    window_seconds=0.5,
    data="made.Data",
)


class Grey:
    """A runtime whose output is the mean brightness of a window, 0 to 1."""

    description = "made, numpy"

    def __init__(self, **changes: Any) -> None:
        self.spec = replace(SPEC, **changes)
        self.batches: list[int] = []

    def __call__(self, windows: Inputs) -> Outputs:
        self.batches.append(len(next(iter(windows.values()))))
        if "frames" in windows:
            bright = windows["frames"].mean(axis=(1, 2, 3, 4)) / 255
        else:
            bright = np.abs(windows["sound"]).max(axis=1)
        if self.spec.task == "numbers":
            return np.stack([2 * bright - 1] * len(self.spec.names), axis=1).astype(np.float32)
        return np.stack([1 - bright, bright], axis=1).astype(np.float32)


def timeline(
    windows: int,
    *,
    people: int = 1,
    names: tuple[str, ...] = EIGHT,
    numbers: bool = False,
    without_face: range = range(0),
    gaps: tuple[Gap, ...] = (),
    boxes: bool = False,
) -> Timeline:
    """A timeline of windows of 3.7 seconds every 1.85; `without_face` are the indices of windows without a face."""
    generator = np.random.default_rng(0)
    predictions = []
    for number in range(windows):
        start = 1.85 * number
        if number in without_face:
            predictions.append(
                Window(
                    **prediction_of(names, None, numbers),
                    start=start,
                    end=start + 3.7,
                    person=None,
                    box=None,
                )
            )
            continue
        for person in range(1, people + 1):
            logits = generator.normal(size=len(names)) * 2
            values = np.tanh(logits) if numbers else np.exp(logits) / np.exp(logits).sum()
            predictions.append(
                Window(
                    **prediction_of(names, tuple(values.tolist()), numbers),
                    start=start,
                    end=start + 3.7,
                    person=person,
                    box=Box(20.0 * person + number, 10.0, 16.0, 20.0) if boxes else None,
                )
            )
    seconds = 1.85 * (windows - 1) + 3.7
    return Timeline(
        path=Path("talk.mp4"),
        task="numbers" if numbers else "classes",
        names=names,
        windows=tuple(predictions),
        gaps=gaps,
        seconds=seconds,
        window_seconds=3.7,
        hop_seconds=1.85,
    )


def prediction_of(
    names: tuple[str, ...], values: tuple[float, ...] | None, numbers: bool
) -> dict[str, Any]:
    """Arguments of `Window` for a prediction; below 0.3 it is uncertain."""
    if values is None:
        return {"names": names, "values": None, "predicted": NO_FACE, "confidence": None}
    if numbers:
        return {"names": names, "values": values, "predicted": "", "confidence": None}
    most = max(values)
    label = names[values.index(most)] if most >= 0.3 else UNCERTAIN
    return {"names": names, "values": values, "predicted": label, "confidence": most}
