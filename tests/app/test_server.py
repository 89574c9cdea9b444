"""The page as programs see it: two at once, what it takes, what it refuses, and how it ends."""

import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from emorec.app.server import bind
from emorec.app.sessions import PREFIX
from emorec.errors import UserError
from tests.app.fakes import files_below
from tests.app.serving import ROOT, Page, answer, ask, send, serving, soon

pytest.importorskip("gradio")

REFUSED = "only uploaded videos are predicted"
RESULT = ["annotated.mp4", "timeline.csv", "timeline.png"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with serving(tmp_path_factory.mktemp("page")) as page:
        yield page
        assert page.end(signal.SIGTERM) == (0, "stopped")
    assert list(page.folder.glob(f"{PREFIX}*")) == []


def kept(page: Page) -> list[str]:
    """Files of visitors that lie there."""
    [folder] = page.folder.glob(f"{PREFIX}*")
    return files_below(folder)


def come_and_go(page: Page, session: str) -> None:
    """What a browser does as long as its page is open, until it is closed."""
    address = f"{page.address}/gradio_api/heartbeat/{session}"
    requests.get(address, stream=True, timeout=10).close()


def test_an_upload_goes_when_it_is_answered_and_the_result_when_its_visitor_goes(
    page: Page,
) -> None:
    html, video = answer(page.address, send(page.address, b"film"), "ann")
    assert "happy" in html
    assert kept(page) == RESULT
    had = requests.get(video, timeout=5)
    assert (had.status_code, had.content) == (200, b"film")
    assert had.headers["Cache-Control"] == "no-store"
    come_and_go(page, "ann")
    assert soon(lambda: kept(page) == [])
    assert requests.get(video, timeout=5).status_code in (403, 404)


def test_two_at_once_are_answered_one_after_the_other(page: Page) -> None:
    paths = [send(page.address, content) for content in (b"slow film", b"slow one")]
    page.log.write_text("")
    with ThreadPoolExecutor(2) as pool:
        (_, one), (_, other) = pool.map(answer, [page.address] * 2, paths, ["bo", "cem"])
    assert one != other
    assert re.findall("begin|end", page.log.read_text()) == ["begin", "end"] * 2
    assert kept(page) == sorted(RESULT * 2)
    for session in ("bo", "cem"):
        come_and_go(page, session)
    assert soon(lambda: kept(page) == [])


def test_after_broken_files_the_next_one_is_answered(page: Page) -> None:
    broken, _ = answer(page.address, send(page.address, b"broken", "broken.mp4"), "dea")
    assert "broken.mp4: not a video." in broken
    crash, _ = answer(page.address, send(page.address, b"crash", "crash.mp4"), "dea")
    assert "Internal error" in crash
    assert "Traceback" not in crash
    assert kept(page) == []
    _, video = answer(page.address, send(page.address, b"film"), "dea")
    assert video
    come_and_go(page, "dea")
    assert soon(lambda: kept(page) == [])


def test_a_video_that_is_too_large_is_not_stored(page: Page) -> None:
    said = requests.post(
        f"{page.address}/gradio_api/upload", files={"files": ("a.mp4", b"0" * 1_200_000)}, timeout=9
    )
    assert said.status_code == 413
    assert kept(page) == []


def test_files_of_this_machine_are_neither_read_nor_served(page: Page, tmp_path: Path) -> None:
    mine = tmp_path / "mine.mp4"
    mine.write_bytes(b"film")
    beside = page.folder / "log.txt"
    for path in (mine, beside, ROOT / "pyproject.toml"):
        assert answer(page.address, str(path), "eve")[0].startswith("error ")
        got = requests.get(f"{page.address}/gradio_api/file={path}", timeout=5)
        assert got.status_code in (403, 404)
    assert mine.exists()
    assert kept(page) == []


def test_the_server_downloads_no_address_that_a_client_names(page: Page) -> None:
    assert REFUSED in answer(page.address, f"{page.address}/theme.css", "eve")[0]
    assert kept(page) == []


def test_addresses_that_the_page_does_not_need_lead_nowhere(page: Page) -> None:
    for path in ("/gradio_api/file=/etc/passwd", "/monitoring"):
        assert requests.get(page.address + path, timeout=5).status_code in (403, 404)
    recording = f"{page.address}/gradio_api/process_recording"
    assert requests.post(recording, timeout=5).status_code == 404


def test_the_page_asks_browsers_for_nothing_from_elsewhere(page: Page) -> None:
    got = requests.get(page.address, timeout=10)
    asked = r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(?:https?:)?//[^>]*"
    assert re.findall(asked, got.text) == []
    policy = got.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "http" not in policy


def test_the_page_describes_the_network_and_refused_uses(page: Page) -> None:
    shown = requests.get(f"{page.address}/config", timeout=10).text
    for words in ("RAVDESS", "24 professional actors", "CC BY-NC-SA", "hiring", "2024/1689"):
        assert words in shown
    assert "Videos of up to 1 MB and 5:00 minutes" in shown


def test_another_name_for_this_machine_leads_nowhere(page: Page) -> None:
    port = page.address.rpartition(":")[2]
    for name, code in (("evil.example", 400), ("localhost", 200), ("127.0.0.1", 200)):
        got = requests.get(page.address, headers={"Host": f"{name}:{port}"}, timeout=10)
        assert got.status_code == code


def test_a_port_that_is_taken_and_an_address_that_is_none_are_one_line() -> None:
    taken = bind("127.0.0.1", 0)
    assert taken.getsockname()[0] == "127.0.0.1"
    taken.listen()
    with pytest.raises(UserError, match=r"can't serve at 127\.0\.0\.1:.*choose another --port"):
        bind("127.0.0.1", taken.getsockname()[1])
    taken.close()
    for host, port in (("198.51.100.1", 0), ("127.0.0.1", 99_999)):
        with pytest.raises(UserError):
            bind(host, port)


def test_ctrl_c_ends_it_in_the_middle_of_an_answer_and_leaves_no_file(tmp_path: Path) -> None:
    with serving(tmp_path) as page:
        ask(page.address, send(page.address, b"endless film"), "ann")
        assert soon(lambda: kept(page) == ["a.mp4", "timeline.csv"])
        assert page.end(signal.SIGINT) == (0, "stopped")
    assert list(tmp_path.glob(f"{PREFIX}*")) == []
    assert "Traceback" not in page.log.read_text()
