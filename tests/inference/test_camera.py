"""Camera frames become windows on a fixed time grid."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from emorec.errors import UserError
from emorec.inference.options import Options
from emorec.inference.predictor import Playing, Predictor
from emorec.inference.timeline import Window
from emorec.inference.video import Camera
from emorec.inference.windows import windows_of
from tests.inference.fakes import Grey
from tests.inference.specs import make_spec

SECOND = Options(window_seconds=1.0, hop_seconds=0.5)


class Film:
    """A fake OpenCV capture at 10 fps; the grey level of each frame is its index."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.num_read = 0
        self.open = True

    def isOpened(self) -> bool:  # noqa: N802  (OpenCV's name)
        return self.frames > 0

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self.num_read == self.frames:
            return False, None
        self.num_read += 1
        return True, np.full((48, 64, 3), self.num_read - 1, np.uint8)

    def get(self, property_id: int) -> float:
        return 10.0 if property_id == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        self.open = False

    def now(self) -> float:
        return 7.0 + 0.1 * (self.num_read - 1)


def camera_of(film: Film, seconds: float | None = None) -> Camera:
    opens: Callable[[int], Film] = lambda index: film  # noqa: E731
    return Camera(0, seconds, open_capture=opens, now=film.now)


def greys(window: object) -> list[int]:
    assert isinstance(window, Window)
    assert window.frames is not None
    return window.frames[:, 0, 0, 0].tolist()


def test_windows_contain_the_latest_frame_at_each_time() -> None:
    film = Film(23)
    windows = list(windows_of(camera_of(film), make_spec(num_frames=3), SECOND))
    assert [(each.start, each.end) for each in windows] == [(0.0, 1.0), (0.5, 1.5), (1.0, 2.0)]
    assert (
        np.abs(
            np.subtract([greys(each) for each in windows], [[0, 5, 10], [5, 10, 15], [10, 15, 20]])
        ).max()
        <= 1
    )
    assert not film.open


def test_a_camera_records_for_the_given_seconds() -> None:
    film = Film(1000)
    assert len(list(windows_of(camera_of(film, 2.05), make_spec(), SECOND))) == 3
    assert film.num_read < 25
    assert not film.open


def test_each_window_of_a_camera_is_predicted_at_once() -> None:
    film = Film(1000)
    predictor = Predictor(Grey(num_frames=3), SECOND)
    items = predictor.stream_in_turn([lambda: Playing(camera_of(film))])
    next(items)
    assert isinstance(next(items), Window)
    assert film.num_read < 15
    items.close()


def test_an_interrupted_camera_is_released() -> None:
    film = Film(1000)
    windows = windows_of(camera_of(film), make_spec(), SECOND)
    next(windows)
    windows.close()
    assert not film.open


def test_a_recording_shorter_than_a_window_is_a_one_line_error() -> None:
    with pytest.raises(UserError, match="camera 0: it ended before the first window of 1 s"):
        list(windows_of(camera_of(Film(5)), make_spec(), SECOND))


def test_a_missing_camera_is_a_one_line_error(capfd: pytest.CaptureFixture[str]) -> None:
    film = Film(0)
    with pytest.raises(UserError, match="camera 0: no such camera"):
        camera_of(film)
    assert not film.open
    with pytest.raises(UserError, match="camera 77: no such camera"):
        Camera(77)
    assert capfd.readouterr() == ("", "")


def test_an_audio_visual_network_gets_silence_and_an_audio_network_is_refused_by_the_camera() -> (
    None
):
    spec = make_spec(inputs=("frames", "sound", "heard"))
    window = next(windows_of(camera_of(Film(15)), spec, SECOND))
    assert isinstance(window, Window)
    assert window.sound is not None
    assert (window.sound.shape, window.has_sound, window.sound.any()) == ((16_000,), False, False)
    with pytest.raises(UserError, match="camera 0: cameras have no sound"):
        next(windows_of(camera_of(Film(15)), make_spec(inputs=("sound",), num_frames=0), SECOND))
