"""Measuring a training finds its slow stage and its times."""

import json
import multiprocessing
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from emorec.bench.measure import measure
from emorec.bench.report import Report, Speed
from tests.bench.conftest import Stopwatch
from tests.bench.networks import DelayedData, MeanColour, endless_cpu_trainer, nothing

pytestmark = [pytest.mark.slow, pytest.mark.nightly]  # stages of known duration, waited for

STAGES = ["decode", "decode_workers", "cache_read", "loader", "network", "end_to_end"]


def measured(root: Path, *, network: Callable[[], None] = nothing, **data: Any) -> Report:
    model = MeanColour(delay=network)
    clips = DelayedData(str(root), **data)
    return measure(endless_cpu_trainer(), model, clips, seconds=0.01, rounds=1)


@pytest.mark.parametrize(
    ("slow", "stage", "explanation"),
    [
        ("network", "network", "training runs at 100 % of its speed"),
        ("read", "cache_read", r"1000\.\d go to reading from the cache"),
        ("augment", "augment", r"999\.\d go to cropping, augmenting and batching"),
    ],
)
def test_a_stage_that_takes_a_second_a_clip_is_the_bottleneck(
    drawn_clips: Path, stopwatch: Stopwatch, slow: str, stage: str, explanation: str
) -> None:
    delays: dict[str, Any] = {"network": stopwatch.millisecond, slow: stopwatch.second}
    bottleneck = measured(drawn_clips, **delays).bottleneck
    assert bottleneck.stage == stage
    assert re.search(explanation, bottleneck.sentence)


def test_without_a_cache_no_cache_stage_is_measured(drawn_clips: Path) -> None:
    report = measured(drawn_clips, cache="none")
    assert "cache_read" not in report.speeds
    assert report.setting["cached"] is False


def test_end_to_end_takes_the_time_of_loader_and_network_together(
    drawn_clips: Path, stopwatch: Stopwatch
) -> None:
    rounds = 2
    model = MeanColour(delay=stopwatch.two_seconds)
    data = DelayedData(str(drawn_clips), augment=stopwatch.second)
    report = measure(endless_cpu_trainer(), model, data, seconds=0.01, rounds=rounds)
    speeds = report.speeds
    assert speeds["end_to_end"].samples == pytest.approx([1 / 3] * rounds, rel=0.01)
    assert speeds["network"].samples == pytest.approx([0.5] * rounds, rel=0.01)
    assert speeds["loader"].samples == pytest.approx([1.0] * rounds, rel=0.01)
    assert (report.share, report.bottleneck.stage) == (pytest.approx(2 / 3, rel=0.01), "workers")


def test_a_report_has_the_documented_keys(drawn_clips: Path) -> None:
    content = json.loads(json.dumps(measured(drawn_clips).to_dict()))
    assert list(content) == [
        *("format", "machine", "setting", "stages", "share_of_network", "bottleneck"),
        *("gpu_busy", "ratios"),
    ]
    assert list(content["stages"]) == STAGES
    for speed in content["stages"].values():
        assert len(speed["samples"]) == 1
        assert speed["lowest"] == speed["clips_per_second"] == speed["highest"] > 0
    alone, together = (content["stages"][name]["clips_per_second"] for name in STAGES[-2:])
    assert content["share_of_network"] == pytest.approx(together / alone)
    assert content["setting"]["network"] == "MeanColour"
    assert content["setting"]["clips"] == 160
    assert content["machine"]["torch"] == torch.__version__
    assert content["gpu_busy"] is None


@pytest.mark.usefixtures("no_other_children")
def test_workers_are_measured_and_terminated(drawn_clips: Path) -> None:
    report = measured(drawn_clips, num_workers=2)
    assert report.titles["loader"] == "loader, 2 workers"
    assert report.speeds["loader"].median > 0
    assert multiprocessing.active_children() == []


def test_the_network_is_trained_while_it_is_measured(drawn_clips: Path) -> None:
    model = MeanColour()
    before = model.head.weight.detach().clone()
    data = DelayedData(str(drawn_clips))
    measure(endless_cpu_trainer(), model, data, seconds=0.01, rounds=1)
    assert not torch.equal(model.head.weight, before)
    assert model.head.weight.isfinite().all()


def test_ratios_are_medians_over_rounds(drawn_clips: Path) -> None:
    report = measured(drawn_clips)
    speeds = {**report.speeds, "network": Speed((10.0, 100.0)), "end_to_end": Speed((9.0, 70.0))}
    two_rounds = Report(
        machine=report.machine, setting=report.setting, speeds=speeds, titles=report.titles
    )
    # the median of 0.9 and 0.7; the ratio of the medians is 0.72
    assert two_rounds.share == pytest.approx(0.8)
    assert two_rounds.spread == pytest.approx(10.0)
