"""Adaptation to a person: features centred and scaled by other, unlabelled clips of the same person.

It is a protocol of its own: it uses the clips of the people to be tested, though never their labels.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emorec.errors import UserError

MIN_STD = 1e-3
"""Of a feature of a person; one that varies less is centred only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """The clips of a person that are known before one of them is classified.

    Attributes:
        num_clips: K other clips of the same person.
        seed: Decides which.
        labels: Only clips of these classes are drawn; empty takes all.
    """

    num_clips: int
    seed: int = 0
    labels: frozenset[int] = frozenset()


def describe(enrolment: Enrolment | None, class_names: Sequence[str] = ()) -> str:
    """Return by which clips features are adapted.

    >>> describe(None), describe(Enrolment(num_clips=8, labels=frozenset({0})), ["calm"])
    ('all unlabelled clips of the person', '8 other unlabelled clips of the person, all of them calm')
    """
    if enrolment is None:
        return "all unlabelled clips of the person"
    text = f"{enrolment.num_clips} other unlabelled clips of the person"
    names = " or ".join(class_names[label] for label in sorted(enrolment.labels))
    return f"{text}, all of them {names}" if names else text


@dataclass(frozen=True, slots=True, eq=False)
class ClipStatistics:
    """Mean and standard deviation of the features by which each of N clips is adapted.

    Attributes:
        mean: (N, D).
        std: (N, D).
    """

    mean: Tensor
    std: Tensor

    def adapt(self, features: Tensor, index: Tensor) -> Tensor:
        """Features (B, T, D) of the clips at positions (B,) -> (B, T, D), centred and scaled."""
        mean, std = (each.to(features)[index].unsqueeze(1) for each in (self.mean, self.std))
        return (features - mean) / std  # (B, T, D)


@torch.no_grad()
def clip_statistics(
    features: Callable[[Mapping[str, Any]], Tensor],
    batches: Iterable[Mapping[str, Any]],
    sources: Sequence[Sequence[int]],
) -> ClipStatistics:
    """Return the statistics by which N clips are adapted.

    Args:
        features: Batch -> (B, T, D); it gets no labels.
        batches: The N clips in order.
        sources: For each clip the positions of the clips whose features make its statistics, see `same_person`.
    """
    sums = []
    for batch in batches:
        unlabelled = {name: values for name, values in batch.items() if name != "label"}
        rows = features(unlabelled).double().cpu()  # (B, T, D)
        sums.append(torch.stack([rows.mean(dim=1), rows.square().mean(dim=1)], dim=1))
    moments = torch.cat(sums)  # (N, 2, D)
    mean, square = torch.stack([moments[list(each)].mean(dim=0) for each in sources]).unbind(dim=1)
    std = (square - mean.square()).clamp(min=0).sqrt()
    return ClipStatistics(mean.float(), torch.where(std > MIN_STD, std, 1.0).float())


def same_person(
    people: Sequence[object],
    labels: Sequence[object] = (),
    enrolment: Enrolment | None = None,
) -> list[list[int]]:
    """Return for each clip the positions of the clips of the same person by which it is adapted.

    Args:
        people: (N,) the person of each clip.
        labels: (N,) classes of the clips, for an enrolment with some classes only.
        enrolment: K others, never the clip itself; `None` takes all clips of the person.

    Raises:
        UserError: When a person has no other clip to be enrolled with.

    >>> same_person(["a", "b", "a"])
    [[0, 2], [1], [0, 2]]
    >>> same_person(["a", "a"], enrolment=Enrolment(num_clips=1))
    [[1], [0]]
    """
    of_person = defaultdict(list)
    for position, person in enumerate(people):
        of_person[person].append(position)
    if enrolment is None:
        return [of_person[person] for person in people]
    sources = []
    for position, person in enumerate(people):
        others = [
            other
            for other in of_person[person]
            if other != position and (not enrolment.labels or labels[other] in enrolment.labels)
        ]
        if not others:
            raise UserError(
                f"--enrol needs other clips of each person, and {person} has none: test more clips, or drop --enrol"
            )
        rng = np.random.default_rng([enrolment.seed, position])
        chosen = rng.permutation(len(others))[: enrolment.num_clips]
        sources.append(sorted(others[each] for each in chosen))
    return sources
