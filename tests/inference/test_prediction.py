"""What a network's output means, how videos are cut for it, and what a timeline tells of itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorec.errors import UserError
from emorec.inference.batches import batches, stacked
from emorec.inference.prediction import prediction_of
from emorec.inference.settings import Settings
from emorec.inference.window import Hole, Window
from tests.inference.made import Grey, timeline


def test_a_prediction_is_the_likeliest_class_with_its_probability() -> None:
    said = prediction_of(Grey().facts, np.array([0.25, 0.75], np.float32))
    assert (said.predicted, said.confidence) == ("bright", 0.75)
    assert said.probabilities == {"dark": 0.25, "bright": 0.75}


@pytest.mark.parametrize(("abstain_below", "word"), [(0.75, "bright"), (0.76, "uncertain")])
def test_below_a_confidence_it_is_uncertain_and_keeps_its_probabilities(
    abstain_below: float, word: str
) -> None:
    said = prediction_of(Grey().facts, np.array([0.25, 0.75], np.float32), abstain_below)
    assert (said.predicted, said.confidence, said.values) == (word, 0.75, (0.25, 0.75))


def test_where_nobody_is_there_are_no_probabilities() -> None:
    said = prediction_of(Grey().facts, None)
    assert (said.predicted, said.confidence, said.probabilities) == ("no face", None, {})


def test_numbers_are_neither_named_nor_sure() -> None:
    facts = Grey(says="numbers", names=("valence",)).facts
    said = prediction_of(facts, np.array([-0.5], np.float32), 0.9)
    assert (said.predicted, said.confidence, said.probabilities) == ("", None, {"valence": -0.5})


@pytest.mark.parametrize(
    ("num_frames", "clip_seconds", "asked", "window_seconds", "hop_seconds"),
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
def test_windows_are_as_long_as_the_clips_of_the_training(
    num_frames: int, clip_seconds: float, asked: Any, window_seconds: float, hop_seconds: float
) -> None:
    facts = Grey(num_frames=num_frames, window_seconds=clip_seconds).facts
    cutting = Settings(**asked).cutting(facts)
    assert cutting.window_seconds == pytest.approx(window_seconds)
    assert cutting.hop_seconds == pytest.approx(hop_seconds)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"window_seconds": 0}, "window_seconds is 0: "),
        ({"hop_seconds": -1}, "hop_seconds is -1: "),
        ({"hop_seconds": float("nan")}, "hop_seconds is nan: "),
        ({"window_seconds": float("inf")}, "window_seconds is inf: "),
        ({"abstain_below": 1.5}, "abstain_below is 1.5: "),
        ({"batch_size": 0}, "batch_size is 0: "),
        ({"face": "maybe"}, "face is maybe: choose as_trained, crop or none"),
    ],
)
def test_settings_that_make_no_sense_are_refused(asked: Any, words: str) -> None:
    with pytest.raises(UserError, match=f"^{words}"):
        Settings(**asked)


def piece(start: int, person: int | None = 1) -> Window:
    frames = None if person is None else np.zeros((2, 4, 4, 3), np.uint8)
    return Window(start=start, end=start + 1, person=person, frames=frames)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_batches_hold_so_many_windows_with_somebody_and_keep_the_order(size: int) -> None:
    pieces = [
        Hole(start, start + 1) if start % 7 == 3 else piece(start, None if start % 5 == 1 else 1)
        for start in range(40)
    ]
    cut = list(batches(pieces, size))
    assert [each for batch in cut for each in batch] == pieces
    full = [sum(isinstance(each, Window) and each.person == 1 for each in batch) for batch in cut]
    assert max(full) <= size


def test_an_hour_without_anybody_does_not_wait_in_memory() -> None:
    pieces = [piece(0), *(piece(start, None) for start in range(1, 1000)), piece(1000)]
    assert max(map(len, batches(iter(pieces), 4))) <= 16


def test_a_window_without_what_the_network_takes_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="lack"):
        stacked([piece(0), piece(1, None)], Grey().facts)


def test_a_timeline_tells_who_is_in_it_and_what_is_said_most() -> None:
    two = timeline(20, people=2, nobody=range(5, 10))
    assert two.persons == (1, 2)
    assert two.face_coverage == pytest.approx(15 / 20)
    said = [each.predicted for each in two.windows if each.person]
    assert said.count(two.most_frequent or "") == max(map(said.count, said))
    assert {each.person for each in two.of_person(2)} == {2}


def test_a_timeline_of_nobody_says_so() -> None:
    none = timeline(3, nobody=range(3))
    assert (none.persons, none.face_coverage, none.most_frequent) == ((), 0, "no face")


def test_a_moment_is_the_window_whose_middle_is_nearest() -> None:
    one = timeline(5)
    assert one.at(2.7) == one.windows[0]  # middles at 1.85, 3.7, ...
    assert one.at(2.8) == one.windows[1]
    assert one.at(500) is None
    assert one.at(1, person=2) is None
    assert one.path == Path("talk.mp4")
