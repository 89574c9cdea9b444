"""Which detector is found: a file brought along, one downloaded, or the cascade."""

import hashlib
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from emorec.data.faces import detector_file as face_detector_file
from emorec.data.faces.detector import FaceDetector
from emorec.data.faces.detector_file import YUNET_ADDRESSES
from emorec.data.faces.detector import YUNET_NAME, find_detector
from emorec.errors import UserError
from tests.yunet_stand_in import stand_in_onnx

ONNX = stand_in_onnx()


class Server(ThreadingHTTPServer):
    """Serves what stands in `files`, a content for each path, and remembers what was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def own_machine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    server: Server,
    caplog: pytest.LogCaptureFixture,
) -> Path:
    """A machine without YuNet's file, on which its two addresses lead to the server; the folder for it."""
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EMOREC_FACE_DETECTOR", raising=False)
    addresses = server.address("/first/yunet.onnx"), server.address("/second/yunet.onnx")
    monkeypatch.setattr(face_detector_file, "YUNET_ADDRESSES", addresses)
    caplog.set_level(logging.WARNING)
    return tmp_path / "cache" / "models"


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in is the release."""
    monkeypatch.setattr(face_detector_file, "YUNET_SHA256", hashlib.sha256(ONNX).hexdigest())


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    addresses = (f"http://127.0.0.1:{port}/yunet.onnx", f"http://localhost:{port}/yunet.onnx")
    monkeypatch.setattr(face_detector_file, "YUNET_ADDRESSES", addresses)


def test_the_release_is_pinned_by_its_hash_and_comes_from_two_places() -> None:
    assert len(face_detector_file.YUNET_SHA256) == 64
    assert all(address.endswith(f"/{YUNET_NAME}") for address in YUNET_ADDRESSES)
    assert len({address.split("/")[2] for address in YUNET_ADDRESSES}) == 2


@pytest.mark.parametrize("wanted", ["auto", "yunet"])
def test_yunet_is_downloaded_once_and_opens(
    wanted: str, server: Server, own_machine: Path, released: None
) -> None:
    server.files["/first/yunet.onnx"] = ONNX
    found = find_detector(wanted)
    assert Path(found) == own_machine / YUNET_NAME
    assert Path(found).read_bytes() == ONNX
    assert FaceDetector(found).version.startswith("yunet ")
    server.asked.clear()
    assert find_detector(wanted) == found
    assert server.asked == [], "what is here is not asked for again"


def test_the_second_address_serves_when_the_first_has_lost_the_file(
    server: Server, released: None
) -> None:
    server.files["/second/yunet.onnx"] = ONNX
    assert Path(find_detector("yunet")).read_bytes() == ONNX


def test_the_second_address_serves_when_the_first_gives_another_file(
    server: Server, released: None, own_machine: Path
) -> None:
    server.files = {"/first/yunet.onnx": ONNX[:-1] + b"x", "/second/yunet.onnx": ONNX}
    assert Path(find_detector("yunet")).read_bytes() == ONNX
    assert [path.name for path in own_machine.iterdir()] == [YUNET_NAME]


def test_a_file_with_another_hash_is_refused_in_one_line_and_not_kept(
    server: Server, own_machine: Path
) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\n"
    server.files = {"/first/yunet.onnx": pointer, "/second/yunet.onnx": ONNX}
    with pytest.raises(UserError, match="expected sha256") as refusal:
        find_detector("yunet")
    assert "\n" not in str(refusal.value)
    assert hashlib.sha256(ONNX).hexdigest() in str(refusal.value)
    assert list(own_machine.glob("*.onnx*")) == []


def test_a_file_altered_on_the_disk_is_downloaded_anew(
    server: Server, own_machine: Path, released: None
) -> None:
    server.files["/first/yunet.onnx"] = ONNX
    own_machine.mkdir(parents=True)
    (own_machine / YUNET_NAME).write_bytes(ONNX[:-1] + b"x")
    assert Path(find_detector("auto")).read_bytes() == ONNX


def test_without_a_network_auto_is_the_cascade_and_says_so_once(
    offline: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert [find_detector("auto") for _ in range(3)] == ["haar"] * 3
    (warning,) = caplog.messages
    assert "cascade instead of YuNet" in warning
    assert "EMOREC_FACE_DETECTOR" in warning
    assert "\n" not in warning


def test_a_process_that_began_with_the_cascade_goes_on_with_it(
    offline: None, own_machine: Path, released: None
) -> None:
    assert find_detector("auto") == "haar"
    own_machine.mkdir(parents=True)
    (own_machine / YUNET_NAME).write_bytes(ONNX)
    assert find_detector("auto") == "haar"
    assert find_detector("yunet") == str(own_machine / YUNET_NAME)


def test_without_a_network_yunet_is_refused_and_the_way_out_is_named(
    offline: None, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UserError, match=r"can't download YuNet .*choose haar$"):
        find_detector("yunet")
    assert caplog.messages == []


def test_the_cascade_never_asks_the_network(server: Server) -> None:
    assert find_detector("haar") == "haar"
    assert server.asked == []


@pytest.mark.parametrize("wanted", ["auto", "yunet"])
def test_a_file_that_the_environment_names_is_used_instead_of_the_release(
    wanted: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.onnx").write_bytes(ONNX)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOREC_FACE_DETECTOR", "mine.onnx")
    assert find_detector(wanted) == str(tmp_path / "mine.onnx")
    assert find_detector("haar") == "haar"
    assert server.asked == []


def test_a_file_that_is_asked_for_goes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.onnx").write_bytes(ONNX)
    monkeypatch.setenv("EMOREC_FACE_DETECTOR", str(tmp_path / "nowhere.onnx"))
    assert find_detector(str(tmp_path / "mine.onnx")) == str(tmp_path / "mine.onnx")


def test_what_was_found_is_found_again_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(ONNX)
    found = find_detector(str(tmp_path / "mine.onnx"))
    assert find_detector(found) == found


@pytest.mark.parametrize("wanted", ["auto", "yunet"])
def test_a_file_that_the_environment_names_has_to_be_there(
    wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOREC_FACE_DETECTOR", "nowhere.onnx")
    with pytest.raises(UserError, match=r"EMOREC_FACE_DETECTOR is 'nowhere\.onnx'.*no such file"):
        find_detector(wanted)


@pytest.mark.parametrize("wanted", ["yunett", "YuNet", "mtcnn", "", "models/"])
def test_a_name_that_is_no_detector_and_no_file_is_refused(wanted: str) -> None:
    with pytest.raises(UserError, match="choose auto, yunet, haar or a file"):
        find_detector(wanted)


def test_another_file_is_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"something else")
    with pytest.raises(UserError, match="not a YuNet network"):
        find_detector(str(tmp_path / "mine.onnx"))


def test_a_folder_that_cant_be_written_to_leaves_the_cascade(
    server: Server, released: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.files["/first/yunet.onnx"] = ONNX
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert find_detector("auto") == "haar"
    assert "cascade instead of YuNet" in caplog.text


def test_two_processes_may_download_at_once(
    server: Server, own_machine: Path, released: None
) -> None:
    server.files["/first/yunet.onnx"] = ONNX
    code = (
        "from emorec.data.faces import detector_file as file\n"
        f"file.YUNET_ADDRESSES = ({server.address('/first/yunet.onnx')!r},)\n"
        f"file.YUNET_SHA256 = {hashlib.sha256(ONNX).hexdigest()!r}\n"
        "print(file.find_detector('yunet'))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert said == [str(own_machine / YUNET_NAME)] * 2
    assert [path.name for path in own_machine.iterdir()] == [YUNET_NAME]
