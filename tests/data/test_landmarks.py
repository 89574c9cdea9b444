"""Landmarks, blendshapes and pose of the face in each frame, and the stream of them in batches."""

import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from emorec import pretrained
from emorec.data import RavdessDataModule
from emorec.data.augment_landmarks import mirror
from emorec.data.cache.build import build_cache
from emorec.data.cache.workers import DecoderPool, decode_clip
from emorec.data.clip import Clip
from emorec.data.landmarks import (
    BLENDSHAPES,
    FACE,
    LEFT_EYE,
    NUM_LANDMARKS,
    RIGHT_EYE,
    FaceLandmarker,
    FaceTrack,
    LandmarkSpec,
    Points,
)
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.synthetic.clips import draw_clip, encode_mp4
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.video.reader import Frames, decode, linspace_indices
from emorec.errors import UserError

WIDTH = 256


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return FaceLandmarker()


@pytest.fixture(scope="module")
def drawn() -> Frames:
    name = RavdessName.parse("01-01-08-01-01-01-03")
    return draw_clip(name, ClipSettings(width=WIDTH, height=WIDTH, num_frames=4, sound=False))


@pytest.fixture(scope="module")
def track(landmarker: FaceLandmarker, drawn: Frames) -> FaceTrack:
    return landmarker(drawn)


def eye_distance(landmarks: Points) -> float:
    return float(np.linalg.norm(landmarks[RIGHT_EYE, :2] - landmarks[LEFT_EYE, :2]))


def turned(frames: Frames, degrees: float) -> tuple[Frames, npt.NDArray[np.float64]]:
    """Return frames turned clockwise about their middle, and the map of their pixels."""
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, WIDTH / 2), -degrees, 1)
    return np.stack([cv2.warpAffine(each, matrix, (WIDTH, WIDTH)) for each in frames]), matrix


def test_a_turned_picture_has_turned_landmarks_and_a_rolled_head(
    landmarker: FaceLandmarker, drawn: Frames, track: FaceTrack
) -> None:
    pictures, matrix = turned(drawn, 25)
    face, upright = landmarker(pictures)[0], track[0]
    expected = upright["landmarks"][:, :2] @ matrix[:, :2].T + matrix[:, 2]
    errors = np.linalg.norm(face["landmarks"][:, :2] - expected, axis=1)
    assert errors.mean() < 0.05 * eye_distance(upright["landmarks"])
    assert face["pose"][2] - upright["pose"][2] == pytest.approx(25, abs=3)
    assert face["pose"][:2] == pytest.approx(upright["pose"][:2], abs=5)


def test_landmarks_scale_with_the_picture_and_blendshapes_do_not(
    landmarker: FaceLandmarker, drawn: Frames, track: FaceTrack
) -> None:
    large = np.stack([cv2.resize(frame, (3 * WIDTH, 3 * WIDTH)) for frame in drawn[:1]])
    face = landmarker(large)[0]
    errors = np.linalg.norm(face["landmarks"] / 3 - track[0]["landmarks"], axis=1)
    assert errors.mean() < 0.05 * eye_distance(track[0]["landmarks"])
    assert np.abs(face["blendshapes"] - track[0]["blendshapes"]).mean() < 0.05


def test_frames_without_a_face_are_marked_and_get_the_nearest_values(
    landmarker: FaceLandmarker, drawn: Frames
) -> None:
    frames = drawn[[0, 0, 1]].copy()
    frames[1] = 127
    track = landmarker(frames)
    assert track["present"].tolist() == [True, False, True]
    assert (track["landmarks"][1] == track["landmarks"][0]).all()
    assert track["blendshapes"].shape == (3, len(BLENDSHAPES))


def test_a_picture_without_any_face_gives_zeros(landmarker: FaceLandmarker) -> None:
    track = landmarker(np.full((2, 90, 120, 3), 127, np.uint8))
    assert not track["present"].any()
    assert not track["landmarks"].any()


def test_of_two_faces_the_larger_one_is_followed(landmarker: FaceLandmarker, drawn: Frames) -> None:
    small = np.stack([cv2.resize(frame, (WIDTH // 2, WIDTH // 2)) for frame in drawn])
    beside = np.concatenate(
        [np.pad(small, ((0, 0), (0, WIDTH // 2), (0, 0), (0, 0)), mode="edge"), drawn], axis=2
    )
    # the larger one shrinks in the last frame, where both are as large
    beside[-1, :, WIDTH // 2 :] = 127
    beside[-1, : WIDTH // 2, WIDTH:] = small[-1, :, :]
    beside = np.ascontiguousarray(beside)
    track = landmarker(beside)
    assert (track["landmarks"][:-1, :, 0].mean(axis=1) > WIDTH // 2).all()


def test_the_pose_of_a_mirrored_picture_is_mirrored(
    landmarker: FaceLandmarker, drawn: Frames
) -> None:
    pictures, _ = turned(drawn[:1], 15)
    pose = landmarker(pictures)[0]["pose"]
    mirrored = landmarker(np.ascontiguousarray(pictures[:, :, ::-1]))[0]["pose"]
    assert mirrored == pytest.approx(pose * (-1, 1, -1), abs=4)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, drawn: Frames) -> Path:
    """Folder in the layout of RAVDESS: a clip of each of the test actors, that of actor 24 without a face."""
    root = tmp_path_factory.mktemp("clips")
    for actor, frames in ((23, drawn), (24, np.full_like(drawn, 127))):
        name = RavdessName.parse(f"01-01-08-01-01-01-{actor}")
        folder = root / f"Actor_{actor}"
        folder.mkdir()
        (folder / f"{name}.mp4").write_bytes(encode_mp4(frames, fps=30))
    return root


def landmark_data(clips: Path, cache: Path, *, frames: bool = False) -> RavdessDataModule:
    data = RavdessDataModule(
        root=str(clips),
        cache=str(cache),
        num_frames=3,
        frames=frames,
        face="align",
        landmarks=True,
        num_workers=0,
        allow_missing_actors=True,
    )
    data.setup("test")
    return data


def test_batches_hold_the_landmarks_from_the_cache(
    clips: Path, tmp_path: Path, track: FaceTrack
) -> None:
    data = landmark_data(clips, tmp_path)
    batch = next(iter(data.test_dataloader()))
    assert batch["landmarks"].shape == (2, 3, NUM_LANDMARKS, 3)
    assert batch["blendshapes"].shape == (2, 3, len(BLENDSHAPES))
    assert batch["pose"].shape == (2, 3, 3)
    assert batch["face_present"].tolist() == [[True] * 3, [False] * 3]
    assert batch["landmarks"].dtype == batch["blendshapes"].dtype == torch.float32
    # the video is compressed
    difference = batch["landmarks"][0, 0].numpy() - track["landmarks"][0]
    assert np.abs(difference).mean() < 0.05 * eye_distance(track["landmarks"][0])
    assert [clip.actor for clip in data.faceless] == [24]
    stored = list(tmp_path.glob("landmarks-3-*/*.npy"))
    assert len(stored) == 2
    assert np.load(stored[0]).dtype == FACE


def test_frames_and_landmarks_of_a_clip_are_decoded_once(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Any] = []
    results = DecoderPool.results

    def record(pool: DecoderPool, calls: Any) -> Any:
        decoded.extend(function for function, _ in calls.values() if function is decode_clip)
        return results(pool, calls)

    alone = landmark_data(clips, tmp_path / "alone")
    monkeypatch.setattr(DecoderPool, "results", record)
    both = landmark_data(clips, tmp_path / "both", frames=True)
    assert len(decoded) == 2
    assert [clip.actor for clip in both.faceless] == [24]
    for clip in both.subsets["test"]:
        assert both.read_frames(clip).shape == (3, 256, 256, 3)
        assert (both.read_landmarks(clip) == alone.read_landmarks(clip)).all()  # type: ignore[misc]


def test_augmented_landmarks_depend_on_epoch_and_clip(clips: Path, tmp_path: Path) -> None:
    data = landmark_data(clips, tmp_path)
    plain, augmented = (data.dataset(data.subsets["test"], augment=on) for on in (False, True))
    first, again, other = (augmented[key]["landmarks"] for key in ((1, 0), (1, 0), (2, 0)))  # type: ignore[index]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, plain[0]["landmarks"])
    assert first.shape == plain[0]["landmarks"].shape


def test_every_second_view_has_mirrored_landmarks(clips: Path, tmp_path: Path) -> None:
    data = landmark_data(clips, tmp_path)
    data.num_views = 2
    (batch,) = (data.on_after_batch_transfer(each, 0) for each in data.test_dataloader())
    stored = np.stack([data.read_landmarks(clip) for clip in data.subsets["test"]])  # type: ignore[misc]
    mirrored = np.stack([mirror(each) for each in stored])
    assert len(batch["views"]) == 2
    for name in ("landmarks", "blendshapes", "pose"):
        np.testing.assert_array_equal(batch[name], stored[name])
        np.testing.assert_array_equal(batch["mirrored"][name], mirrored[name])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"face_missing": "error"}, ("no face", "data.face_missing")),
        ({"cache": "none"}, ("data.landmarks", "data.cache")),
        ({"landmarks": False}, ("data.frames", "data.landmarks")),
    ],
)
def test_mistakes_are_told(
    clips: Path, tmp_path: Path, settings: dict[str, object], words: tuple[str, ...]
) -> None:
    usual = {"cache": str(tmp_path), "frames": False, "landmarks": True}
    with pytest.raises(UserError) as error:
        RavdessDataModule(
            root=str(clips), num_workers=1, allow_missing_actors=True, **{**usual, **settings}
        ).setup("test")
    assert all(word in str(error.value) for word in words)


def test_a_damaged_file_of_the_package_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(pretrained.weights_file(pretrained.FACE_LANDMARKER), tmp_path)
    with (tmp_path / pretrained.FACE_LANDMARKER).open("r+b") as file:
        file.write(b"damaged")
    monkeypatch.setattr(pretrained, "__file__", str(tmp_path / "__init__.py"))
    pretrained.weights_file.cache_clear()
    with pytest.raises(UserError, match="is damaged: install emorec again"):
        pretrained.weights_file(pretrained.FACE_LANDMARKER)
    with pytest.raises(UserError, match="is missing: install emorec again"):
        pretrained.weights_file(pretrained.YUNET)


def test_without_litert_landmarks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(UserError, match="pip install ai-edge-litert"):
        FaceLandmarker()


@pytest.mark.real
def test_landmarks_and_blendshapes_are_those_of_the_official_package(
    ravdess_root: Path, landmarker: FaceLandmarker
) -> None:
    """Within 1 % of the eye distance on the mean; blendshapes within 0.015 on the mean and 0.13 in 99 % of values."""
    reference = np.load(ravdess_root.parent / "reference" / "face_landmarker.npz")
    assert tuple(reference["blendshape_names"]) == BLENDSHAPES
    roots = {"original": ravdess_root.parent / "ravdess_original", "small": ravdess_root}
    distances, differences = [], []
    for name in sorted({key.rpartition("/")[0] for key in reference.files if "/" in key}):
        kind, stem = name.split("/")
        (path,) = roots[kind].rglob(f"{stem}.mp4")
        indices = reference[f"{name}/indices"].tolist()
        track = landmarker(decode(path, lambda _, indices=indices: indices, None, "pyav").frames)
        expected = reference[f"{name}/landmarks"]
        shift = np.linalg.norm((track["landmarks"] - expected)[..., :2], axis=2).mean(axis=1)
        distances += [s / eye_distance(face) for s, face in zip(shift, expected, strict=True)]
        differences.append(np.abs(track["blendshapes"] - reference[f"{name}/blendshapes"]))
    assert len(distances) == 120
    assert np.mean(distances) < 0.01
    assert np.mean(differences) < 0.015
    assert np.quantile(differences, 0.99) < 0.13


@pytest.mark.real
def test_cached_landmarks_are_those_of_the_decoded_clip(
    ravdess_root: Path, tmp_path: Path, landmarker: FaceLandmarker
) -> None:
    path = next((ravdess_root / "Actor_05").glob("01-01-05*.mp4"))
    clip = Clip(path=path, label=4, actor=5, take=path.stem)
    cached = build_cache([clip], LandmarkSpec(num_frames=6), str(tmp_path), workers=1)(clip)
    frames = decode(path, partial(linspace_indices, num_frames=6)).frames
    assert (cached["landmarks"] == landmarker(frames)["landmarks"]).all()
