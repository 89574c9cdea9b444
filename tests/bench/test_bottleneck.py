"""The bottleneck is derived from the speeds of the stages."""

import pytest

from emorec.bench.bottleneck import bottleneck

FAST = {"decode": 3.0, "cache_read": 5000.0, "loader": 900.0, "network": 50.0, "end_to_end": 49.0}


def test_with_a_fast_loader_the_network_is_the_bottleneck() -> None:
    result = bottleneck(FAST, 0.98, num_workers=2, shared_cores=2)
    assert result.stage == "network"
    assert "98 % of its speed" in result.sentence
    assert "could feed 18.0 of them" in result.sentence


@pytest.mark.parametrize(
    ("changes", "stage", "explanation"),
    [
        # two workers take 2 / 40 = 50 ms a clip
        (
            {"loader": 40.0},
            "augment",
            "of the 50.0 ms that a worker needs for a clip, 49.8 go to cropping",
        ),
        ({"loader": 40.0, "cache_read": 25.0}, "cache_read", "40.0 go to reading from the cache"),
    ],
)
def test_the_slowest_stage_of_a_slow_loader_is_named(
    changes: dict[str, float], stage: str, explanation: str
) -> None:
    result = bottleneck(FAST | changes, 0.7, num_workers=2, shared_cores=0)
    assert result.stage == stage
    assert "it delivers 40 clips/s where the network could take 50" in result.sentence
    assert explanation in result.sentence


def test_without_a_cache_decoding_is_named_with_the_remedy() -> None:
    speeds = {"decode": 2.0, "loader": 4.0, "network": 50.0, "end_to_end": 4.0}
    result = bottleneck(speeds, 0.08, num_workers=2, shared_cores=0)
    assert result.stage == "decode"
    assert "500.0 go to decoding" in result.sentence
    assert "--data.cache auto" in result.sentence


def test_without_workers_the_main_process_is_the_worker() -> None:
    result = bottleneck(FAST | {"loader": 20.0}, 0.3, num_workers=0, shared_cores=0)
    assert "of the 50.0 ms" in result.sentence


def test_a_slow_transfer_to_the_device_is_named() -> None:
    result = bottleneck(FAST | {"host_to_device": 30.0}, 0.6, num_workers=2, shared_cores=0)
    assert result.stage == "host_to_device"
    assert "30 clips/s where the network could take 50" in result.sentence


def test_the_slower_of_loader_and_transfer_is_named() -> None:
    slow = {"loader": 20.0, "host_to_device": 30.0}
    assert bottleneck(FAST | slow, 0.4, num_workers=2, shared_cores=0).stage == "augment"


def test_on_a_cpu_loader_and_network_share_the_cores() -> None:
    # two workers use 1/300 s of two cores; the loss is 1/42 - 1/50 s
    speeds = FAST | {"loader": 300.0, "end_to_end": 42.0}
    result = bottleneck(speeds, 0.84, num_workers=2, shared_cores=2)
    assert result.stage == "cores"
    assert "2 cores" in result.sentence
    assert "for 3.3 ms, and the network needs 20.0 ms" in result.sentence


def test_one_worker_uses_one_core() -> None:
    speeds = FAST | {"loader": 150.0, "end_to_end": 42.0}
    result = bottleneck(speeds, 0.84, num_workers=1, shared_cores=2)
    assert "for 3.3 ms" in result.sentence


@pytest.mark.parametrize("shared_cores", [0, 2])
def test_more_workers_are_recommended_when_the_network_waits(shared_cores: int) -> None:
    speeds = FAST | {"loader": 100.0, "end_to_end": 33.0}
    result = bottleneck(speeds, 0.66, num_workers=0, shared_cores=shared_cores)
    assert result.stage == "workers"
    assert "the network waits 10.0 ms and computes 20.0 ms" in result.sentence


def test_on_a_cpu_a_loop_slower_than_loading_is_named() -> None:
    speeds = FAST | {"end_to_end": 25.0}  # 20 ms are lost; loading explains 1.1 ms
    assert bottleneck(speeds, 0.5, num_workers=2, shared_cores=2).stage == "training_loop"


def test_on_a_gpu_a_loss_with_all_stages_fast_is_the_training_loop_s() -> None:
    result = bottleneck(FAST | {"end_to_end": 40.0}, 0.8, num_workers=2, shared_cores=0)
    assert result.stage == "training_loop"
    assert "5.00 ms more" in result.sentence
