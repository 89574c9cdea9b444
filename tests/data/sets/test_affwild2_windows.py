"""Windows of frames, their images and features, undersampling, and smoothing over time."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emorec.data.clip import Clip
from emorec.data.sets.affwild2.features import WindowFeatures
from emorec.data.sets.affwild2.parser import find_videos
from emorec.data.sets.affwild2.submission import interpolate, smooth_over_time
from emorec.data.sets.affwild2.undersampling import keep_probabilities, label_bins, undersample
from emorec.data.sets.affwild2.windows import Window, WindowFrames, read_image
from emorec.errors import UserError
from tests.affwild2 import brightness, write_affwild2, write_features

EXISTING = np.array([2, 3, 4, 7, 8, 9, 10], np.int32)


def expected_window(frame: int, num_frames: int, precedes: bool) -> list[int]:
    last = frame - 1 if precedes else frame
    frames = []
    for number in range(last - num_frames + 1, last + 1):
        previous = [existing for existing in EXISTING.tolist() if existing <= number]
        frames.append(previous[-1] if previous else int(EXISTING[0]))
    return frames


@pytest.mark.parametrize("precedes", [False, True])
@pytest.mark.parametrize("num_frames", [1, 3, 8])
def test_a_gap_repeats_the_previous_frame(num_frames: int, precedes: bool) -> None:
    window = Window(num_frames, "precedes" if precedes else "ends", "hold")
    for frame in EXISTING.tolist():
        expected = expected_window(frame, num_frames, precedes)
        assert window.frames(EXISTING, frame).tolist() == expected
    assert window.exists(EXISTING, EXISTING).all()


@pytest.mark.parametrize("precedes", [False, True])
@pytest.mark.parametrize("num_frames", [1, 3, 4])
def test_windows_with_gaps_are_dropped(num_frames: int, precedes: bool) -> None:
    window = Window(num_frames, "precedes" if precedes else "ends", "drop")
    for frame, exists in zip(
        EXISTING.tolist(), window.exists(EXISTING, EXISTING).tolist(), strict=True
    ):
        last = frame - 1 if precedes else frame
        window_frames = set(range(last - num_frames + 1, last + 1))
        assert exists == (window_frames <= set(EXISTING.tolist()))


# Images


def clip_of(root: Path, name: str, frame: int) -> Clip:
    path = root / "cropped_aligned" / name / f"{frame:05d}.jpg"
    return Clip(path=path, label=0, actor=name, take=name)


def reader(root: Path, num_frames: int, size: int = 96) -> WindowFrames:
    return WindowFrames(find_videos(root, "va")[0], Window(num_frames), size=(size, size))


def test_images_belong_to_the_window(tmp_path: Path) -> None:
    root = write_affwild2(tmp_path)
    frames = reader(root, 4)(clip_of(root, "video3", 7))  # 4 and 5 have no face
    assert frames.shape == (4, 96, 96, 3)
    expected = [brightness("video3", frame) for frame in (3, 3, 6, 7)]
    np.testing.assert_allclose(frames.mean(axis=(1, 2, 3)), expected, atol=2)


def test_colours_are_rgb(tmp_path: Path) -> None:
    root = write_affwild2(tmp_path)
    clip = clip_of(root, "video3", 7)
    red = np.zeros((112, 112, 3), np.uint8)
    red[:, :, 2] = 255  # OpenCV has BGR order
    cv2.imwrite(str(clip.path), red)
    frame = reader(root, 1)(clip)[0]
    np.testing.assert_allclose(frame.mean(axis=(0, 1)), [254, 0, 0], atol=2)


@pytest.mark.parametrize("damage", ["truncated", "empty", "HTML", "missing"])
def test_a_corrupt_image_is_treated_as_missing_with_one_warning(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_affwild2(tmp_path)
    clip = clip_of(root, "video3", 8)
    corrupt = clip.path.with_name("00007.jpg")
    content = corrupt.read_bytes()
    corrupt.unlink()
    expected = reader(root, 3)(clip)
    if damage != "missing":
        corrupt.write_bytes({"truncated": content[:-20], "empty": b""}.get(damage, b"<html>"))
    read = reader(root, 3)
    for _ in range(2):
        np.testing.assert_array_equal(read(clip), expected)
    warnings = [str(corrupt)] if damage != "missing" else []
    assert [message.split()[0] for message in caplog.messages] == warnings


def test_the_next_image_replaces_a_corrupt_first_one_and_one_must_be_readable(
    tmp_path: Path,
) -> None:
    root = write_affwild2(tmp_path)
    images = sorted((root / "cropped_aligned" / "video3").glob("*.jpg"))
    images[0].write_bytes(b"")
    clip = clip_of(root, "video3", 1)
    assert reader(root, 1)(clip).mean() == pytest.approx(brightness("video3", 2), abs=2)
    for image in images:
        image.write_bytes(b"")
    with pytest.raises(UserError, match=r"no image in .*video3 can be read: download"):
        reader(root, 1)(clip)


def test_valid_images_of_all_formats_are_read(tmp_path: Path) -> None:
    face = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    for name, options in (
        ("a.jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        ("b.jpg", [cv2.IMWRITE_JPEG_QUALITY, 100]),
        ("c.png", []),
        ("d.webp", []),
    ):
        cv2.imwrite(str(tmp_path / name), face, options)
        image = read_image((tmp_path / name).rename(tmp_path / "image.jpg"))
        assert image is not None
        assert image.shape == face.shape
    cv2.imwrite(str(tmp_path / "padded.jpg"), face)
    with (tmp_path / "padded.jpg").open("ab") as file:
        file.write(bytes(100))
    assert read_image(tmp_path / "padded.jpg") is not None


# Features


def test_features_belong_to_the_frames_of_the_window(tmp_path: Path) -> None:
    root = write_affwild2(tmp_path / "root", size=8)
    write_features(root, tmp_path / "features", 3)
    read = WindowFeatures(find_videos(root, "va")[0], Window(4), tmp_path / "features")
    features = read(clip_of(root, "video3", 7))
    assert features.tolist() == [[number] * 3 for number in (3.0, 3.0, 6.0, 7.0)]


def test_missing_or_mismatched_features_are_refused(tmp_path: Path) -> None:
    root = write_affwild2(tmp_path / "root", size=8)
    write_features(root, tmp_path / "features", 3)
    (root / "cropped_aligned" / "video3" / "00009.jpg").unlink()
    (tmp_path / "features" / "video4.npy").unlink()
    read = WindowFeatures(find_videos(root, "va")[0], Window(4), tmp_path / "features")
    with pytest.raises(UserError, match=r"10 features and .*video3 9 images: .*emorec features"):
        read(clip_of(root, "video3", 7))
    with pytest.raises(UserError, match=r"no features of video4 in .*emorec features"):
        read(clip_of(root, "video4", 7))


# Undersampling


def unbalanced_labels(seed: int = 0) -> npt.NDArray[np.float32]:
    """Return labels mostly near (0.1, 0.1), as in Aff-Wild2, some exactly 0, the others uniform."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0.11, 0.005, (3000, 2))
    return np.concatenate([common, np.zeros((500, 2)), rng.uniform(-1, 1, (2000, 2))]).astype(
        np.float32
    )


def test_bins_equal_those_of_numpy() -> None:
    labels = unbalanced_labels()
    edges = np.linspace(-1, 1, 41)
    expected, _, _ = np.histogram2d(*labels.T, bins=(edges, edges))
    counts = np.bincount(label_bins(labels), minlength=1600)
    assert counts.reshape(40, 40).tolist() == expected.tolist()


def test_the_rule_of_the_seed_study_removes_the_densest_bins_and_zero() -> None:
    labels = unbalanced_labels()
    bins = label_bins(labels)
    counts = np.bincount(bins, minlength=1600)
    limit = (counts.mean() + counts.max()) / 2
    probabilities = keep_probabilities(labels, "seed")
    zero = (labels == 0).all(axis=1)
    assert probabilities[counts[bins] > limit].max() == 0
    assert probabilities[zero].max() == 0
    remaining = (counts[bins] <= limit) & ~zero
    np.testing.assert_allclose(probabilities[remaining], 1 - counts[bins][remaining] / limit)


def test_the_corrected_rule_keeps_every_bin_and_limits_it_to_the_mean() -> None:
    labels = unbalanced_labels()
    mask = undersample(labels, "histogram", seed=3)
    before, after = (
        np.bincount(label_bins(subset), minlength=1600) for subset in (labels, labels[mask])
    )
    mean = before[before > 0].mean()
    assert (after[before > 0] > 0).all()
    assert (after[before <= mean] == before[before <= mean]).all()
    assert after.max() < mean + 6 * np.sqrt(mean)


def test_classes_are_reduced_to_the_size_of_the_rarest() -> None:
    classes = np.repeat(np.arange(4), [4000, 1000, 0, 250])
    after = np.bincount(classes[undersample(classes, "histogram", seed=0)], minlength=4)
    assert after[2:].tolist() == [0, 250]
    np.testing.assert_allclose(after[:2], 250, atol=80)


def test_the_seed_decides_which_frames_are_kept() -> None:
    labels = unbalanced_labels()
    first, repeated, another = (undersample(labels, "histogram", seed=seed) for seed in (1, 1, 2))
    assert (first == repeated).all()
    assert (first != another).any()


# Smoothing


def test_gaps_are_interpolated_linearly() -> None:
    frames = np.array([3, 5, 8], np.int32)
    values = np.array([[0.0, 1.0], [1.0, 1.0], [-0.5, 0.4]])
    every_frame = interpolate(9, frames, values)
    expected = [0, 0, 0, 0.5, 1, 0.5, 0, -0.5, -0.5]
    np.testing.assert_allclose(every_frame[:, 0], expected, atol=1e-12)
    np.testing.assert_allclose(every_frame[frames - 1], values)


@pytest.mark.parametrize("smooth", ["box", "gaussian"])
@pytest.mark.parametrize(("frames", "width"), [(30, 5), (3, 9)])
def test_smoothing_is_a_weighted_mean_of_the_existing_frames(
    smooth: Any, frames: int, width: int
) -> None:
    values = np.random.default_rng(0).normal(size=(frames, 2))
    expected = np.zeros_like(values)
    for i in range(frames):
        near = np.arange(max(0, i - width // 2), min(frames, i + width // 2 + 1))
        weights = np.ones(len(near))
        if smooth == "gaussian":
            weights = np.exp(-8 * ((near - i) / width) ** 2)
        expected[i] = (weights[:, None] * values[near]).sum(axis=0) / weights.sum()
    np.testing.assert_allclose(smooth_over_time(values, smooth, width), expected, atol=1e-12)
    assert smooth_over_time(values, "none", width) is values
