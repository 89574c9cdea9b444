"""Folders of Aff-Wild2: videos, annotations and official subsets."""

import logging
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorec.data.sets.affwild2.parser import find_videos, read_annotations
from emorec.data.sets.affwild2.split import split_films
from emorec.errors import UserError
from tests.affwild2 import (
    EXPR_HEADER,
    GAPS,
    NUM_FRAMES,
    PEOPLE,
    VA_HEADER,
    affect,
    expression,
    write_affwild2,
)

DEFAULTS: dict[str, Any] = {"val_share": 0.2, "split_seed": 0}


@pytest.fixture(params=[False, True], ids=["short names", "the challenge's names"])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return write_affwild2(tmp_path, long_names=request.param, size=8)


def test_frames_with_image_and_annotation_are_labelled(root: Path) -> None:
    videos, unmatched = find_videos(root, "va")
    assert unmatched == []
    assert [video.name for video in videos] == sorted([*chain(*PEOPLE.values()), "video8"])
    for video in videos:
        image_frames = [f for f in range(1, NUM_FRAMES + 1) if f not in GAPS.get(video.name, ())]
        assert video.frames.tolist() == image_frames
        expected_frames = [f for f in image_frames if f != 2] if video.official_set else []
        assert video.labelled_frames.tolist() == expected_frames
        for frame in expected_frames:
            assert video.labels is not None
            np.testing.assert_allclose(video.labels[frame - 1], affect(video.name, frame))


def test_expressions_are_numbers_and_minus_1_is_unknown(root: Path) -> None:
    for video in find_videos(root, "expr")[0]:
        if video.labels is not None:
            expected = [expression(video.name, frame) for frame in range(1, NUM_FRAMES + 1)]
            assert video.labels.tolist() == expected
            assert 2 not in video.labelled_frames


def test_the_official_validation_set_is_the_test_set_and_people_of_a_video_stay_together(
    root: Path,
) -> None:
    videos, _ = find_videos(root, "va")
    validation_videos = set()
    for seed in range(20):
        split = split_films(videos, "official", val_share=0.2, split_seed=seed)
        assert split.test == ("video6", "video7")
        assert len(split.val) == 1
        assert sorted(split.train + split.val) == [
            "1-30-1280x720",
            "video2",
            "video3",
            "video4",
            "video5",
        ]
        assert split == split_films(videos, "official", val_share=0.2, split_seed=seed)
        validation_videos.update(split.val)
    assert len(validation_videos) > 2, "another seed, another film"
    assert split_films(videos, "seed", **DEFAULTS).val == ("video6", "video7")
    assert split_films(videos, "seed", **DEFAULTS).test == ()


def test_a_video_in_both_official_sets_is_not_for_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_affwild2(tmp_path, size=8)
    sets = root / "annotations" / "VA_Set"
    (sets / "Train_Set" / "video4.txt").rename(sets / "Train_Set" / "video7.txt")
    (root / "cropped_aligned" / "video4").rename(root / "cropped_aligned" / "video7")
    videos, _ = find_videos(root, "va")
    with caplog.at_level(logging.WARNING):
        split = split_films(videos, "official", **DEFAULTS)
    assert "video7" in split.test
    assert "video7" not in split.train + split.val
    assert "video7" in caplog.text


def test_annotations_without_images_are_listed(tmp_path: Path) -> None:
    root = write_affwild2(tmp_path, size=8)
    (root / "cropped_aligned" / "video4").rename(tmp_path / "elsewhere")
    _, unmatched = find_videos(root, "va")
    assert [path.name for path in unmatched] == ["video4.txt"]


@pytest.mark.parametrize(
    ("task", "text", "message"),
    [
        ("va", f"{EXPR_HEADER}\n1\n", "its first line is .*, not valence,arousal"),
        ("va", f"{VA_HEADER}\n0.5,0.5\n0.5,1.5\n", "line 3 is malformed: '0.5,1.5'"),
        ("va", f"{VA_HEADER}\n0.5\n", "line 2 is malformed"),
        ("va", f"{VA_HEADER}\n0.5,nan\n", "line 2 is malformed"),
        ("expr", f"{EXPR_HEADER}\n8\n", "line 2 is malformed: '8'.* download"),
        ("expr", f"{EXPR_HEADER}\n1.5\n", "line 2 is malformed"),
        ("expr", "", "its first line is '', not neutral"),
    ],
)
def test_a_malformed_annotation_is_refused_with_its_line(
    tmp_path: Path, task: Any, text: str, message: str
) -> None:
    path = tmp_path / "video.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_annotations(path, task)


def test_windows_line_breaks_and_the_older_seven_expressions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "video.txt"
    path.write_bytes(b"Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise\r\n6\r\n-1\r\n0")
    assert read_annotations(path, "expr").tolist() == [6, -1, 0]


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("cropped_aligned", "no folder cropped_aligned/<video> below"),
        ("annotations", "no VA_.../Train_Set below"),
    ],
)
def test_an_incomplete_folder_is_refused_with_how_to_get_the_data(
    tmp_path: Path, missing: str, message: str
) -> None:
    root = write_affwild2(tmp_path / "root", size=8)
    (root / missing).rename(tmp_path / "away")
    with pytest.raises(UserError, match=f"{message}.*ask for Aff-Wild2 at https://ibug"):
        find_videos(root, "va")


def test_two_sets_of_annotations_are_refused(tmp_path: Path) -> None:
    root = write_affwild2(tmp_path, size=8)
    (root / "annotations" / "VA_Estimation_Challenge" / "Train_Set").mkdir(parents=True)
    with pytest.raises(UserError, match=r"2 sets of va annotations.*keep one"):
        find_videos(root, "va")
