"""Predictions adapted to a person: features of windows, centred and scaled by those of the same person's windows."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor

from emorec.errors import UserError
from emorec.inference.runtimes import Inputs, Outputs
from emorec.inference.timeline import Window, WindowFeatures
from emorec.inference.torch_runtime import TorchRuntime
from emorec.models import Fusion
from emorec.models.adaptation import PRIOR_CLIPS, clip_moments, statistics_of, with_prior
from emorec.models.feature_classifier import FeatureClassifier
from emorec.text import first_few

log = logging.getLogger(__name__)

MIN_SECONDS = 20.0
"""Of a person's face or sound; a warning says when there is less to adapt to."""

Means: TypeAlias = Sequence[Tensor]
"""For each of M networks (2, D) float64: the means of a person's features and of their squares."""


class Moments:
    """Mean of a person's features and of their squares over windows, see `with_prior`.

    Args:
        num_features: D.

    Attributes:
        seconds: Duration of the windows; where they overlap it counts once.
    """

    def __init__(self, num_features: int) -> None:
        self.seconds = 0.0
        self._sums = torch.zeros(2, num_features, dtype=torch.float64)
        self._num_windows = 0
        self._end = float("-inf")

    def add(self, features: Tensor, start: float, end: float) -> None:
        """Add the features (T, D) of a window that starts after those before, at `start` seconds."""
        self._sums = self._sums + clip_moments(features[None])[0]
        self._num_windows += 1
        self.seconds += end - max(start, self._end)
        self._end = end

    def merge(self, other: "Moments") -> None:
        """Add the windows of another video."""
        self._sums = self._sums + other._sums
        self._num_windows += other._num_windows
        self.seconds += other.seconds

    def mean(self) -> Tensor:
        """Return both means, (2, D) float64."""
        return with_prior(self._sums, self._num_windows, PRIOR_CLIPS)


class PersonMoments:
    """Moments of the features of every person in a video.

    Attributes:
        moments: Number of a person -> moments for each of M networks.
    """

    def __init__(self) -> None:
        self.moments: dict[int, list[Moments]] = {}
        self._areas: dict[int, float] = {}

    def add(self, window: Window) -> None:
        """Add a window of a person; networks that take what it lacks leave it out."""
        assert window.features is not None
        assert window.person is not None
        features, person = window.features, window.person
        if person not in self.moments:
            sizes = [each.shape[1] for each in features.features]
            self.moments[person] = [Moments(size) for size in sizes]
            self._areas[person] = 0.0
        if window.box is not None:
            self._areas[person] += window.box.width * window.box.height
        for number in features.present.nonzero().flatten().tolist():
            moments = self.moments[person][number]
            moments.add(features.features[number], window.start, window.end)

    def means(self, window: Window) -> Means:
        """Return the means of the windows of a window's person so far."""
        assert window.person is not None
        return [moments.mean() for moments in self.moments[window.person]]

    def main_person(self) -> list[Moments]:
        """Return the moments of the person whose face is largest and longest in view."""
        return self.moments[max(self._areas, key=lambda person: self._areas[person])]


class FeatureNetwork:
    """A checkpoint's network in two steps: features of windows, and the classification of adapted ones.

    Args:
        runtime: Of the checkpoint.

    Raises:
        UserError: When the network, or one of a fusion, has no features to adapt.

    Attributes:
        spec: Of the network, whose inputs also say which windows have a face and sound.
    """

    def __init__(self, runtime: TorchRuntime) -> None:
        spec, network = runtime.spec, runtime.module.network
        self.runtime = runtime
        self.fusion = network if isinstance(network, Fusion) else None
        parts = self.fusion.networks if self.fusion else [network]
        self.networks = [each for each in parts if isinstance(each, FeatureClassifier)]
        if len(self.networks) < len(parts):
            raise UserError(
                f"{spec.network} has no features to adapt to a person: leave --adapt and --enrol out, or name a "
                "network of landmarks or sound embeddings"
            )
        masks = [
            *(["face_present"] if spec.uses_landmarks else []),
            *(["heard"] if spec.uses_sound else []),
        ]
        self.spec = replace(spec, inputs=tuple(dict.fromkeys([*spec.inputs, *masks])))

    @torch.inference_mode()
    def features(self, inputs: Inputs) -> list[WindowFeatures]:
        """Inputs of B windows, those of `spec` -> their features."""
        batch = {
            name: torch.from_numpy(array).to(self.runtime.device) for name, array in inputs.items()
        }
        parts = [
            network.features(*(batch[name] for name in network.inputs)).cpu()
            for network in self.networks
        ]  # M times (B, T, D)
        present = torch.stack([network.has_input(batch) for network in self.networks], dim=1).cpu()
        # copies: a row would keep its batch in memory
        return [
            WindowFeatures(tuple(part[row].clone() for part in parts), present[row].clone())
            for row in range(len(present))
        ]

    @torch.inference_mode()
    def classify(self, windows: Sequence[Window], means: Sequence[Means]) -> Outputs:
        """B windows with features, and by what each is adapted -> (B, K) probabilities."""
        rows = [window.features for window in windows if window.features is not None]
        device = self.runtime.device
        index = torch.arange(len(rows), device=device)
        outputs = []
        for number, network in enumerate(self.networks):
            features = torch.stack([row.features[number] for row in rows]).to(device)  # (B, T, D)
            statistics = statistics_of(torch.stack([each[number] for each in means]))
            outputs.append(network.classify(statistics.adapt(features, index)))
        logits = outputs[0]
        if self.fusion is not None:
            logits = self.fusion.fuse(
                outputs, torch.stack([row.present for row in rows]).to(device)
            )
        probabilities: Outputs = self.runtime.module.probabilities(logits).cpu().numpy()
        return probabilities

    def warn_if_short(
        self, name: str, persons: Mapping[int, Sequence[Moments]], *, enrolled: bool = False
    ) -> None:
        """Log a line when predictions are adapted by less than `MIN_SECONDS` of a face or of sound.

        Args:
            name: Of the video.
            persons: Number of a person -> moments for each network.
            enrolled: Whether other videos are predicted, which may have sound where this one has none.
        """
        short = [
            f"{moments.seconds:.0f} s of {'sound' if 'sound' in network.streams else 'face'}"
            + (f" (person {person})" if len(persons) > 1 else "")
            for person, parts in sorted(persons.items())
            for network, moments in zip(self.networks, parts, strict=True)
            if moments.seconds < MIN_SECONDS and (moments.seconds > 0 or enrolled)
        ]
        if short:
            log.warning(
                "%s: adapted by only %s; below %g s predictions are less reliable",
                name,
                first_few(short, limit=3),
                MIN_SECONDS,
            )
