"""What was measured, and what follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from emorec.bench.baselines import ratios
from emorec.bench.speed import Speed
from emorec.bench.verdict import Verdict, bottleneck

FORMAT = 1
"""Of the JSON file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A finished measurement.

    Attributes:
        machine: See `circumstances.machine`.
        setting: See `circumstances.setting`.
        speeds: Stage -> clips a second.
        words: Stage -> how people call it, in the order of the table.
        busy: How busy the GPU was during the training, in percent, at several times.
    """

    machine: Mapping[str, Any]
    setting: Mapping[str, Any]
    speeds: Mapping[str, Speed]
    words: Mapping[str, str]
    busy: Sequence[float] = ()

    @property
    def medians(self) -> dict[str, float]:
        """Stage -> clips a second."""
        return {name: speed.median for name, speed in self.speeds.items()}

    @property
    def share(self) -> float:
        """End to end as a share of the network alone, each round's compared with its own."""
        network, whole = self.speeds["network"].samples, self.speeds["end_to_end"].samples
        return median(one / alone for one, alone in zip(whole, network, strict=True))

    @property
    def verdict(self) -> Verdict:
        """What keeps the training from being faster."""
        return bottleneck(
            self.medians,
            self.share,
            num_workers=self.setting["num_workers"],
            shared_cores=self.machine["cores"] if self.machine["device"] == "cpu" else 0,
        )

    @property
    def unsteadiness(self) -> float:
        """How many times as fast as its slowest round the fastest was, for the stage where that differs most."""
        return max(
            self.speeds[name].highest / self.speeds[name].lowest
            for name in ("network", "end_to_end")
        )

    @property
    def busy_share(self) -> float | None:
        """How busy the GPU was, from 0 to 1; `None` where that can't be told."""
        return fmean(self.busy) / 100 if self.busy else None

    def plain(self) -> dict[str, Any]:
        """All of it as plain values, which is what the JSON file holds.

        Under "stages", each stage has `clips_per_second` (the median of the rounds), `lowest`, `highest` and all
        `samples`. "share_of_network" is end to end over the network alone, "bottleneck" a stage and a sentence,
        "gpu_busy" a share or null, and "ratios" how many times as fast the loader is as each way of `--baseline`.
        """
        return {
            "format": FORMAT,
            "machine": dict(self.machine),
            "setting": dict(self.setting),
            "stages": {name: self.speeds[name].plain() for name in self.words},
            "share_of_network": self.share,
            "bottleneck": {"stage": self.verdict.stage, "sentence": self.verdict.sentence},
            "gpu_busy": self.busy_share,
            "ratios": ratios(self.medians),
        }
