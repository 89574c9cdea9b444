"""What the runs of one machine share: its GPUs and its cores."""

import os
from collections.abc import Mapping, Sequence

from emorec.study.definition import Settings

VISIBLE = "CUDA_VISIBLE_DEVICES"

THREADS = "OMP_NUM_THREADS"


def environments(
    jobs: int, gpus: Sequence[str], cores: int, settings: Settings, around: Mapping[str, str]
) -> list[dict[str, str]]:
    """What the processes of each of several runs at a time find in their environment.

    Each run has one GPU of its own as long as there are enough, so that a run is the same on a machine with one as on
    one with eight. Several runs on a CPU share its cores.

    Args:
        jobs: Runs at a time.
        gpus: The GPUs' names as CUDA knows them.
        cores: Of the CPU.
        settings: Of the runs; with `trainer.devices` the GPUs are theirs to choose.
        around: The environment of this process.

    >>> environments(2, ["0", "1"], 8, {}, {})
    [{'CUDA_VISIBLE_DEVICES': '0', 'OMP_NUM_THREADS': '4'}, {'CUDA_VISIBLE_DEVICES': '1', 'OMP_NUM_THREADS': '4'}]
    """
    places: list[dict[str, str]] = [{} for _ in range(jobs)]
    for number, place in enumerate(places):
        if gpus and "trainer.devices" not in settings:
            place[VISIBLE] = gpus[number % len(gpus)]
        if jobs > 1 and THREADS not in around:
            place[THREADS] = str(max(1, cores // jobs))
    return places


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch  # late: it takes seconds

    count = torch.cuda.device_count()
    named = [name for name in os.environ.get(VISIBLE, "").split(",") if name]
    return named[:count] if named else [str(number) for number in range(count)]
