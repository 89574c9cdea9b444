"""The result of a measurement, as a table and as JSON."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from emorec.bench.baselines import ratios
from emorec.bench.bottleneck import Bottleneck, bottleneck, percent
from emorec.image_size import format_frames
from emorec.text import plural, significant

FORMAT = 1
"""Of the JSON file."""

STEADY = 1.3
"""A warning is printed when the rounds differ by a larger factor."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Several measurements of the same stage, in clips a second.

    >>> speed = Speed((49.0, 12.0, 50.0))
    >>> speed.median, speed.lowest, speed.highest
    (49.0, 12.0, 50.0)
    """

    samples: Sequence[float]

    @property
    def median(self) -> float:
        """The median: machines are shared, and one measurement may be far off."""
        return statistics.median(self.samples)

    @property
    def lowest(self) -> float:
        """The slowest measurement."""
        return min(self.samples)

    @property
    def highest(self) -> float:
        """The fastest measurement."""
        return max(self.samples)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "clips_per_second": self.median,
            "lowest": self.lowest,
            "highest": self.highest,
            "samples": list(self.samples),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A finished measurement of a training.

    Attributes:
        machine: See `emorec.bench.machine.describe_machine`.
        setting: See `emorec.bench.measure.training_setting`.
        speeds: Stage -> clips a second.
        titles: Stage -> its title, in the order of the table.
        gpu_percent: How busy the GPU was during the training, sampled.
    """

    machine: Mapping[str, Any]
    setting: Mapping[str, Any]
    speeds: Mapping[str, Speed]
    titles: Mapping[str, str]
    gpu_percent: Sequence[float] = ()

    @property
    def medians(self) -> dict[str, float]:
        """Stage -> clips a second."""
        return {name: speed.median for name, speed in self.speeds.items()}

    @property
    def share(self) -> float:
        """End to end as a share of the network alone, each round's compared with its own."""
        network, whole = self.speeds["network"].samples, self.speeds["end_to_end"].samples
        return statistics.median(one / alone for one, alone in zip(whole, network, strict=True))

    @property
    def bottleneck(self) -> Bottleneck:
        """What keeps the training from being faster."""
        return bottleneck(
            self.medians,
            self.share,
            num_workers=self.setting["num_workers"],
            shared_cores=self.machine["cores"] if self.machine["device"] == "cpu" else 0,
        )

    @property
    def spread(self) -> float:
        """Fastest round over slowest round, of the network or of the whole, whichever differs more."""
        return max(
            self.speeds[name].highest / self.speeds[name].lowest
            for name in ("network", "end_to_end")
        )

    @property
    def gpu_busy(self) -> float | None:
        """How busy the GPU was, from 0 to 1; `None` where it can't be measured."""
        return statistics.fmean(self.gpu_percent) / 100 if self.gpu_percent else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as in the JSON file.

        Under "stages", each stage has `clips_per_second` (the median of the rounds), `lowest`, `highest` and all
        `samples`. "share_of_network" is end to end over the network alone, "bottleneck" a stage and a sentence,
        "gpu_busy" a share or null, and "ratios" how many times as fast the loader is as each way of `--baseline`.
        """
        return {
            "format": FORMAT,
            "machine": dict(self.machine),
            "setting": dict(self.setting),
            "stages": {name: self.speeds[name].to_dict() for name in self.titles},
            "share_of_network": self.share,
            "bottleneck": {"stage": self.bottleneck.stage, "sentence": self.bottleneck.sentence},
            "gpu_busy": self.gpu_busy,
            "ratios": ratios(self.medians),
        }

    def print(self, console: Console) -> None:
        """Print a table and what follows from it."""
        setting, machine = self.setting, self.machine
        num_frames = setting["num_frames"]
        frames = format_frames(num_frames, setting["image_size"]) if num_frames else "no frames"
        console.print(
            f"{setting['network']} on {machine['device']} ({setting['precision']}), "
            f"{frames}, augment {str(setting['augment']).lower()}, batches of {setting['batch_size']}, "
            f"{plural(setting['num_workers'], 'worker')} on {plural(machine['cores'], 'core')}"
        )
        console.print(self._table())
        console.print(f"end to end is {percent(self.share)} of the network alone")
        if self.gpu_busy is not None:
            console.print(f"the GPU was busy {percent(self.gpu_busy)} of the time")
        console.print(self.bottleneck.sentence)
        if self.spread > STEADY:
            console.print(
                f"the rounds differ by a factor of up to {significant(self.spread)}: another program was running; "
                "measure again on a quiet machine, or with more --rounds"
            )
        if setting["drawn"]:
            console.print(
                "these clips are synthetic, small and short: give a data folder (--data.root DIR) to measure how "
                "fast others are decoded"
            )

    def _table(self) -> Table:
        table = Table("stage", box=None, pad_edge=False)
        for column in ("clips/s", "lowest", "highest", "ms a clip"):
            table.add_column(column, justify="right")
        factors = ratios(self.medians)
        if factors:
            table.add_column("loader speed-up", justify="right")
        for name, title in self.titles.items():
            speed = self.speeds[name]
            numbers = (speed.median, speed.lowest, speed.highest, 1000 / speed.median)
            factor = f"{significant(factors[name])} x" if name in factors else None
            table.add_row(title, *map(significant, numbers), factor)
        return table
