"""The face detector, its file, the face box of a clip, the area around it, and the crop."""

import hashlib
import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from emorec.data import faces
from emorec.data.faces import (
    MARGIN,
    MIN_SHARE,
    YUNET_NAME,
    YUNET_SIDE,
    YUNET_URLS,
    Box,
    ClipFace,
    CropArea,
    FaceDetector,
    clip_box,
    crop,
    crop_area,
    find_detector,
    iou,
)
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.synthetic.clips import draw_clip
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.video.reader import Frames, decode, linspace_indices
from emorec.errors import UserError
from emorec.image_size import CROP_SHARE, Size
from tests.yunet_stand_in import stand_in_onnx
from tests.zenodo_server import ZenodoServer, zenodo


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "Gesichter ü.onnx"
    path.write_bytes(stand_in_onnx())
    return path


def black_frame(height: int, width: int) -> Frames:
    return np.zeros((height, width, 3), dtype=np.uint8)


def synthetic_frames(actor: int, pixels: int = 160) -> Frames:
    return draw_clip(
        RavdessName.parse(f"01-01-04-01-01-01-{actor:02d}"),
        ClipSettings(width=pixels, height=pixels, num_frames=3, sound=False),
    )


def test_yunet_boxes_are_in_pixels_of_the_frame(stand_in: Path) -> None:
    frame = black_frame(176, 320)
    frame[64:72, 128:136, 0] = 255  # a cell of 8: a face of 24 by 32 around it
    box = FaceDetector(stand_in)(frame)
    assert box is not None
    assert astuple(box) == pytest.approx((120, 52, 24, 32), abs=1e-3)


@pytest.mark.parametrize(("height", "width"), [(528, 960), (960, 528), (359, 641), (1125, 2000)])
def test_large_frames_are_downscaled_and_the_box_is_scaled_back(
    stand_in: Path, height: int, width: int
) -> None:
    frame = black_frame(height, width)
    scale = max(height, width) / YUNET_SIDE
    top, left, cell = round(64 * scale), round(128 * scale), round(8 * scale)
    frame[top : top + cell, left : left + cell, 0] = 255
    box = FaceDetector(stand_in)(frame)
    assert box is not None
    assert astuple(box) == pytest.approx(
        (120 * scale, 52 * scale, 24 * scale, 32 * scale), rel=0.02
    )


def test_yunet_receives_bgr_frames(stand_in: Path) -> None:
    blue = black_frame(176, 320)
    blue[64:72, 128:136, 2] = 255
    assert FaceDetector(stand_in)(blue) is None


def test_the_largest_face_is_returned_even_if_a_smaller_one_scores_higher(stand_in: Path) -> None:
    frame = black_frame(176, 320)
    frame[8:16, 8:16, 0] = 255
    frame[96:112, 160:176, 0] = 220  # a cell of 16, less red
    box = FaceDetector(stand_in)(frame)
    assert box is not None
    assert astuple(box) == pytest.approx((144, 72, 48, 64), abs=1e-3)


def test_a_face_below_the_score_threshold_is_ignored(stand_in: Path) -> None:
    detect = FaceDetector(stand_in)
    frame = black_frame(176, 320)
    frame[64:72, 128:136, 0] = round(0.69 * 255)
    assert detect(frame) is None
    frame[64:72, 128:136, 0] = round(0.71 * 255)
    assert detect(frame) is not None


def test_the_version_is_the_digest_of_the_file(stand_in: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(stand_in.read_bytes()).hexdigest()
    assert FaceDetector(stand_in).version == f"yunet {digest[:8]}"
    moved = tmp_path / "moved.onnx"
    moved.write_bytes(stand_in.read_bytes())
    assert FaceDetector(str(moved)).version == f"yunet {digest[:8]}"


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (500, 2), (31, 33), (224, 400)], ids=str)
def test_frames_of_any_size_without_a_face_return_none(
    stand_in: Path, size: tuple[int, int]
) -> None:
    assert FaceDetector(stand_in)(black_frame(*size)) is None


def test_frames_are_not_changed(stand_in: Path) -> None:
    frame = synthetic_frames(4)[0]
    original = frame.copy()
    FaceDetector(stand_in)(frame)
    np.testing.assert_array_equal(frame, original)


def test_detections_do_not_depend_on_previous_frames(stand_in: Path) -> None:
    face_frame = black_frame(176, 320)
    face_frame[64:72, 128:136, 0] = 255
    frames = [face_frame, *synthetic_frames(2), black_frame(90, 160), face_frame]
    detect = FaceDetector(stand_in)
    boxes = [detect(frame) for frame in frames]
    assert boxes == [FaceDetector(stand_in)(frame) for frame in frames]
    assert boxes[0] == boxes[-1] is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a network",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:8f23\nsize 232589\n",
        stand_in_onnx()[:-1000],
        stand_in_onnx().replace(b"kps_32", b"pks_32"),
    ],
    ids=["empty", "text", "pointer", "cut off", "another network"],
)
def test_a_file_of_another_kind_is_refused_in_one_line(
    content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "detector.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"detector\.onnx: not a YuNet network") as error:
        FaceDetector(path)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", ""), "OpenCV prints what we say ourselves"


@pytest.mark.parametrize("missing", ["nowhere.onnx", "."])
def test_a_file_that_cant_be_read_is_named(missing: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read"):
        FaceDetector(str(tmp_path / missing))


def test_a_detector_can_not_be_pickled(stand_in: Path) -> None:
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(FaceDetector(stand_in))


def test_importing_the_detector_imports_neither_torch_nor_requests_nor_scipy() -> None:
    code = (
        "import sys, json; import emorec.data.faces; "
        "print(json.dumps([name for name in ('torch', 'requests', 'scipy') if name in sys.modules]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []


def astuple(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.width, box.height


def test_all_faces_above_the_threshold_are_returned(stand_in: Path) -> None:
    frame = black_frame(176, 320)
    frame[24:32, 24:32, 0] = frame[64:72, 128:136, 0] = 255
    frame[120:128, 240:248, 0] = 100
    detect = FaceDetector(stand_in)
    boxes = sorted(map(astuple, detect.all_faces(frame)))
    np.testing.assert_allclose(boxes, [(16, 12, 24, 32), (120, 52, 24, 32)], atol=1e-3)
    assert detect.all_faces(black_frame(176, 320)) == []


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
    monkeypatch.setattr(faces, "YUNET_SHA256", DIGEST)
    monkeypatch.setattr(faces, "YUNET_BYTES", len(ONNX))
    with zenodo({}) as running:
        urls = (running.url("first"), running.url("second"))
        monkeypatch.setattr(faces, "YUNET_URLS", urls)
        yield running


def test_the_release_is_pinned_by_its_hash_and_has_two_urls() -> None:
    assert len(faces.YUNET_SHA256) == 64
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
    monkeypatch.setattr(faces, "YUNET_URLS", ("http://127.0.0.1:1/yunet.onnx",))
    with pytest.raises(UserError) as error:
        find_detector(name)
    message = str(error.value)
    assert "\n" not in message
    assert f"download http://127.0.0.1:1/yunet.onnx to {models / YUNET_NAME}" in message
    assert "EMOREC_FACE_DETECTOR" in message
    assert "Connection refused" in message
    models.mkdir(parents=True, exist_ok=True)
    (models / YUNET_NAME).write_bytes(ONNX)
    monkeypatch.setattr(faces, "YUNET_SHA256", DIGEST)
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
        "from emorec.data import faces\n"
        f"faces.YUNET_URLS = ({server.url('first')!r},)\n"
        f"faces.YUNET_SHA256 = {DIGEST!r}\n"
        f"faces.YUNET_BYTES = {len(ONNX)}\n"
        "print(faces.find_detector())"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    paths = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert paths == [str(models / YUNET_NAME)] * 2
    assert (models / YUNET_NAME).read_bytes() == ONNX
    assert [name for name, _ in server.requests] == ["first"]


FACE_BOX = Box(100, 40, 60, 80)


def frames(num_frames: int) -> Frames:
    return np.zeros((num_frames, 8, 8, 3), dtype=np.uint8)


def detector_of(boxes: Iterable[Box | None]) -> Callable[[Frames], Box | None]:
    """Return a detector that returns the boxes one after another."""
    remaining = iter(boxes)
    return lambda frame: next(remaining)


def test_a_clips_box_is_the_median_of_centre_and_size() -> None:
    boxes = [Box(10, 20, 40, 50), Box(12, 20, 44, 50), Box(20, 30, 30, 70)]
    # centres (30, 45), (34, 45), (35, 65): median (34, 45); sizes: median 40 by 50
    assert clip_box(frames(3), detector_of(boxes)) == ClipFace(Box(14, 20, 40, 50), 3)


def test_a_clip_of_one_frame_has_that_frames_box() -> None:
    assert clip_box(frames(1), detector_of([FACE_BOX])) == ClipFace(FACE_BOX, 1)


def test_a_clip_without_a_face_has_no_box() -> None:
    assert clip_box(frames(4), detector_of([None] * 4)) == ClipFace(None, 0)


@pytest.mark.parametrize("outlier", [Box(-900, 0, 20, 30), Box(0, 0, 4000, 3000), None])
def test_one_wrong_or_missing_box_has_no_effect(outlier: Box | None) -> None:
    steady = clip_box(frames(6), detector_of([FACE_BOX] * 6)).box
    for position in range(6):
        frame_boxes: list[Box | None] = [FACE_BOX] * 6
        frame_boxes[position] = outlier
        assert clip_box(frames(6), detector_of(frame_boxes)) == ClipFace(steady, 5)


@pytest.mark.parametrize("order", [[0, 1, 0, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 1, 1]])
def test_of_two_faces_the_more_frequent_one_is_selected_and_not_their_mean(
    order: list[int],
) -> None:
    faces = [FACE_BOX, Box(500, 40, 70, 90)]
    assert clip_box(frames(5), detector_of(faces[index] for index in order)) == ClipFace(
        FACE_BOX, 3
    )


def test_a_face_must_be_detected_in_half_of_the_frames() -> None:
    assert MIN_SHARE == 0.5
    half = clip_box(frames(10), detector_of([FACE_BOX] * 5 + [None] * 5))
    fewer = clip_box(frames(10), detector_of([FACE_BOX] * 4 + [None] * 6))
    assert half == ClipFace(FACE_BOX, 5)
    assert fewer == ClipFace(None, 4)


def test_scattered_boxes_are_not_a_face() -> None:
    scattered = [Box(100.0 * index, 0, 50, 50) for index in range(10)]
    assert clip_box(frames(10), detector_of(scattered)) == ClipFace(None, 1)


def test_a_moving_face_is_one_face() -> None:
    moving_boxes = [Box(100 + 4 * index, 40 + 3 * index, 60, 80) for index in range(9)]
    assert clip_box(frames(9), detector_of(moving_boxes)) == ClipFace(Box(116, 52, 60, 80), 9)


def test_iou_is_one_for_the_same_box_and_zero_for_boxes_that_only_touch() -> None:
    assert iou(FACE_BOX, FACE_BOX) == 1
    assert iou(Box(0, 0, 10, 10), Box(10, 0, 10, 10)) == 0
    assert iou(Box(0, 0, 10, 10), Box(30, 30, 10, 10)) == 0
    assert iou(Box(0, 0, 10, 10), Box(2, 2, 5, 4)) == 0.2
    assert iou(Box(5, 5, 0, 0), Box(5, 5, 0, 0)) == 0


@pytest.mark.parametrize("height", [1.0, 17.3, 110.0, 371.9])
@pytest.mark.parametrize("margin", [0.0, MARGIN, 0.4])
@pytest.mark.parametrize("shape", [(1, 1), (60, 100), (100, 60)])
def test_the_central_crop_of_the_area_is_the_face_and_its_margin(
    height: float, margin: float, shape: Size
) -> None:
    box = Box(33.3, 20.8, 0.7 * height, height)
    area = crop_area(box, shape, margin)
    shorter = min(area.height, area.width)
    assert shorter * CROP_SHARE == pytest.approx(height * (1 + 2 * margin), abs=0.5)
    assert area.height * shape[1] == pytest.approx(area.width * shape[0], abs=max(shape))
    assert area.left + area.width / 2 == pytest.approx(33.3 + 0.35 * height, abs=0.5)
    assert area.top + area.height / 2 == pytest.approx(20.8 + 0.5 * height, abs=0.5)


def test_the_area_fits_a_head_on_its_side() -> None:
    upright, sideways = (crop_area(box, (1, 1)) for box in (Box(0, 0, 70, 100), Box(0, 0, 100, 70)))
    assert (upright.height, upright.width) == (sideways.height, sideways.width)


def test_an_area_within_the_frame_is_cropped_unchanged() -> None:
    clip = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    cropped = crop(clip, CropArea(left=4, top=2, height=15, width=9))
    np.testing.assert_array_equal(cropped, clip[:, 2:17, 4:13])
    assert not np.shares_memory(cropped, clip), "a whole clip would stay in memory for its face"


@pytest.mark.parametrize(
    "area",
    [
        CropArea(left=-7, top=3, height=12, width=12),
        CropArea(left=25, top=3, height=12, width=12),
        CropArea(left=5, top=-6, height=12, width=12),
        CropArea(left=5, top=15, height=12, width=12),
        CropArea(left=-9, top=-4, height=60, width=45),
        CropArea(left=29, top=19, height=5, width=5),
        CropArea(left=-5, top=-5, height=5, width=5),
        CropArea(left=40, top=-30, height=9, width=9),
        CropArea(left=0, top=0, height=1, width=1),
    ],
    ids=str,
)
def test_border_pixels_are_repeated_outside_the_frame(area: CropArea) -> None:
    clip = np.random.default_rng(1).integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    padded = [cv2.copyMakeBorder(frame, 100, 100, 100, 100, cv2.BORDER_REPLICATE) for frame in clip]
    top, left = area.top + 100, area.left + 100
    expected = np.stack(padded)[:, top : top + area.height, left : left + area.width]
    np.testing.assert_array_equal(crop(clip, area), expected)


@pytest.mark.real
def test_faces_of_real_clips_are_in_the_middle_of_the_frame(ravdess_root: Path) -> None:
    try:
        detect = FaceDetector(find_detector())
    except UserError as error:
        pytest.skip(str(error))
    clips = sorted(ravdess_root.glob("Actor_*/01-01-0[1358]-*.mp4"))[::40]
    assert clips
    for clip in clips:
        frames = decode(clip, partial(linspace_indices, num_frames=6)).frames
        face = clip_box(frames, detect)
        assert face.box is not None, clip
        assert face.found >= 5, clip
        height, width = frames.shape[1:3]
        # head and shoulders in the middle of the picture
        assert 0.45 * height <= face.box.height <= 0.85 * height, clip
        assert abs(face.box.left + face.box.width / 2 - width / 2) <= 0.15 * width, clip
