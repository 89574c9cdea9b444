"""Every upload is answered in words for people, and goes."""

import logging
from pathlib import Path

import pytest

from emorec.app.answer import Answerer
from emorec.app.limits import Limits
from emorec.app.rooms import Rooms
from emorec.errors import UserError
from emorec.inference.timeline import Gap
from tests.app.fakes import files_below, look, timeline_of


@pytest.fixture
def rooms(tmp_path: Path) -> Rooms:
    return Rooms(tmp_path)


def uploaded(rooms: Rooms, content: bytes = b"film", name: str = "a.mp4") -> Path:
    path = rooms.uploads / "hash" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    rooms.hold(path, "ann")
    return path


def answered(
    rooms: Rooms, upload: Path, looking: object = look, limits: Limits | None = None
) -> str:
    answerer = Answerer(looking, rooms, limits or Limits(), "They were acted.")  # type: ignore[arg-type]
    return answerer.answer(upload, "ann", lambda *_: None)


def test_the_answer_shows_the_files_of_the_result_and_the_upload_is_gone(rooms: Rooms) -> None:
    html = answered(rooms, uploaded(rooms))
    place = html.split('src="')[1].split("/annotated.mp4")[0]
    token = place.removeprefix("/results/")
    assert files_below(rooms.root) == ["annotated.mp4", "timeline.csv", "timeline.png"]
    assert rooms.file(token, "timeline.png")
    for shown in ("happy", "75%", "They were acted.", f"{place}/timeline.csv"):
        assert shown in html


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"broken", "a.mp4: not a video."),
        (b"", "a.mp4 is empty: please choose another video."),
        (b"0" * 1_500_000, "a.mp4 has 1.5 MB: this page takes up to 1 MB."),
        (b"crash", "emorec itself failed with this video"),
    ],
)
def test_what_can_t_be_looked_at_is_one_sentence_and_nothing_stays(
    rooms: Rooms, content: bytes, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        html = answered(rooms, uploaded(rooms, content), limits=Limits(megabytes=1))
    assert said in html
    assert str(rooms.root) not in html
    assert "Traceback" not in html
    assert files_below(rooms.root) == []
    # whoever started it learns what happened
    assert ("a mistake of the programmer" in caplog.text) == (content == b"crash")


def test_a_file_that_was_not_sent_here_is_not_looked_at(rooms: Rooms, tmp_path: Path) -> None:
    mine = tmp_path / "mine.mp4"
    mine.write_bytes(b"film")
    assert "only a video that was sent here" in answered(rooms, mine)
    assert mine.exists()


def test_an_upload_that_is_not_there_any_more_is_asked_for_again(rooms: Rooms) -> None:
    upload = uploaded(rooms)
    upload.unlink()
    assert "please choose it again" in answered(rooms, upload)


def test_names_of_files_are_shown_as_they_are(rooms: Rooms) -> None:
    html = answered(rooms, uploaded(rooms, b"broken", "<img src=x onerror=alert(1)>.mp4"))
    assert "<img" not in html
    assert "&lt;img src=x" in html


def test_who_goes_while_being_answered_stops_the_work_and_leaves_nothing(rooms: Rooms) -> None:
    steps = []

    def looking(video: Path, folder: Path, progress: object) -> object:
        (folder / "timeline.csv").touch()
        rooms.leave("ann")
        progress("looking", 0.1)  # type: ignore[operator]
        steps.append("went on")
        return timeline_of()

    assert answered(rooms, uploaded(rooms), looking) == ""
    assert steps == []
    assert files_below(rooms.root) == []


def test_who_goes_at_the_very_end_leaves_nothing_either(rooms: Rooms) -> None:
    def looking(video: Path, folder: Path, progress: object) -> object:
        rooms.leave("ann")
        folder.mkdir(exist_ok=True)
        (folder / "timeline.csv").touch()
        return timeline_of()

    assert answered(rooms, uploaded(rooms), looking) == ""
    assert files_below(rooms.root) == []


@pytest.mark.parametrize(
    ("holes", "said"),
    [((Gap(0.0, 3.0),), "a.mp4 is damaged"), ((), "has no part that can be looked at")],
)
def test_a_video_of_which_nothing_can_be_said_is_told(
    rooms: Rooms, gaps: tuple[Gap, ...], said: str
) -> None:
    html = answered(rooms, uploaded(rooms), lambda *_: timeline_of(windows=(), gaps=gaps))
    assert said in html
    assert files_below(rooms.root) == []


def test_limits_are_above_nothing_and_told_in_words() -> None:
    assert Limits(megabytes=1.5, seconds=20).sentence == "Videos of up to 1.5 MB and 20 seconds"
    with pytest.raises(UserError, match=r"^--max_seconds is 0: it has to be above 0$"):
        Limits(seconds=0)
    with pytest.raises(UserError, match=r"^--max_megabytes is nan"):
        Limits(megabytes=float("nan"))
    with pytest.raises(UserError, match=r"a\.mp4 is 1:40 minutes long: this page takes up to 1:30"):
        Limits(seconds=90).refuse_long(Path("a.mp4"), 100)
    Limits(seconds=90).refuse_long(Path("a.mp4"), 90)
