"""What keeps a training from being faster."""

from collections.abc import Mapping
from dataclasses import dataclass

GOOD_SHARE = 0.95
"""Of the network's own speed: above it, nothing but the network is worth a thought."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which stage holds the training back, and what that means.

    Attributes:
        stage: "decode", "cache_read", "read", "augment", "host_to_device", "network", "workers", "cores" or
            "training_loop".
        sentence: For people.
    """

    stage: str
    sentence: str


def bottleneck(
    speeds: Mapping[str, float], share: float, *, num_workers: int, shared_cores: int
) -> Verdict:
    """Names the bottleneck of a training.

    Args:
        speeds: Stage -> clips a second.
        share: End to end as a share of the network alone.
        num_workers: Loader processes.
        shared_cores: How many load clips and run the network; 0 where that has a device of its own.

    >>> speeds = {"cache_read": 2000.0, "loader": 400.0, "network": 50.0}
    >>> bottleneck(speeds, 0.97, num_workers=2, shared_cores=2).sentence
    'the network is the bottleneck: training runs at 97 % of its own speed, and the loader could feed 8.0 of them'
    >>> bottleneck(speeds | {"network": 1000.0}, 0.4, num_workers=2, shared_cores=0).stage
    'augment'
    """
    network, loader = speeds["network"], speeds["loader"]
    copy = speeds.get("host_to_device")
    if loader < network and (copy is None or loader <= copy):
        return _loader_is_slow(speeds, num_workers)
    if copy is not None and copy < network:
        return Verdict(
            "host_to_device",
            f"copying batches to the device is the bottleneck: {copy:.0f} clips/s "
            f"where the network could take {network:.0f}",
        )
    if share >= GOOD_SHARE:
        return Verdict(
            "network",
            f"the network is the bottleneck: training runs at {percent(share)} of its own speed, "
            f"and the loader could feed {loader / network:.1f} of them",
        )
    lost = 1 / speeds["end_to_end"] - 1 / network
    if num_workers == 0:
        return Verdict(
            "workers",
            f"that the loader has no workers is the bottleneck: for each clip the network waits {1000 / loader:.1f} ms "
            f"beside its own {1000 / network:.1f} (--data.num_workers)",
        )
    # what loading takes of all cores, which the network would use as well
    loading = min(num_workers / shared_cores, 1) / loader if shared_cores else 0.0
    if loading > lost / 2:
        return Verdict(
            "cores",
            f"the processor's {shared_cores} cores are the bottleneck: loading a clip keeps them from the network "
            f"for {1000 * loading:.1f} ms beside its own {1000 / network:.1f} ms",
        )
    return Verdict(
        "training_loop",
        "the training loop itself is the bottleneck: loader and network are each fast enough, but a clip takes "
        f"{1000 * lost:.2f} ms more than in the network alone (metrics, hooks, waiting for the first batches)",
    )


def percent(share: float) -> str:
    """A share as people write it.

    >>> percent(0.974)
    '97 %'
    """
    return f"{100 * share:.0f} %"


def _loader_is_slow(speeds: Mapping[str, float], num_workers: int) -> Verdict:
    """Which part of a loader's work takes longest."""
    all_of_it = max(1, num_workers) / speeds["loader"]
    source = next(name for name in ("cache_read", "read", "decode") if name in speeds)
    getting = min(all_of_it, 1 / speeds[source])
    rest = all_of_it - getting
    words = {
        "decode": "decoding, which a cache would spare (--data.cache auto)",
        "cache_read": "reading from the cache",
        "read": "reading files",
        "augment": "cropping, augmenting and batching",
    }
    part, took = (source, getting) if getting >= rest else ("augment", rest)
    return Verdict(
        part,
        f"the loader is the bottleneck: it makes {speeds['loader']:.0f} clips/s where the network could take "
        f"{speeds['network']:.0f}; of the {1000 * all_of_it:.1f} ms a clip takes a worker, "
        f"{1000 * took:.1f} go to {words[part]}",
    )
