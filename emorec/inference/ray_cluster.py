"""Predictions on a Ray cluster, by Ray Data: each worker opens the network once, and writes into the output folder.

The videos and the output folder lie where all machines of the cluster see them.
"""

import logging
import os
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from emorec.errors import UserError
from emorec.inference.batch import (
    Batch,
    Outcome,
    Source,
    earlier_outcome,
    opened_predictor,
    predict_in_worker,
)
from emorec.io import num_cores

LOCAL = "local"
"""Address of a Ray that is started on this machine, for this call."""

CONNECT_SECONDS = 10
"""In which a cluster has to answer."""

MAX_BLOCKS = 1000
"""Videos of a block are predicted by one worker, and tried again together; more blocks take more memory."""

MAX_ATTEMPTS = 3
"""A video whose worker was lost this often, as when memory runs out, is not tried again."""


def predict_on_ray(
    sources: Sequence[Source], batch: Batch, address: str, num_workers: int | None
) -> Iterator[tuple[Source, Outcome]]:
    """Yield each video with what became of it, as soon as it is known.

    Ray tries the videos of a lost worker again, without end: `Attempts` ends that for a video that kills its worker.

    Args:
        sources: The videos.
        batch: How they are predicted.
        address: Of the cluster: "local", "auto", HOST:PORT or ray://HOST:PORT.
        num_workers: Videos at a time; `None`: one for each core, or for each GPU, of the cluster.

    Raises:
        UserError: When Ray is missing or can't be reached, or has no GPU for a device "cuda".
    """
    ray = _import_ray()
    _connect(ray, address, num_workers)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = -1  # their videos are missing below
        on_gpu = (batch.device or "").startswith("cuda")
        available = int(ray.cluster_resources().get("GPU" if on_gpu else "CPU", 0))
        if on_gpu and not available:
            raise UserError(f"device is {batch.device}, and the Ray cluster has no GPU: choose cpu")
        attempts = ray.remote(num_cpus=0)(Attempts).remote()
        outcomes = ray.data.from_items(
            [{"number": number, "source": source} for number, source in enumerate(sources)],
            override_num_blocks=min(len(sources), MAX_BLOCKS),
        ).map(
            RayWorker,
            fn_constructor_args=(batch, str(Path.cwd()), attempts),
            compute=ray.data.ActorPoolStrategy(
                size=max(1, min(num_workers or available, available, len(sources))),
                max_tasks_in_flight_per_actor=1,  # long videos are spread over all workers
            ),
            num_cpus=1,
            num_gpus=1 if on_gpu else 0,
        )
        missing = set(range(len(sources)))
        for row in outcomes.iter_rows():
            missing.discard(row["number"])
            yield sources[row["number"]], Outcome.from_json(row["outcome"])
        for number in sorted(missing):
            name = sources[number].name
            yield sources[number], Outcome(failure=f"{name}: Ray returned no result")
    finally:
        ray.shutdown()


class Attempts:
    """Counts how often each video was begun, and which ones were finished; an actor of Ray."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()
        self._finished: set[int] = set()

    def begin(self, number: int) -> tuple[int, bool]:
        """Return how often a video was begun before, and whether it was finished."""
        before = self._begun[number]
        if number not in self._finished:
            self._begun[number] += 1
        return before, number in self._finished

    def finish(self, number: int) -> None:
        """Note that a video was finished."""
        self._finished.add(number)


class RayWorker:
    """Predicts videos in a worker of Ray.

    Args:
        batch: How they are predicted.
        folder: In which relative paths begin.
        attempts: Handle of an `Attempts`.
    """

    def __init__(self, batch: Batch, folder: str, attempts: Any) -> None:
        if batch.device:  # Ray shows a worker one GPU
            batch = replace(batch, device=batch.device.partition(":")[0])
        self.batch, self.attempts = batch, attempts
        with suppress(OSError):  # paths may all be absolute
            os.chdir(folder)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Predict the video of a row."""
        import ray

        number, source = row["number"], row["source"]
        before, is_finished = ray.get(self.attempts.begin.remote(number))
        outcome = None
        if is_finished:  # and then another video of its block lost the worker
            predictor = opened_predictor(self.batch.network, self.batch.device, self.batch.options)
            outcome = earlier_outcome(source, self.batch, predictor)
        elif before >= MAX_ATTEMPTS:
            reason = f"its Ray worker was lost {before} times (out of memory?)"
            outcome = Outcome(failure=f"{source.name}: {reason}")
        outcome = outcome or predict_in_worker(self.batch, source)
        ray.get(self.attempts.finish.remote(number))
        return {"number": number, "outcome": outcome.to_json()}


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else it reports to its maker
    try:
        import ray.data
    except ImportError:
        raise UserError(
            "--ray needs Ray Data, which is not installed: pip install 'emorec[ray]', or choose --jobs N"
        ) from None
    return ray


def _connect(ray: Any, address: str, num_workers: int | None) -> None:
    """Connect to a cluster, or start one here.

    Raises:
        UserError: When there is none.
    """
    check_reachable(address)
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        ray.init(
            address=address,
            logging_level=logging.ERROR,
            log_to_driver=False,
            **(
                {"include_dashboard": False, "num_cpus": num_workers or num_cores()}
                if address == LOCAL
                else {}
            ),
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"no Ray cluster at {address}: name the address of one, or local; of one that asks for a token also set "
            f"RAY_AUTH_MODE=token ({reason})"
        ) from None


def check_reachable(address: str) -> None:
    """Refuse an address HOST:PORT where nothing listens, as Ray itself would try for a quarter of an hour.

    Raises:
        UserError: When nothing listens there.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"no Ray cluster at {address}: name the address of one, or local ({error})"
        ) from None
