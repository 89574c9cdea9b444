"""What an explanation explains: how much speaks for one of a network's answers."""

from collections.abc import Iterable, Mapping
from itertools import islice

import torch
from torch import Tensor

from emorec.models import ClipClassifier, ClipNetwork

FRAMES_AT_ONCE = 64
"""That go through a network together; more take more memory and hardly less time."""


class Score:
    """How much speaks for an answer, higher for more.

    Of a class it is the log odds, ln(p / (1 - p)): where a network is sure, its probability does not move any more, and
    what all classes have in common moves a logit. Of a number it is the number, turned round where that is below 0.

    Args:
        network: In evaluation mode.
        answer: Position of the class, or of the number.
        sign: -1 for a number below 0.
    """

    def __init__(self, network: ClipNetwork, answer: int, sign: int = 1) -> None:
        self.network = network
        self.answer = answer
        self.sign = sign

    def __call__(self, *inputs: Tensor) -> Tensor:
        """What `network.inputs` names, of B clips -> (B,)."""
        said = self.network(*inputs).float()  # (B, K) or (B, R)
        if not isinstance(self.network, ClipClassifier):
            number: Tensor = self.sign * said[:, self.answer]
            return number
        return log_odds(said, self.answer)

    def of(self, given: Mapping[str, Tensor]) -> float:
        """The score of one clip, by the names of the network's inputs."""
        with torch.no_grad():
            return float(self(*given.values()))

    def of_each(self, given: Mapping[str, Tensor], name: str, variants: Iterable[Tensor]) -> Tensor:
        """(N,) scores of one clip with each of N variants, such as (T, 3, H, W), in place of an input."""
        frames = given["frames"].shape[1] if "frames" in given else 1
        at_once = max(1, FRAMES_AT_ONCE // frames)
        waiting = iter(variants)
        scores = []
        while several := list(islice(waiting, at_once)):
            batch = {
                each: torch.stack(several)
                if each == name
                else value.expand(len(several), *value.shape[1:])
                for each, value in given.items()
            }
            with torch.no_grad():
                scores.append(self(*batch.values()))
        return torch.cat(scores)  # (N,)


def log_odds(logits: Tensor, label: int) -> Tensor:
    """Logits (B, K) -> (B,): ln(p / (1 - p)) of one class; of a single class its logit.

    >>> log_odds(torch.tensor([[0.8, 0.1, 0.1]]).log(), 0).exp().round(decimals=3)  # 0.8 / 0.2
    tensor([4.])
    """
    others = torch.cat([logits[:, :label], logits[:, label + 1 :]], dim=1)  # (B, K - 1)
    return logits[:, label] - others.logsumexp(dim=1) if others.shape[1] else logits[:, label]
