"""What keeps a training from being faster."""

from collections.abc import Mapping
from dataclasses import dataclass

GOOD_SHARE = 0.95
"""Of the network's own speed, above which only a faster network helps."""

LOADING = {
    "decode": "decoding, which a cache would save (--data.cache auto)",
    "cache_read": "reading from the cache",
    "read": "reading files",
    "augment": "cropping, augmenting and batching",
}
"""Part of a loader's work -> its description."""


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The stage that limits a training.

    Attributes:
        stage: "decode", "cache_read", "read", "augment", "host_to_device", "network", "workers", "cores" or
            "training_loop".
        sentence: The explanation.
    """

    stage: str
    sentence: str


def bottleneck(
    speeds: Mapping[str, float], share: float, *, num_workers: int, shared_cores: int
) -> Bottleneck:
    """Find the bottleneck of a training.

    Args:
        speeds: Stage -> clips a second.
        share: End to end as a share of the network alone.
        num_workers: Loader processes.
        shared_cores: How many cores load clips and run the network; 0 where the network has a device of its own.

    >>> speeds = {"cache_read": 2000.0, "loader": 400.0, "network": 50.0}
    >>> bottleneck(speeds, 0.97, num_workers=2, shared_cores=2).sentence
    'bottleneck: the network; training runs at 97 % of its speed, and the loader could feed 8.0 of them'
    >>> bottleneck(speeds | {"network": 1000.0}, 0.4, num_workers=2, shared_cores=0).stage
    'augment'
    """
    network, loader = speeds["network"], speeds["loader"]
    copy = speeds.get("host_to_device")
    if loader < network and (copy is None or loader <= copy):
        return _slow_loader(speeds, num_workers)
    if copy is not None and copy < network:
        return Bottleneck(
            "host_to_device",
            f"bottleneck: copying batches to the device; {copy:.0f} clips/s where the network could take {network:.0f}",
        )
    if share >= GOOD_SHARE:
        return Bottleneck(
            "network",
            f"bottleneck: the network; training runs at {percent(share)} of its speed, "
            f"and the loader could feed {loader / network:.1f} of them",
        )
    lost = 1 / speeds["end_to_end"] - 1 / network
    if num_workers == 0:
        return Bottleneck(
            "workers",
            "bottleneck: data loading blocks training (--data.num_workers 0); for each clip the network waits "
            f"{1000 / loader:.1f} ms and computes {1000 / network:.1f} ms",
        )
    # what loading takes of all cores, which the network would use as well
    loading = min(num_workers / shared_cores, 1) / loader if shared_cores else 0.0
    if loading > lost / 2:
        return Bottleneck(
            "cores",
            f"bottleneck: the {shared_cores} cores of the processor; loading a clip keeps them from the network for "
            f"{1000 * loading:.1f} ms, and the network needs {1000 / network:.1f} ms",
        )
    return Bottleneck(
        "training_loop",
        "bottleneck: the training loop; loader and network are each fast enough, but a clip takes "
        f"{1000 * lost:.2f} ms more than in the network alone (metrics, hooks, waiting for the first batches)",
    )


def percent(share: float) -> str:
    """Format a share in whole per cent.

    >>> percent(0.974)
    '97 %'
    """
    return f"{100 * share:.0f} %"


def _slow_loader(speeds: Mapping[str, float], num_workers: int) -> Bottleneck:
    """Return the part of a loader's work that takes longest."""
    total = max(1, num_workers) / speeds["loader"]
    source = next(name for name in ("cache_read", "read", "decode") if name in speeds)
    reading = min(total, 1 / speeds[source])
    rest = total - reading
    part, seconds = (source, reading) if reading >= rest else ("augment", rest)
    return Bottleneck(
        part,
        f"bottleneck: the loader; it delivers {speeds['loader']:.0f} clips/s where the network could take "
        f"{speeds['network']:.0f}; of the {1000 * total:.1f} ms that a worker needs for a clip, "
        f"{1000 * seconds:.1f} go to {LOADING[part]}",
    )
