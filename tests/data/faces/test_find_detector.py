"""The file of YuNet: the user's own, or the release, which is downloaded once."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emorec.data.faces import detector
from emorec.data.faces.detector import YUNET_NAME, YUNET_URLS, FaceDetector, find_detector
from emorec.errors import UserError
from tests.yunet_stand_in import stand_in_onnx
from tests.zenodo_server import ZenodoServer, zenodo

ONNX = stand_in_onnx()
DIGEST = hashlib.sha256(ONNX).hexdigest()


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of YuNet's file in an empty cache."""
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EMOREC_FACE_DETECTOR", raising=False)
    return tmp_path / "cache" / "models"


@pytest.fixture
def server(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZenodoServer]:
    """Server for both URLs of YuNet, with the stand-in as the release."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(detector, "YUNET_SHA256", DIGEST)
    monkeypatch.setattr(detector, "YUNET_BYTES", len(ONNX))
    with zenodo({}) as running:
        urls = (running.url("first"), running.url("second"))
        monkeypatch.setattr(detector, "YUNET_URLS", urls)
        yield running


def test_the_release_is_pinned_by_its_hash_and_has_two_urls() -> None:
    assert len(detector.YUNET_SHA256) == 64
    assert all(url.endswith(f"/{YUNET_NAME}") for url in YUNET_URLS)
    assert len({url.split("/")[2] for url in YUNET_URLS}) == 2


@pytest.mark.parametrize("name", ["auto", "yunet"])
def test_yunet_is_downloaded_once(name: str, server: ZenodoServer, models: Path) -> None:
    server.files["first"] = ONNX
    path = find_detector(name)
    assert Path(path) == models / YUNET_NAME
    assert Path(path).read_bytes() == ONNX
    assert FaceDetector(path).version.startswith("yunet ")
    server.requests.clear()
    assert find_detector(name) == path
    assert server.requests == []


@pytest.mark.parametrize(
    "first",
    [None, ONNX[:-1] + b"x", b"version https://git-lfs.github.com/spec/v1\n"],
    ids=["no file", "another file", "a pointer"],
)
def test_the_second_url_is_used_if_the_first_has_no_valid_file(
    server: ZenodoServer, models: Path, first: bytes | None
) -> None:
    server.files = {"second": ONNX} if first is None else {"first": first, "second": ONNX}
    assert Path(find_detector()).read_bytes() == ONNX
    assert [path.name for path in models.glob("[!.]*")] == [YUNET_NAME]


def test_an_altered_file_is_downloaded_again(server: ZenodoServer, models: Path) -> None:
    server.files["first"] = ONNX
    models.mkdir(parents=True)
    (models / YUNET_NAME).write_bytes(ONNX[:-1] + b"x")
    assert Path(find_detector()).read_bytes() == ONNX


@pytest.mark.parametrize("name", ["auto", "yunet"])
def test_without_a_network_the_error_names_the_url_and_the_folder(
    name: str, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(detector, "YUNET_URLS", ("http://127.0.0.1:1/yunet.onnx",))
    with pytest.raises(UserError) as error:
        find_detector(name)
    message = str(error.value)
    assert "\n" not in message
    assert f"download http://127.0.0.1:1/yunet.onnx to {models / YUNET_NAME}" in message
    assert "EMOREC_FACE_DETECTOR" in message
    assert "Connection refused" in message
    models.mkdir(parents=True, exist_ok=True)
    (models / YUNET_NAME).write_bytes(ONNX)
    monkeypatch.setattr(detector, "YUNET_SHA256", DIGEST)
    assert find_detector(name) == str(models / YUNET_NAME)


@pytest.mark.parametrize("name", ["auto", "yunet"])
def test_a_file_named_by_the_environment_is_used_instead_of_the_release(
    name: str, server: ZenodoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.onnx").write_bytes(ONNX)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOREC_FACE_DETECTOR", "mine.onnx")
    assert find_detector(name) == str(tmp_path / "mine.onnx")
    assert server.requests == []


def test_a_named_file_takes_precedence_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.onnx").write_bytes(ONNX)
    monkeypatch.setenv("EMOREC_FACE_DETECTOR", str(tmp_path / "nowhere.onnx"))
    assert find_detector(str(tmp_path / "mine.onnx")) == str(tmp_path / "mine.onnx")


def test_a_missing_file_in_the_environment_is_refused(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOREC_FACE_DETECTOR", "nowhere.onnx")
    with pytest.raises(UserError, match=r"EMOREC_FACE_DETECTOR is 'nowhere.onnx': no such file"):
        find_detector()


@pytest.mark.parametrize("name", ["haar", "YuNet", "mtcnn", "", "models/"])
def test_an_unknown_detector_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"'{name}'.*choose yunet or a file of YuNet"):
        find_detector(name)


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"something else")
    with pytest.raises(UserError, match="not a YuNet network"):
        find_detector(str(tmp_path / "mine.onnx"))


def test_a_cache_that_cant_be_written_to_is_one_line(server: ZenodoServer, tmp_path: Path) -> None:
    server.files["first"] = ONNX
    (tmp_path / "cache").write_text("a file in place of the folder")
    with pytest.raises(UserError, match=r"can't use .*cache"):
        find_detector()


def test_two_processes_may_download_at_once(server: ZenodoServer, models: Path) -> None:
    server.files["first"] = ONNX
    code = (
        "from emorec.data.faces import detector\n"
        f"detector.YUNET_URLS = ({server.url('first')!r},)\n"
        f"detector.YUNET_SHA256 = {DIGEST!r}\n"
        f"detector.YUNET_BYTES = {len(ONNX)}\n"
        "print(detector.find_detector())"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    paths = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert paths == [str(models / YUNET_NAME)] * 2
    assert (models / YUNET_NAME).read_bytes() == ONNX
    assert [name for name, _ in server.requests] == ["first"]
