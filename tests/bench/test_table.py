"""The table says what the numbers say, and when not to believe them."""

import io
from typing import Any

import pytest
from rich.console import Console

from emorec.bench.report import Report
from emorec.bench.speed import Speed
from emorec.bench.table import show

SETTING = {
    "network": "CNNLSTM",
    "precision": "32-true",
    "num_frames": 10,
    "image_size": (224, 224),
    "augment": True,
    "batch_size": 16,
    "num_workers": 2,
    "cached": True,
    "clips": 1200,
}

SPEEDS = {
    "decode": (2.0, 2.2, 2.1),
    "cache_read": (4000.0, 5000.0, 4500.0),
    "loader": (880.0, 900.0, 910.0),
    "network": (40.0, 50.0, 48.0),
    "end_to_end": (39.0, 49.0, 47.0),
}

BASELINES = {
    "loader_one_core": (500.0, 500.0, 500.0),
    "seed_way": (25.0, 26.0, 20.0),
    "on_the_fly_pyav": (4.5, 4.5, 4.5),
}


def shown(
    speeds: dict[str, tuple[float, ...]], *, busy: tuple[float, ...] = (), drawn: bool = False
) -> list[str]:
    report = Report(
        machine={"device": "cpu", "cores": 2},
        setting={**SETTING, "drawn": drawn},
        speeds={name: Speed(samples) for name, samples in speeds.items()},
        words={name: f"({name})" for name in speeds},
        busy=busy,
    )
    text = io.StringIO()
    show(report, Console(file=text, width=200))
    return [line.rstrip() for line in text.getvalue().splitlines()]


def row(lines: list[str], name: str) -> list[str]:
    (line,) = (line for line in lines if line.startswith(f"({name}) "))
    return line.removeprefix(f"({name})").split()


def test_a_row_holds_median_lowest_highest_and_milliseconds() -> None:
    lines = shown(SPEEDS)
    assert lines[0].startswith(
        "CNNLSTM on cpu (32-true), 10 frames of 224 x 224 pixels, augment true"
    )
    assert row(lines, "network") == ["48.0", "40.0", "50.0", "20.8"]
    assert row(lines, "decode") == ["2.10", "2.00", "2.20", "476"]
    assert "end to end is 98 % of the network alone" in lines
    assert any(line.startswith("the network is the bottleneck") for line in lines)
    assert not any("times" in line for line in lines)


def test_what_the_loader_is_compared_with_says_how_many_times() -> None:
    lines = shown(SPEEDS | BASELINES)
    assert row(lines, "seed_way")[-2:] == ["20.0", "times"]
    assert row(lines, "on_the_fly_pyav")[-2:] == ["200", "times"]
    assert row(lines, "network")[-1] == "20.8"


@pytest.mark.parametrize(
    ("changes", "speeds", "said"),
    [
        ({}, {"network": (10.0, 50.0, 48.0)}, "the rounds differ by up to 5.00 times"),
        ({"busy": (90.0, 100.0)}, {}, "the GPU was busy 95 % of the time"),
        ({"drawn": True}, {}, "these clips were drawn, small and short"),
    ],
)
def test_what_else_is_to_be_known_is_said_when_it_is_so(
    changes: dict[str, Any], speeds: dict[str, tuple[float, ...]], said: str
) -> None:
    assert any(said in line for line in shown(SPEEDS | speeds, **changes))
    assert not any(said in line for line in shown(SPEEDS))
