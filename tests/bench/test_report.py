"""The table of a measurement and its caveats."""

import io
from typing import Any

import pytest
from rich.console import Console

from emorec.bench.report import Report, Speed

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


def printed(
    speeds: dict[str, tuple[float, ...]], *, busy: tuple[float, ...] = (), drawn: bool = False
) -> list[str]:
    report = Report(
        machine={"device": "cpu", "cores": 2},
        setting={**SETTING, "drawn": drawn},
        speeds={name: Speed(samples) for name, samples in speeds.items()},
        titles={name: f"({name})" for name in speeds},
        gpu_percent=busy,
    )
    text = io.StringIO()
    report.print(Console(file=text, width=200))
    return [line.rstrip() for line in text.getvalue().splitlines()]


def row(lines: list[str], name: str) -> list[str]:
    (line,) = (line for line in lines if line.startswith(f"({name}) "))
    return line.removeprefix(f"({name})").split()


def test_a_row_has_median_minimum_maximum_and_milliseconds() -> None:
    lines = printed(SPEEDS)
    assert lines[0].startswith(
        "CNNLSTM on cpu (32-true), 10 frames of 224 x 224 pixels, augment true"
    )
    assert row(lines, "network") == ["48", "40", "50", "20.8"]
    assert row(lines, "decode") == ["2.1", "2", "2.2", "476"]
    assert "end to end is 98 % of the network alone" in lines
    assert any(line.startswith("bottleneck: the network") for line in lines)
    assert not any("speed-up" in line for line in lines)


def test_a_baseline_row_has_the_speed_up_of_the_loader() -> None:
    lines = printed(SPEEDS | BASELINES)
    assert row(lines, "seed_way")[-2:] == ["20", "x"]
    assert row(lines, "on_the_fly_pyav")[-2:] == ["200", "x"]
    assert row(lines, "network")[-1] == "20.8"


@pytest.mark.parametrize(
    ("changes", "speeds", "remark"),
    [
        ({}, {"network": (10.0, 50.0, 48.0)}, "the rounds differ by a factor of up to 5"),
        ({"busy": (90.0, 100.0)}, {}, "the GPU was busy 95 % of the time"),
        ({"drawn": True}, {}, "these clips are synthetic, small and short"),
    ],
)
def test_a_caveat_is_printed_when_it_applies(
    changes: dict[str, Any], speeds: dict[str, tuple[float, ...]], remark: str
) -> None:
    assert any(remark in line for line in printed(SPEEDS | speeds, **changes))
    assert not any(remark in line for line in printed(SPEEDS))


def test_a_speed_has_its_median_and_its_range() -> None:
    assert Speed((3.0, 1.0, 100.0, 5.0)).to_dict() == {
        "clips_per_second": 4.0,
        "lowest": 1.0,
        "highest": 100.0,
        "samples": [3.0, 1.0, 100.0, 5.0],
    }
