"""The scalar that an explanation explains: log odds of a class, or a predicted number."""

from collections.abc import Iterable, Mapping
from itertools import islice

import torch
from torch import Tensor

from emorec.models import ClipClassifier, ClipNetwork

MAX_FRAMES = 64
"""Frames that go through a network at once; more take more memory and hardly less time."""


class Score:
    """Score of one output of a network, higher for more support.

    Of a class it is the log odds, ln(p / (1 - p)): a probability saturates where the network is confident, and a logit
    moves with what all classes have in common. Of a number it is the number, negated where it is below 0.

    Args:
        network: In evaluation mode.
        output: Position of the class or the number.
        sign: -1 for a number below 0.
    """

    def __init__(self, network: ClipNetwork, output: int, sign: int = 1) -> None:
        self.network = network
        self.output = output
        self.sign = sign

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The inputs of the network for B clips -> scores (B,)."""
        return self.of_logits(self.network(*inputs))

    def of_logits(self, outputs: Tensor) -> Tensor:
        """Logits (B, K), or numbers (B, R) -> scores (B,)."""
        outputs = outputs.float()
        if isinstance(self.network, ClipClassifier):
            return log_odds(outputs, self.output)
        number: Tensor = self.sign * outputs[:, self.output]
        return number

    def of(self, inputs: Mapping[str, Tensor]) -> float:
        """Return the score of one clip, given its inputs by name."""
        with torch.no_grad():
            return float(self(*inputs.values()))

    def of_variants(
        self, inputs: Mapping[str, Tensor], name: str, variants: Iterable[Tensor]
    ) -> Tensor:
        """Return the scores (N,) of one clip with each of N variants, such as (T, 3, H, W), of one input."""
        num_frames = inputs["frames"].shape[1] if "frames" in inputs else 1
        batch_size = max(1, MAX_FRAMES // num_frames)
        remaining = iter(variants)
        scores = []
        while batch := list(islice(remaining, batch_size)):
            batched = {
                key: torch.stack(batch)
                if key == name
                else value.expand(len(batch), *value.shape[1:])
                for key, value in inputs.items()
            }
            with torch.no_grad():
                scores.append(self(*batched.values()))
        return torch.cat(scores)  # (N,)


def log_odds(logits: Tensor, label: int) -> Tensor:
    """Logits (B, K) -> ln(p / (1 - p)) of one class, (B,); of a single class its logit.

    >>> log_odds(torch.tensor([[0.8, 0.1, 0.1]]).log(), 0).exp().round(decimals=3)  # 0.8 / 0.2
    tensor([4.])
    """
    others = torch.cat([logits[:, :label], logits[:, label + 1 :]], dim=1)  # (B, K - 1)
    return logits[:, label] - others.logsumexp(dim=1) if others.shape[1] else logits[:, label]
