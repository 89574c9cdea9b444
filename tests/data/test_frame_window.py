"""Which frames stand before one, and what is read of them."""

from pathlib import Path

import numpy as np
import pytest

from emorec.data.affwild2 import find_videos
from emorec.data.clip import Clip
from emorec.data.downsample import bins_of, keep_probabilities, kept
from emorec.data.every_frame import filled, smoothed
from emorec.data.frame_window import Window, WindowFeatures, WindowPictures
from emorec.errors import UserError
from tests.affwild2 import brightness, write_affwild2, write_features

THERE = np.array([2, 3, 4, 7, 8, 9, 10], np.int32)


def by_hand(frame: int, num_frames: int, precedes: bool) -> list[int]:
    last = frame - 1 if precedes else frame
    frames = []
    for number in range(last - num_frames + 1, last + 1):
        before = [there for there in THERE.tolist() if there <= number]
        frames.append(before[-1] if before else int(THERE[0]))
    return frames


@pytest.mark.parametrize("precedes", [False, True])
@pytest.mark.parametrize("num_frames", [1, 3, 8])
def test_a_gap_holds_the_frame_before_it(num_frames: int, precedes: bool) -> None:
    window = Window(num_frames, "precedes" if precedes else "ends", "hold")
    for frame in THERE.tolist():
        assert window.frames(THERE, frame).tolist() == by_hand(frame, num_frames, precedes)
    assert window.exists(THERE, THERE).all()


@pytest.mark.parametrize("precedes", [False, True])
@pytest.mark.parametrize("num_frames", [1, 3, 4])
def test_dropped_windows_are_those_in_which_a_frame_is_missing(
    num_frames: int, precedes: bool
) -> None:
    window = Window(num_frames, "precedes" if precedes else "ends", "drop")
    for frame, there in zip(THERE.tolist(), window.exists(THERE, THERE).tolist(), strict=True):
        last = frame - 1 if precedes else frame
        wanted = set(range(last - num_frames + 1, last + 1))
        assert there == (wanted <= set(THERE.tolist()))


def clip_of(root: Path, name: str, frame: int) -> Clip:
    path = root / "cropped_aligned" / name / f"{frame:05d}.jpg"
    return Clip(path=path, label=0, actor=name, take=name)


def test_the_pictures_are_those_of_the_window(tmp_path: Path) -> None:
    root = write_affwild2(tmp_path)
    source = WindowPictures(find_videos(root, "va")[0], Window(4), size=(96, 96))
    frames = source(clip_of(root, "video3", 7))  # 4 and 5 have no face
    assert frames.shape == (4, 96, 96, 3)
    expected = [brightness("video3", frame) for frame in (3, 3, 6, 7)]
    np.testing.assert_allclose(frames.mean(axis=(1, 2, 3)), expected, atol=2)


def test_red_stays_red(tmp_path: Path) -> None:
    import cv2

    root = write_affwild2(tmp_path)
    clip = clip_of(root, "video3", 7)
    red = np.zeros((112, 112, 3), np.uint8)
    red[:, :, 2] = 255  # OpenCV writes blue first
    cv2.imwrite(str(clip.path), red)
    frame = WindowPictures(find_videos(root, "va")[0], Window(1), size=(96, 96))(clip)[0]
    np.testing.assert_allclose(frame.mean(axis=(0, 1)), [254, 0, 0], atol=2)


def test_a_broken_picture_is_told_with_its_name(tmp_path: Path) -> None:
    root = write_affwild2(tmp_path, size=8)
    clip = clip_of(root, "video3", 7)
    for content in (b"", b"no picture"):
        clip.path.write_bytes(content)
        with pytest.raises(UserError, match=r"video3/00007.jpg is no picture that can be read"):
            WindowPictures(find_videos(root, "va")[0], Window(1), size=(8, 8))(clip)


def test_features_are_those_of_the_same_frames(tmp_path: Path) -> None:
    root = write_affwild2(tmp_path / "root", size=8)
    write_features(root, tmp_path / "features", 3)
    source = WindowFeatures(find_videos(root, "va")[0], Window(4), tmp_path / "features")
    assert source(clip_of(root, "video3", 7)).tolist() == [
        [3.0] * 3,
        [3.0] * 3,
        [6.0] * 3,
        [7.0] * 3,
    ]


def test_features_of_other_frames_are_refused(tmp_path: Path) -> None:
    root = write_affwild2(tmp_path / "root", size=8)
    write_features(root, tmp_path / "features", 3)
    (root / "cropped_aligned" / "video3" / "00009.jpg").unlink()
    (tmp_path / "features" / "video4.npy").unlink()
    source = WindowFeatures(find_videos(root, "va")[0], Window(4), tmp_path / "features")
    with pytest.raises(UserError, match=r"holds 10 features and .*video3 9 pictures"):
        source(clip_of(root, "video3", 7))
    with pytest.raises(UserError, match="no features of video4"):
        source(clip_of(root, "video4", 7))


def affect(seed: int = 0) -> np.ndarray:
    """Most frames near (0.1, 0.1), as in Aff-Wild2, some at exactly 0, the others anywhere."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0.11, 0.005, (3000, 2))
    return np.concatenate([common, np.zeros((500, 2)), rng.uniform(-1, 1, (2000, 2))]).astype(
        np.float32
    )


def test_bins_are_those_of_numpy() -> None:
    labels = affect()
    edges = np.linspace(-1, 1, 41)
    expected, _, _ = np.histogram2d(*labels.T, bins=(edges, edges))
    assert (
        np.bincount(bins_of(labels), minlength=1600).reshape(40, 40).tolist() == expected.tolist()
    )


def test_by_the_seed_s_rule_the_densest_bins_and_zero_vanish() -> None:
    labels = affect()
    bins = bins_of(labels)
    counts = np.bincount(bins, minlength=1600)
    most = (counts.mean() + counts.max()) / 2
    chances = keep_probabilities(labels, "seed")
    assert chances[counts[bins] > most].max() == 0
    assert chances[(labels == 0).all(axis=1)].max() == 0
    others = (counts[bins] <= most) & ~(labels == 0).all(axis=1)
    np.testing.assert_allclose(chances[others], 1 - counts[bins][others] / most)


def test_by_the_corrected_rule_no_bin_vanishes_and_each_has_about_the_mean_at_most() -> None:
    labels = affect()
    which = kept(labels, "histogram", seed=3)
    before, after = (np.bincount(bins_of(each), minlength=1600) for each in (labels, labels[which]))
    mean = before[before > 0].mean()
    assert (after[before > 0] > 0).all()
    assert (after[before <= mean] == before[before <= mean]).all()
    assert after.max() < mean + 6 * np.sqrt(mean)


def test_of_classes_as_many_are_kept_as_the_rarest_has() -> None:
    classes = np.repeat(np.arange(4), [4000, 1000, 0, 250])
    after = np.bincount(classes[kept(classes, "histogram", seed=0)], minlength=4)
    assert after[2:].tolist() == [0, 250]
    np.testing.assert_allclose(after[:2], 250, atol=80)


def test_the_seed_decides_which_frames_are_kept() -> None:
    labels = affect()
    one, same, other = (kept(labels, "histogram", seed=seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_gaps_are_filled_along_a_line() -> None:
    known = np.array([3, 5, 8], np.int32)
    values = np.array([[0.0, 1.0], [1.0, 1.0], [-0.5, 0.4]])
    every = filled(9, known, values)
    np.testing.assert_allclose(every[:, 0], [0, 0, 0, 0.5, 1, 0.5, 0, -0.5, -0.5], atol=1e-12)
    np.testing.assert_allclose(every[known - 1], values)


@pytest.mark.parametrize("how", ["box", "gaussian"])
@pytest.mark.parametrize(("frames", "width"), [(30, 5), (3, 9)])
def test_smoothing_is_a_weighted_mean_of_the_frames_there_are(how, frames: int, width: int) -> None:
    values = np.random.default_rng(0).normal(size=(frames, 2))
    expected = np.zeros_like(values)
    for at in range(frames):
        near = np.arange(max(0, at - width // 2), min(frames, at + width // 2 + 1))
        weights = np.ones(len(near)) if how == "box" else np.exp(-8 * ((near - at) / width) ** 2)
        expected[at] = (weights[:, None] * values[near]).sum(axis=0) / weights.sum()
    np.testing.assert_allclose(smoothed(values, how, width), expected, atol=1e-12)
    assert smoothed(values, "none", width) is values
