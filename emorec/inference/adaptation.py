"""Predictions adapted to a person: features of windows, centred and scaled by those of the same person's windows."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from emorec.inference.runtimes import Features, Inputs, Outputs, TwoStepRuntime
from emorec.inference.timeline import Window, WindowFeatures
from emorec.person_statistics import PRIOR_CLIPS, Moments, clip_moments, mean_and_std, with_prior
from emorec.text import first_few

log = logging.getLogger(__name__)

MIN_SECONDS = 20.0
"""Of a person's face or sound; a warning says when there is less to adapt to."""

MASKS = {"landmarks": "face_present", "sound": "heard"}
"""Stream -> the input that says in which frames, or windows, it is."""

Means: TypeAlias = Sequence[Moments]
"""For each of M networks (2, D): the means of a person's features and of their squares."""


class RunningMoments:
    """Mean of a person's features and of their squares over windows, see `with_prior`.

    Args:
        num_features: D.

    Attributes:
        seconds: Duration of the windows; where they overlap it counts once.
    """

    def __init__(self, num_features: int) -> None:
        self.seconds = 0.0
        self._sums = np.zeros((2, num_features))
        self._num_windows = 0
        self._end = float("-inf")

    def add(self, features: Features, start: float, end: float) -> None:
        """Add the features (T, D) of a window that starts after those before, at `start` seconds."""
        self._sums = self._sums + clip_moments(features[None])[0]
        self._num_windows += 1
        self.seconds += end - max(start, self._end)
        self._end = end

    def merge(self, other: "RunningMoments") -> None:
        """Add the windows of another video."""
        self._sums = self._sums + other._sums
        self._num_windows += other._num_windows
        self.seconds += other.seconds

    def mean(self) -> Moments:
        """Return both means, (2, D)."""
        return with_prior(self._sums, self._num_windows, PRIOR_CLIPS)


def empty_moments(features: WindowFeatures) -> list[RunningMoments]:
    """Return the moments of no window, for each of the M networks with such features."""
    return [RunningMoments(each.shape[1]) for each in features.features]


def add_features(
    moments: Sequence[RunningMoments], features: WindowFeatures, start: float, end: float
) -> None:
    """Add what a window has to the moments of the M networks, see `RunningMoments.add`."""
    for number in features.present.nonzero()[0].tolist():
        moments[number].add(features.features[number], start, end)


class PersonMoments:
    """Moments of the features of every person in a video.

    Attributes:
        moments: Number of a person -> moments for each of M networks.
    """

    def __init__(self) -> None:
        self.moments: dict[int, list[RunningMoments]] = {}
        self._areas: dict[int, float] = {}

    def add(self, window: Window) -> None:
        """Add a window of a person; networks that take what it lacks leave it out."""
        assert window.features is not None
        assert window.person is not None
        features, person = window.features, window.person
        if person not in self.moments:
            self.moments[person] = empty_moments(features)
            self._areas[person] = 0.0
        if window.box is not None:
            self._areas[person] += window.box.width * window.box.height
        add_features(self.moments[person], features, window.start, window.end)

    def means(self, window: Window) -> Means:
        """Return the means of the windows of a window's person so far."""
        assert window.person is not None
        return [moments.mean() for moments in self.moments[window.person]]

    def main_person(self) -> list[RunningMoments]:
        """Return the moments of the person whose face is largest and longest in view."""
        return self.moments[max(self._areas, key=lambda person: self._areas[person])]


class FeatureNetwork:
    """A network in two steps: features of windows, and the classification of adapted ones.

    Args:
        runtime: Of the network.

    Raises:
        UserError: When it can't be adapted.

    Attributes:
        spec: Of the network, whose inputs also say which windows have a face and sound.
    """

    def __init__(self, runtime: TwoStepRuntime) -> None:
        self.runtime = runtime
        self.streams = runtime.feature_streams
        masks = [MASKS[stream] for stream in self.streams]
        self.spec = replace(
            runtime.spec, inputs=tuple(dict.fromkeys([*runtime.spec.inputs, *masks]))
        )

    def features(self, inputs: Inputs) -> list[WindowFeatures]:
        """Inputs of B windows, those of `spec` -> their features."""
        parts = self.runtime.features(inputs)  # M times (B, T, D)
        masks = [inputs[MASKS[stream]] for stream in self.streams]  # of frames, or of windows
        present = np.stack([mask.reshape(len(mask), -1).any(axis=1) for mask in masks], axis=1)
        # copies: a row would keep its batch in memory
        return [
            WindowFeatures(tuple(part[row].copy() for part in parts), present[row].copy())
            for row in range(len(present))
        ]

    def classify(self, rows: Sequence[WindowFeatures], means: Sequence[Means]) -> Outputs:
        """Features of B windows, and by what each is adapted -> (B, K) probabilities."""
        present = np.stack([row.present for row in rows])  # (B, M)
        adapted, masks = [], {}
        for number, stream in enumerate(self.streams):
            features = np.stack([row.features[number] for row in rows])  # (B, T, D)
            mean, std = mean_and_std(np.stack([each[number] for each in means]))  # (B, D)
            adapted.append((features - mean[:, None]) / std[:, None])
            mask = present[:, number]
            in_frames = np.repeat(mask[:, None], self.spec.num_frames, axis=1)  # (B, T)
            masks[MASKS[stream]] = in_frames if stream == "landmarks" else mask
        return self.runtime.classify(adapted, masks)

    def classify_one_person(self, inputs: Inputs) -> Outputs:
        """Inputs of B windows of one person, those of `spec` -> (B, K) probabilities, adapted by all of them."""
        rows = self.features(inputs)
        moments = empty_moments(rows[0])
        for row in rows:
            add_features(moments, row, start=0.0, end=0.0)
        means = [each.mean() for each in moments]
        return self.classify(rows, [means] * len(rows))

    def warn_if_short(
        self, name: str, persons: Mapping[int, Sequence[RunningMoments]], *, enrolled: bool = False
    ) -> None:
        """Log a line when predictions are adapted by less than `MIN_SECONDS` of a face or of sound.

        Args:
            name: Of the video.
            persons: Number of a person -> moments for each network.
            enrolled: Whether other videos are predicted, which may have sound where this one has none.
        """
        short = [
            f"{moments.seconds:.0f} s of {'sound' if stream == 'sound' else 'face'}"
            + (f" (person {person})" if len(persons) > 1 else "")
            for person, parts in sorted(persons.items())
            for stream, moments in zip(self.streams, parts, strict=True)
            if moments.seconds < MIN_SECONDS and (moments.seconds > 0 or enrolled)
        ]
        if short:
            log.warning(
                "%s: adapted by only %s; below %g s predictions are less reliable",
                name,
                first_few(short, limit=3),
                MIN_SECONDS,
            )
