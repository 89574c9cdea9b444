"""The files timeline.csv and summary.json."""

import csv
import io
import json
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorec.data.landmarks import BLENDSHAPES, FACE
from emorec.inference.options import Options
from emorec.inference.results import TIMELINE_CSV, TableWriter, speed, summary
from emorec.inference.timeline import Gap, Timeline, Window
from emorec.inference.video import Stopwatch
from emorec.inference.windows import no_face
from tests.inference.fakes import EIGHT, Grey, timeline
from tests.inference.specs import make_spec


def writer(folder: Path, runtime: Grey | None = None, **options: Any) -> TableWriter:
    return TableWriter(folder, (runtime or Grey(names=EIGHT)).spec, Options(**options), "")


def written_rows(folder: Path, predictions: Timeline, runtime: Grey) -> list[dict[str, str]]:
    with writer(folder, runtime) as file:
        for each in predictions.windows:
            file.write(each)
    return list(csv.DictReader(io.StringIO((folder / TIMELINE_CSV).read_text())))


def test_the_csv_has_a_line_per_window_and_a_column_per_class(tmp_path: Path) -> None:
    predictions = timeline(4, people=2, without_face=range(1, 2))
    rows = written_rows(tmp_path, predictions, Grey(names=EIGHT))
    assert list(rows[0]) == ["start", "end", "person", "predicted", "confidence", *EIGHT]
    for row, window in zip(rows, predictions.windows, strict=True):
        assert (float(row["start"]), float(row["end"])) == pytest.approx(
            (window.start, window.end), abs=5e-4
        )
        assert row["person"] == ("" if window.person is None else f"{window.person}")
        assert row["predicted"] == window.predicted
        if window.values is None:
            assert {row[name] for name in ("confidence", *EIGHT)} == {""}
        else:
            assert [float(row[name]) for name in EIGHT] == pytest.approx(window.values, rel=1e-8)
            assert float(row["confidence"]) == pytest.approx(window.confidence, rel=1e-8)


def test_the_csv_of_a_regressor_has_only_columns_of_its_numbers(tmp_path: Path) -> None:
    names = ("valence", "arousal")
    predictions = timeline(3, names=names, numbers=True)
    rows = written_rows(tmp_path, predictions, Grey(task="numbers", names=names))
    assert list(rows[0]) == ["start", "end", "person", "valence", "arousal"]
    assert float(rows[2]["arousal"]) == pytest.approx(
        predictions.windows[2].probabilities["arousal"]
    )


def test_blendshapes_are_written_once_for_each_frame_with_a_face(tmp_path: Path) -> None:
    spec = make_spec(names=EIGHT, inputs=("landmarks", "blendshapes", "face_present"))
    with TableWriter(tmp_path, spec, Options(blendshapes=True), "") as file:
        for number in range(2):  # of two persons, whose windows share their frames
            for person in (1, 2):
                face = np.zeros(4, FACE)
                face["present"] = [True, True, number == 0, True]
                face["pose"] = 10 * person, 0.04, -1
                face["blendshapes"][:, 25] = np.arange(2 * number, 2 * number + 4) / 10
                seconds = tuple(0.25 * index for index in range(2 * number, 2 * number + 4))
                pose = tuple(face["pose"][0].tolist())
                window = Window(start=number / 2, end=number / 2 + 1, person=person, names=EIGHT)
                file.write(replace(window, face=face, seconds=seconds, pose=pose))
        file.write(Window(start=2, end=3, person=1, names=EIGHT, face=no_face(4)))  # sound alone
    rows = list(csv.DictReader(io.StringIO((tmp_path / "frames.csv").read_text())))
    assert list(rows[0]) == ["seconds", "person", "yaw", "pitch", "roll", *BLENDSHAPES]
    own = [row for row in rows if row["person"] == "2"]
    assert len(rows) == 2 * len(own)
    assert [float(row["seconds"]) for row in own] == [0, 0.25, 0.5, 0.75, 1.25]
    assert [float(row["jawOpen"]) for row in own] == pytest.approx([0, 0.1, 0.2, 0.3, 0.5])
    assert (own[0]["yaw"], own[0]["pitch"], own[0]["roll"]) == ("20.0", "0.0", "-1.0")
    windows = list(csv.DictReader(io.StringIO((tmp_path / TIMELINE_CSV).read_text())))
    assert [row["yaw"] for row in windows] == [*["10.0", "20.0"] * 2, ""]


def test_each_line_is_flushed(tmp_path: Path) -> None:
    path = tmp_path / TIMELINE_CSV
    with writer(tmp_path) as file:
        assert path.read_text().count("\n") == 1
        file.write(timeline(1).windows[0])
        assert path.read_text().count("\n") == 2


def test_a_full_disk_leaves_complete_lines(tmp_path: Path) -> None:
    path = tmp_path / TIMELINE_CSV
    first, second = timeline(2).windows
    with writer(tmp_path) as file:
        file.write(first)
        before = path.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:  # room for ten more bytes
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
            with pytest.raises(OSError, match="File too large"):
                file.write(second)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.read_bytes() == before


def summary_of(predictions: Timeline, detector: str | None = None) -> dict[str, Any]:
    shape = {"seconds": predictions.seconds}
    return summary(
        predictions,
        Grey(names=EIGHT).spec,
        Options(),
        video=shape,
        runtime="made",
        detector=detector,
    )


def test_the_summary_counts_labels_persons_and_gaps() -> None:
    predictions = timeline(10, people=2, without_face=range(2, 4), gaps=(Gap(1.0, 2.5),))
    content = summary_of(predictions, "yunet")
    assert json.loads(json.dumps(content))["format"] == 1
    assert sum(content["predicted"].values()) == content["windows"] == 18
    assert (content["persons"], content["face_coverage"]) == (2, pytest.approx(0.8))
    assert content["holes"] == [[1.0, 2.5]]
    assert content["network"]["checkpoint_sha256"] == "0" * 64


def test_face_coverage_is_reported_only_with_a_face_detector() -> None:
    assert summary_of(timeline(3))["face_coverage"] is None


def test_speeds_of_zero_time_or_frames_do_not_divide_by_zero() -> None:
    assert speed(Stopwatch(), 1.0, 0.0)["times_network_alone"] is None
