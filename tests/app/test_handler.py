"""Every upload gets a result or a readable error, and is deleted."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import emorec
from emorec.app.handler import Answer, Limits, handle_upload, predict_upload, sample_clip
from emorec.app.page import model_info, result_values
from emorec.app.sessions import Sessions
from emorec.data.synthetic.clips import is_drawn
from emorec.errors import UserError
from emorec.inference.predictor import Predictor
from emorec.inference.timeline import Gap
from emorec.inference.video import VideoFile
from tests import videos
from tests.app.fakes import files_below, predict, timeline_of
from tests.inference.fakes import Grey


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    return Sessions(tmp_path)


def uploaded(sessions: Sessions, content: bytes = b"film", name: str = "a.mp4") -> Path:
    path = sessions.uploads / "hash" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    sessions.add_upload(path, "ann")
    return path


def handle(
    sessions: Sessions, upload: Path, predicting: Any = predict, limits: Limits | None = None
) -> Answer:
    return handle_upload(
        upload,
        "ann",
        predict=predicting,
        sessions=sessions,
        limits=limits or Limits(),
        progress=lambda *_: None,
    )


def test_the_answer_has_the_result_files_and_the_upload_is_deleted(
    sessions: Sessions,
) -> None:
    answer = handle(sessions, uploaded(sessions))
    assert answer.timeline == timeline_of(Path("a.mp4"))
    assert answer.error is None
    assert answer.folder is not None
    assert files_below(answer.folder) == ["annotated.mp4", "timeline.csv", "timeline.png"]
    assert files_below(sessions.root) == files_below(answer.folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"broken", "a.mp4: not a video"),
        (b"", "a.mp4 is empty: please choose another video"),
        (b"0" * 1_500_000, "a.mp4 has 1.5 MB: the limit is 1 MB"),
        (b"crash", "Internal error; see the server log"),
    ],
)
def test_an_unusable_upload_gives_one_message_and_leaves_no_file(
    sessions: Sessions, content: bytes, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = handle(sessions, uploaded(sessions, content), limits=Limits(megabytes=1))
    assert answer == Answer(error=message)
    assert files_below(sessions.root) == []
    # the log has the traceback's message
    assert ("a mistake of the programmer" in caplog.text) == (content == b"crash")


def test_visitors_see_no_path_of_the_server(
    sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    def fill_the_disk(video: Path, folder: Path, progress: object) -> object:
        raise UserError(f"the disk is full: can't write {folder}/timeline.csv")

    answer = handle(sessions, uploaded(sessions), fill_the_disk)
    assert answer == Answer(error="Internal error; see the server log")
    assert "the disk is full" in caplog.text


@pytest.mark.parametrize(
    ("load", "windows", "notes"),
    [
        (lambda: Predictor(Grey(inputs=("sound",), num_frames=0)), 3, ()),
        (emorec.load, 1, ("No pictures; only its sound is used",)),
    ],
    ids=["only hears", "built in"],
)
def test_a_sound_file_is_predicted_by_a_network_that_needs_no_pictures(
    load: Callable[[], Predictor],
    windows: int,
    notes: tuple[str, ...],
    sessions: Sessions,
    tmp_path: Path,
) -> None:
    sound = videos.write_sound(tmp_path / "talk.m4a", 1.0).read_bytes()
    upload = uploaded(sessions, sound, "talk.m4a")
    predictor = load()
    answer = handle(sessions, upload, partial(predict_upload, predictor, Limits()))
    assert answer.timeline is not None
    assert len(answer.timeline.windows) == windows
    assert answer.notes == notes
    assert all(note in result_values(answer, model_info(predictor.spec))[0] for note in notes)
    assert answer.folder is not None
    assert files_below(answer.folder) == ["summary.json", "timeline.csv", "timeline.png"]
    info = model_info(predictor.spec)
    assert info.takes_sound_files
    annotated = result_values(answer, info)[2]
    assert (annotated["value"], annotated["visible"]) == (None, False)


def test_the_visitor_reads_what_is_missing_and_no_path_of_the_server(
    sessions: Sessions, tmp_path: Path
) -> None:
    film = videos.write_video(tmp_path / "film.mp4", 60, fps=20, sound=True)
    upload = uploaded(sessions, videos.truncate(film, 60).read_bytes(), "film.mp4")
    predictor = Predictor(Grey(inputs=("frames", "sound", "heard")))
    answer = handle(sessions, upload, partial(predict_upload, predictor, Limits()))
    (note,) = answer.notes
    assert note.startswith("Silence from ")
    assert ": film.mp4: " in note
    assert str(sessions.root) not in note


def test_the_sample_clip_is_drawn_and_handled_as_an_upload(sessions: Sessions) -> None:
    upload = sessions.write_upload(sample_clip(), "sample.mp4", "ann")
    assert is_drawn(upload)
    assert VideoFile(upload).seconds == pytest.approx(8.0, abs=0.1)
    answer = handle(sessions, upload)
    assert answer.error is None
    assert not upload.exists()
    sessions.write_upload(b"film", "sample.mp4", "ann")
    sessions.end("ann")
    assert files_below(sessions.root) == []


def test_a_file_that_was_not_uploaded_is_refused(sessions: Sessions, tmp_path: Path) -> None:
    local = tmp_path / "mine.mp4"
    local.write_bytes(b"film")
    assert handle(sessions, local).error == "only uploaded videos are predicted"
    assert local.exists()


def test_a_deleted_upload_has_to_be_uploaded_again(sessions: Sessions) -> None:
    upload = uploaded(sessions)
    upload.unlink()
    assert "please upload it again" in (handle(sessions, upload).error or "")


def test_a_visitor_who_leaves_stops_the_prediction_and_leaves_no_file(
    sessions: Sessions,
) -> None:
    steps = []

    def predict_then_leave(video: Path, folder: Path, progress: object) -> object:
        (folder / "timeline.csv").touch()
        sessions.end("ann")
        progress("looking", 0.1)  # type: ignore[operator]
        steps.append("went on")
        return Answer(timeline_of())

    assert handle(sessions, uploaded(sessions), predict_then_leave) == Answer()
    assert steps == []
    assert files_below(sessions.root) == []


def test_a_visitor_who_leaves_just_before_the_end_leaves_no_file(sessions: Sessions) -> None:
    def predict_then_leave(video: Path, folder: Path, progress: object) -> object:
        sessions.end("ann")
        folder.mkdir(exist_ok=True)
        (folder / "timeline.csv").touch()
        return Answer(timeline_of())

    assert handle(sessions, uploaded(sessions), predict_then_leave) == Answer()
    assert files_below(sessions.root) == []


@pytest.mark.parametrize(
    ("gaps", "message"),
    [((Gap(0.0, 3.0),), "a.mp4 is damaged"), ((), "a.mp4: no part of it can be predicted")],
)
def test_a_video_without_windows_is_an_error(
    sessions: Sessions, gaps: tuple[Gap, ...], message: str
) -> None:
    nothing = Answer(timeline_of(windows=(), gaps=gaps))
    answer = handle(sessions, uploaded(sessions), lambda *_: nothing)
    assert message in (answer.error or "")
    assert files_below(sessions.root) == []


def test_limits_are_positive_and_have_a_description() -> None:
    assert Limits(megabytes=1.5, seconds=20).describe() == "Files of up to 1.5 MB and 20 seconds"
    with pytest.raises(UserError, match=r"^--max_seconds is 0: choose a number above 0$"):
        Limits(seconds=0)
    with pytest.raises(UserError, match=r"^--max_megabytes is nan"):
        Limits(megabytes=float("nan"))
    with pytest.raises(UserError, match=r"a\.mp4 is 1:40 minutes long: the limit is 1:30"):
        Limits(seconds=90).check_length(Path("a.mp4"), 100)
    Limits(seconds=90).check_length(Path("a.mp4"), 90)
