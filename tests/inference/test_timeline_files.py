"""timeline.csv, summary.json and timeline.png."""

import csv
import errno
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from emorec.evaluation.figures import figure_to_image
from emorec.inference.settings import Settings
from emorec.inference.stopwatch import Stopwatch
from emorec.inference.summary import speed, summary, write_summary
from emorec.inference.timeline import Timeline
from emorec.inference.timeline_file import TimelineFile
from emorec.inference.timeline_picture import (
    MAX_PANELS,
    stretches_of,
    timeline_figure,
    write_timeline_picture,
)
from emorec.inference.window import Hole
from tests.inference.made import EIGHT, Grey, timeline


def written(path: Path, said: Timeline, runtime: Grey) -> list[dict[str, str]]:
    with TimelineFile(path, runtime.facts) as file:
        for each in said.windows:
            file.add(each)
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_a_line_a_window_and_a_column_a_class(tmp_path: Path) -> None:
    said = timeline(4, people=2, nobody=range(1, 2))
    rows = written(tmp_path / "timeline.csv", said, Grey(names=EIGHT))
    assert list(rows[0]) == ["start", "end", "person", "predicted", "confidence", *EIGHT]
    for row, window in zip(rows, said.windows, strict=True):
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


def test_numbers_have_their_columns_alone(tmp_path: Path) -> None:
    names = ("valence", "arousal")
    said = timeline(3, names=names, numbers=True)
    rows = written(tmp_path / "timeline.csv", said, Grey(says="numbers", names=names))
    assert list(rows[0]) == ["start", "end", "person", "valence", "arousal"]
    assert float(rows[2]["arousal"]) == pytest.approx(said.windows[2].probabilities["arousal"])


def test_each_line_is_in_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "timeline.csv"
    with TimelineFile(path, Grey(names=EIGHT).facts) as file:
        assert path.read_text().count("\n") == 1
        file.add(timeline(1).windows[0])
        assert path.read_text().count("\n") == 2


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "timeline.csv"
    first, second = timeline(2).windows
    with TimelineFile(path, Grey(names=EIGHT).facts) as file:
        file.add(first)
        before = path.read_bytes()
        real = file._file

        class Full:
            tell, truncate, close = real.tell, real.truncate, real.close

            def write(self, line: bytes) -> int:
                if len(line) > 10:
                    return real.write(line[:10])
                raise OSError(errno.ENOSPC, "No space left on device")

        def write(line: bytes) -> int:
            if path.stat().st_size > len(before):
                raise OSError(errno.ENOSPC, "No space left on device")
            return real.write(line[:10])

        full = Full()
        full.write = write  # type: ignore[method-assign]
        monkeypatch.setattr(file, "_file", full)
        with pytest.raises(OSError, match="No space left"):
            file.add(second)
        assert path.read_bytes() == before


PICTURES: dict[str, Timeline] = {
    "one window": timeline(1),
    "a thousand windows": timeline(1000),
    "five people, a hole, nobody for a while": timeline(
        40, people=5, nobody=range(10, 14), holes=(Hole(50.0, 60.0),)
    ),
    "numbers": timeline(60, names=("valence", "arousal"), numbers=True),
    "nobody": timeline(4, nobody=range(4)),
    "classes of other names": timeline(9, names=tuple(f"${n}^ клас {n}" for n in range(15))),
}


@pytest.mark.parametrize("what", PICTURES)
def test_the_same_timeline_is_the_same_picture_to_the_byte(what: str, tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        write_timeline_picture(tmp_path / name, PICTURES[what])
    content = (tmp_path / "one.png").read_bytes()
    assert content == (tmp_path / "two.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert b"Software" not in content


@pytest.mark.parametrize("what", PICTURES)
def test_all_words_of_a_picture_are_inside_it_and_do_not_overlap(what: str) -> None:
    figure = timeline_figure(PICTURES[what])
    image = figure_to_image(figure)
    height, width = image.shape[:2]
    boxes = [text.get_window_extent() for text in words_of(figure)]
    for place, box in enumerate(boxes):
        assert box.x0 >= -1
        assert box.x1 <= width + 1
        assert box.y0 >= -1
        assert box.y1 <= height + 1
        for other in boxes[:place]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            down = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(across, down) < 1.5, (box, other)


def words_of(figure: Figure) -> list[Any]:
    words = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    if figure._suptitle is not None and figure._suptitle not in words:  # type: ignore[attr-defined]
        words.append(figure._suptitle)  # type: ignore[attr-defined]
    for axes in figure.axes:
        words += [*axes.texts, *ticks_of(axes.yaxis, axes.get_ylim())]
    words += ticks_of(figure.axes[-1].xaxis, figure.axes[-1].get_xlim())
    return [text for text in words if text.get_visible() and text.get_text()]


def ticks_of(axis: Any, limits: tuple[float, float]) -> list[Any]:
    """The labels that are drawn: those within the limits."""
    both = zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True)
    return [label for label, place in both if limits[0] <= place <= limits[1]]


def test_a_crowd_has_panels_for_those_who_are_there_longest() -> None:
    figure = timeline_figure(timeline(2, people=MAX_PANELS + 3))
    assert len(figure.axes) == MAX_PANELS
    assert "3 people" in figure._suptitle.get_text()  # type: ignore[attr-defined]


def test_a_picture_shows_the_probabilities_stacked() -> None:
    said = timeline(1)
    figure = timeline_figure(said)
    image = figure_to_image(figure)
    panel = figure.axes[0].get_window_extent()
    rows = slice(round(len(image) - panel.y1), round(len(image) - panel.y0))
    column = image[rows, image.shape[1] // 2].astype(int)
    blue = np.abs(column - [0x3D, 0x6F, 0xB6]).max(axis=1) <= 2  # sad
    red = np.abs(column - [0xC8, 0x37, 0x2D]).max(axis=1) <= 2  # angry
    shares = said.windows[0].probabilities
    assert [blue.sum(), red.sum()] == pytest.approx(
        [len(column) * shares["sad"], len(column) * shares["angry"]], abs=3
    )


def test_windows_that_overlap_share_the_time_between_their_middles() -> None:
    said = timeline(4).windows
    assert [(start, end) for start, end, _ in stretches_of(said, 1.85)] == [
        pytest.approx(each) for each in ((0, 2.775), (2.775, 4.625), (4.625, 6.475), (6.475, 9.25))
    ]
    apart = [said[0], said[3]]
    assert [(start, end) for start, end, _ in stretches_of(apart, 1.85)] == [
        pytest.approx((0, 3.7)),
        pytest.approx((5.55, 9.25)),
    ]


def told(said: Timeline, detector: str | None = None) -> dict[str, Any]:
    shape = {"seconds": said.seconds}
    return summary(
        said, Grey(names=EIGHT).facts, Settings(), video=shape, runtime="made", detector=detector
    )


def test_the_summary_counts_words_people_and_holes(tmp_path: Path) -> None:
    said = timeline(10, people=2, nobody=range(2, 4), holes=(Hole(1.0, 2.5),))
    content = told(said, "yunet")
    write_summary(tmp_path / "summary.json", content)
    assert json.loads((tmp_path / "summary.json").read_text()) == json.loads(json.dumps(content))
    assert sum(content["predicted"].values()) == content["windows"] == 18
    assert (content["persons"], content["face_coverage"]) == (2, pytest.approx(0.8))
    assert content["holes"] == [[1.0, 2.5]]
    assert content["network"]["checkpoint_sha256"] == "0" * 64


def test_face_coverage_is_told_only_where_faces_were_looked_for() -> None:
    assert told(timeline(3))["face_coverage"] is None


def test_speed_without_a_network_or_frames_is_no_division_by_zero() -> None:
    assert speed(Stopwatch(), 1.0, 0.0)["times_network_alone"] is None
