"""The HTTP server: concurrent requests, accepted and refused uploads, shutdown."""

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
from tests.app.serving import ROOT, Page, answer, eventually, send, serving, start_prediction

pytest.importorskip("gradio")

REFUSED = "only uploaded videos are predicted"
RESULT = ["annotated.mp4", "timeline.csv", "timeline.png"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with serving(tmp_path_factory.mktemp("page")) as page:
        yield page
        assert page.end(signal.SIGTERM) == (0, "stopped")
    assert list(page.folder.glob(f"{PREFIX}*")) == []


def stored_files(page: Page) -> list[str]:
    """Names of the visitors' files on the server."""
    [folder] = page.folder.glob(f"{PREFIX}*")
    return files_below(folder)


def visit_and_leave(page: Page, session: str) -> None:
    """Open and close the heartbeat connection of a browser."""
    address = f"{page.address}/gradio_api/heartbeat/{session}"
    requests.get(address, stream=True, timeout=10).close()


def test_an_upload_is_deleted_after_its_prediction_and_the_result_after_the_visit(
    page: Page,
) -> None:
    html, video = answer(page.address, send(page.address, b"film"), "ann")
    assert "happy" in html
    assert stored_files(page) == RESULT
    had = requests.get(video, timeout=5)
    assert (had.status_code, had.content) == (200, b"film")
    assert had.headers["Cache-Control"] == "no-store"
    visit_and_leave(page, "ann")
    assert eventually(lambda: stored_files(page) == [])
    assert requests.get(video, timeout=5).status_code in (403, 404)


def test_simultaneous_requests_are_predicted_one_after_the_other(page: Page) -> None:
    paths = [send(page.address, content) for content in (b"slow film", b"slow one")]
    page.log.write_text("")
    with ThreadPoolExecutor(2) as pool:
        (_, first), (_, second) = pool.map(answer, [page.address] * 2, paths, ["bo", "cem"])
    assert first != second
    assert re.findall("begin|end", page.log.read_text()) == ["begin", "end"] * 2
    assert stored_files(page) == sorted(RESULT * 2)
    for session in ("bo", "cem"):
        visit_and_leave(page, session)
    assert eventually(lambda: stored_files(page) == [])


def test_a_video_is_predicted_after_broken_ones(page: Page) -> None:
    broken, _ = answer(page.address, send(page.address, b"broken", "broken.mp4"), "dea")
    assert "broken.mp4: not a video." in broken
    crash, _ = answer(page.address, send(page.address, b"crash", "crash.mp4"), "dea")
    assert "Internal error" in crash
    assert "Traceback" not in crash
    assert stored_files(page) == []
    _, video = answer(page.address, send(page.address, b"film"), "dea")
    assert video
    visit_and_leave(page, "dea")
    assert eventually(lambda: stored_files(page) == [])


def test_a_video_that_is_too_large_is_not_stored(page: Page) -> None:
    response = requests.post(
        f"{page.address}/gradio_api/upload", files={"files": ("a.mp4", b"0" * 1_200_000)}, timeout=9
    )
    assert response.status_code == 413
    assert stored_files(page) == []


def test_local_files_are_neither_read_nor_served(page: Page, tmp_path: Path) -> None:
    local_file = tmp_path / "mine.mp4"
    local_file.write_bytes(b"film")
    log_file = page.folder / "log.txt"
    for path in (local_file, log_file, ROOT / "pyproject.toml"):
        assert answer(page.address, str(path), "eve")[0].startswith("error ")
        response = requests.get(f"{page.address}/gradio_api/file={path}", timeout=5)
        assert response.status_code in (403, 404)
    assert local_file.exists()
    assert stored_files(page) == []


def test_the_server_downloads_no_url_of_a_client(page: Page) -> None:
    assert REFUSED in answer(page.address, f"{page.address}/theme.css", "eve")[0]
    assert stored_files(page) == []


def test_unused_gradio_routes_are_not_found(page: Page) -> None:
    for path in ("/gradio_api/file=/etc/passwd", "/monitoring"):
        assert requests.get(page.address + path, timeout=5).status_code in (403, 404)
    recording = f"{page.address}/gradio_api/process_recording"
    assert requests.post(recording, timeout=5).status_code == 404


def test_the_page_loads_nothing_from_other_hosts(page: Page) -> None:
    response = requests.get(page.address, timeout=10)
    pattern = r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(?:https?:)?//[^>]*"
    assert re.findall(pattern, response.text) == []
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "http" not in policy


def test_the_page_describes_the_network_and_refused_uses(page: Page) -> None:
    config = requests.get(f"{page.address}/config", timeout=10).text
    for text in (
        "RAVDESS",
        "two sentences in North American English",
        "CC BY-NC-SA",
        "hiring",
        "2024/1689",
    ):
        assert text in config
    assert "Files of up to 1 MB and 5:00 minutes" in config


def test_a_foreign_host_name_is_refused(page: Page) -> None:
    port = page.address.rpartition(":")[2]
    for name, code in (("evil.example", 400), ("localhost", 200), ("127.0.0.1", 200)):
        response = requests.get(page.address, headers={"Host": f"{name}:{port}"}, timeout=10)
        assert response.status_code == code


def test_an_occupied_port_and_an_invalid_address_are_one_line_errors() -> None:
    listener = bind("127.0.0.1", 0)
    assert listener.getsockname()[0] == "127.0.0.1"
    listener.listen()
    with pytest.raises(UserError, match=r"can't serve at 127\.0\.0\.1:.*choose another --port"):
        bind("127.0.0.1", listener.getsockname()[1])
    listener.close()
    for host, port in (("198.51.100.1", 0), ("127.0.0.1", 99_999)):
        with pytest.raises(UserError):
            bind(host, port)


@pytest.mark.nightly
def test_ctrl_c_stops_a_running_prediction_and_leaves_no_file(tmp_path: Path) -> None:
    with serving(tmp_path) as page:
        start_prediction(page.address, send(page.address, b"endless film"), "ann")
        assert eventually(lambda: stored_files(page) == ["a.mp4", "timeline.csv"])
        assert page.end(signal.SIGINT) == (0, "stopped")
    assert list(tmp_path.glob(f"{PREFIX}*")) == []
    assert "Traceback" not in page.log.read_text()
