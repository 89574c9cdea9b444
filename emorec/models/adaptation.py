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
from emorec.person_statistics import clip_moments, mean_and_std, with_prior


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
    ('all unlabelled clips of the person', '8 other clips of the person, chosen among those labelled calm')
    """
    if enrolment is None:
        return "all unlabelled clips of the person"
    names = " or ".join(class_names[label] for label in sorted(enrolment.labels))
    if names:
        return (
            f"{enrolment.num_clips} other clips of the person, chosen among those labelled {names}"
        )
    return f"{enrolment.num_clips} other unlabelled clips of the person"


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
    features: Callable[[Mapping[str, Any]], tuple[Tensor, Tensor]],
    batches: Iterable[Mapping[str, Any]],
    sources: Sequence[Sequence[int]],
    *,
    prior_clips: float = 0.0,
) -> ClipStatistics:
    """Return the statistics by which N clips are adapted.

    Args:
        features: Batch -> (B, T, D), and a mask (B,) of the clips that have what is measured, such as a face; the
            others are left out. It gets no labels.
        batches: The N clips in order.
        sources: For each clip the positions of the clips whose features make its statistics, see `same_person`.
        prior_clips: k in `with_prior`, for features that are standardised by the training people.
    """
    sums, masks = [], []
    for batch in batches:
        unlabelled = {name: values for name, values in batch.items() if name != "label"}
        values, present = features(unlabelled)
        sums.append(clip_moments(values.cpu().double().numpy()))
        masks.append(present.cpu().numpy())
    moments, usable = np.concatenate(sums), np.concatenate(masks)  # (N, 2, D), (N,)
    rows_of = [[position for position in each if usable[position]] for each in sources]
    mean, std = mean_and_std(
        np.stack(
            [with_prior(moments[each].sum(axis=0), len(each), prior_clips) for each in rows_of]
        )
    )
    return ClipStatistics(torch.from_numpy(mean), torch.from_numpy(std))


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
        UserError: When a person has fewer than K other clips.

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
        if len(others) < enrolment.num_clips:
            raise UserError(
                f"--enrol {enrolment.num_clips} needs as many other clips of each person, and {person} has "
                f"{len(others)}: choose a smaller number"
            )
        rng = np.random.default_rng([enrolment.seed, position])
        chosen = rng.permutation(len(others))[: enrolment.num_clips]
        sources.append(sorted(others[each] for each in chosen))
    return sources
