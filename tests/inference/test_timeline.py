"""Labels of outputs, durations of windows, and properties of timelines."""

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from emorec.errors import UserError
from emorec.inference.options import Options
from emorec.inference.predictor import Predictor, stack_inputs, with_prediction
from emorec.inference.spec import ModelSpec
from emorec.inference.timeline import Gap, Prediction, Window, display_intervals
from tests.inference.fakes import Grey, timeline


def prediction_of(
    spec: ModelSpec, output: npt.NDArray[np.float32] | None, abstain_below: float = 0.0
) -> Prediction:
    window = Window(start=0, end=1, person=1, frames=np.zeros((1, 1, 1, 3), np.uint8))
    return with_prediction(window, spec, output, abstain_below)


def test_a_prediction_is_the_most_probable_class() -> None:
    prediction = prediction_of(Grey().spec, np.array([0.25, 0.75], np.float32))
    assert (prediction.predicted, prediction.confidence) == ("bright", 0.75)
    assert prediction.probabilities == {"dark": 0.25, "bright": 0.75}


@pytest.mark.parametrize(("abstain_below", "label"), [(0.75, "bright"), (0.76, "uncertain")])
def test_a_prediction_below_the_threshold_is_uncertain_with_its_probabilities(
    abstain_below: float, label: str
) -> None:
    prediction = prediction_of(Grey().spec, np.array([0.25, 0.75], np.float32), abstain_below)
    assert (prediction.predicted, prediction.confidence, prediction.values) == (
        label,
        0.75,
        (0.25, 0.75),
    )


def test_without_a_face_there_are_no_probabilities() -> None:
    prediction = prediction_of(Grey().spec, None)
    assert (prediction.predicted, prediction.confidence, prediction.probabilities) == (
        "no face",
        None,
        {},
    )


def test_numbers_have_neither_label_nor_confidence() -> None:
    spec = Grey(task="numbers", names=("valence",)).spec
    prediction = prediction_of(spec, np.array([-0.5], np.float32), 0.9)
    assert (prediction.predicted, prediction.confidence, prediction.probabilities) == (
        "",
        None,
        {"valence": -0.5},
    )


@pytest.mark.parametrize(
    ("num_frames", "clip_seconds", "options", "window_seconds", "hop_seconds"),
    [
        (10, 3.7, {}, 3.7, 1.85),
        (10, 3.7, {"window_seconds": 2.0}, 2.0, 1.0),
        (10, 3.7, {"hop_seconds": 0.5}, 3.7, 0.5),
        (8, 8 / 30, {}, 8 / 30, 4 / 30),
        (1, 1 / 30, {}, 0.2, 0.2),
        (1, 3.7, {}, 3.7, 3.7),
        (1, 1 / 30, {"window_seconds": 0.1}, 0.1, 0.1),
    ],
)
def test_windows_have_the_duration_of_training_clips(
    num_frames: int, clip_seconds: float, options: Any, window_seconds: float, hop_seconds: float
) -> None:
    spec = Grey(num_frames=num_frames, window_seconds=clip_seconds).spec
    window, hop = Options(**options).window_and_hop(spec)
    assert window == pytest.approx(window_seconds)
    assert hop == pytest.approx(hop_seconds)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_seconds": 0}, "window_seconds is 0: "),
        ({"hop_seconds": -1}, "hop_seconds is -1: "),
        ({"hop_seconds": float("nan")}, "hop_seconds is nan: "),
        ({"window_seconds": float("inf")}, "window_seconds is inf: "),
        ({"abstain_below": 1.5}, "abstain_below is 1.5: "),
        ({"batch_size": 0}, "batch_size is 0: "),
        ({"face": "maybe"}, "face is maybe: choose as_trained, crop, align or none"),
    ],
)
def test_invalid_options_are_refused(options: Any, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        Options(**options)


def window_at(start: int, person: int | None = 1) -> Window:
    frames = None if person is None else np.zeros((2, 4, 4, 3), np.uint8)
    return Window(start=start, end=start + 1, person=person, frames=frames)


def stream(
    pieces: Iterable[Window | Gap], batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Grey, Iterator[Window | Gap]]:
    """Return a runtime, and what a predictor streams for windows and gaps of a video."""
    monkeypatch.setattr("emorec.inference.predictor.windows_of", lambda *_: iter(pieces))
    runtime = Grey()
    video: Any = SimpleNamespace(live=False)
    return runtime, Predictor(runtime).stream(video, Options(batch_size=batch_size))


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_batches_have_the_chosen_number_of_windows_with_a_face_in_order(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = [
        Gap(start, start + 1) if start % 7 == 3 else window_at(start, None if start % 5 == 1 else 1)
        for start in range(40)
    ]
    runtime, results = stream(pieces, size, monkeypatch)
    assert [(type(each), each.start) for each in results] == [
        (type(each), each.start) for each in pieces
    ]
    assert max(runtime.batches) <= size
    assert sum(runtime.batches) == sum(
        isinstance(each, Window) and each.person == 1 for each in pieces
    )


def test_an_hour_without_a_face_is_not_buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[float] = []

    def video() -> Iterator[Window]:
        for start in range(1000):
            starts.append(start)
            yield window_at(start, 1 if start == 0 else None)

    _, results = stream(video(), 4, monkeypatch)
    assert max(starts[-1] - each.start for each in results) <= 16


def test_a_window_without_an_input_of_the_network_is_an_internal_error() -> None:
    with pytest.raises(ValueError, match="lack"):
        stack_inputs([window_at(0), window_at(1, None)], Grey().spec)


def test_a_timeline_has_its_persons_and_its_most_frequent_label() -> None:
    result = timeline(20, people=2, without_face=range(5, 10))
    assert result.persons == (1, 2)
    assert result.face_coverage == pytest.approx(15 / 20)
    prediction = [each.predicted for each in result.windows if each.person]
    assert prediction.count(result.most_frequent or "") == max(map(prediction.count, prediction))
    assert {each.person for each in result.of_person(2)} == {2}


def test_a_timeline_without_a_face_is_labelled_no_face() -> None:
    result = timeline(3, without_face=range(3))
    assert (result.persons, result.face_coverage, result.most_frequent) == ((), 0, "no face")


def test_overlapping_windows_share_the_time_between_their_centres() -> None:
    windows = timeline(4).windows
    assert [(start, end) for start, end, _ in display_intervals(windows, 1.85)] == [
        pytest.approx(each) for each in ((0, 2.775), (2.775, 4.625), (4.625, 6.475), (6.475, 9.25))
    ]
    distant = [windows[0], windows[3]]
    assert [(start, end) for start, end, _ in display_intervals(distant, 1.85)] == [
        pytest.approx((0, 3.7)),
        pytest.approx((5.55, 9.25)),
    ]
