"""Aff-Wild2's folders become videos, and what is wrong with them is told in one line."""

import logging
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from emorec.data.affwild2 import find_videos, read_annotations
from emorec.data.affwild2_split import split_films
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

SPLIT = {"val_share": 0.2, "split_seed": 0}


@pytest.fixture(params=[False, True], ids=["short names", "the challenge's names"])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return write_affwild2(tmp_path, long_names=request.param, size=8)


def test_every_frame_with_a_face_and_an_annotation_is_labelled(root: Path) -> None:
    videos, others = find_videos(root, "va")
    assert others == []
    assert [video.name for video in videos] == sorted([*chain(*PEOPLE.values()), "video8"])
    for video in videos:
        there = [f for f in range(1, NUM_FRAMES + 1) if f not in GAPS.get(video.name, ())]
        assert video.frames.tolist() == there
        known = [f for f in there if f != 2] if video.side else []
        assert video.labelled.tolist() == known
        for frame in known:
            assert video.labels is not None
            np.testing.assert_allclose(video.labels[frame - 1], affect(video.name, frame))


def test_expressions_are_numbers_and_minus_1_is_none(root: Path) -> None:
    for video in find_videos(root, "expr")[0]:
        if video.labels is not None:
            expected = [expression(video.name, frame) for frame in range(1, NUM_FRAMES + 1)]
            assert video.labels.tolist() == expected
            assert 2 not in video.labelled


def test_the_official_validation_set_tests_and_two_people_of_a_film_stay_together(
    root: Path,
) -> None:
    videos, _ = find_videos(root, "va")
    seen = set()
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
        seen.update(split.val)
    assert len(seen) > 2, "another seed, another film"
    assert split_films(videos, "seed", **SPLIT).val == ("video6", "video7")
    assert split_films(videos, "seed", **SPLIT).test == ()


def test_a_film_in_both_official_sets_does_not_train(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_affwild2(tmp_path, size=8)
    sets = root / "annotations" / "VA_Set"
    (sets / "Train_Set" / "video4.txt").rename(sets / "Train_Set" / "video7.txt")
    (root / "cropped_aligned" / "video4").rename(root / "cropped_aligned" / "video7")
    videos, _ = find_videos(root, "va")
    with caplog.at_level(logging.WARNING):
        split = split_films(videos, "official", **SPLIT)
    assert "video7" in split.test
    assert "video7" not in split.train + split.val
    assert "in both official sets, so not trained on: video7" in caplog.text


def test_annotations_without_pictures_are_told(tmp_path: Path) -> None:
    root = write_affwild2(tmp_path, size=8)
    (root / "cropped_aligned" / "video4").rename(tmp_path / "elsewhere")
    _, others = find_videos(root, "va")
    assert [path.name for path, _ in others] == ["video4.txt"]


@pytest.mark.parametrize(
    ("task", "text", "words"),
    [
        ("va", f"{EXPR_HEADER}\n1\n", "its first line is not valence,arousal but"),
        ("va", f"{VA_HEADER}\n0.5,0.5\n0.5,1.5\n", "line 3 can't be read: '0.5,1.5'"),
        ("va", f"{VA_HEADER}\n0.5\n", "line 2 can't be read"),
        ("va", f"{VA_HEADER}\n0.5,nan\n", "line 2 can't be read"),
        ("expr", f"{EXPR_HEADER}\n8\n", "line 2 can't be read: '8'"),
        ("expr", f"{EXPR_HEADER}\n1.5\n", "line 2 can't be read"),
        ("expr", "", "its first line is not neutral"),
    ],
)
def test_a_damaged_annotation_is_told_with_its_line(
    tmp_path: Path, task, text: str, words: str
) -> None:
    path = tmp_path / "video.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=words):
        read_annotations(path, task)


def test_windows_line_ends_the_old_seven_expressions_and_no_last_line_end_are_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "video.txt"
    path.write_bytes(b"Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise\r\n6\r\n-1\r\n0")
    assert read_annotations(path, "expr").tolist() == [6, -1, 0]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("cropped_aligned", "no folder cropped_aligned/<video> below"),
        ("annotations", "no VA_.../Train_Set below"),
    ],
)
def test_a_folder_that_is_not_complete_says_where_to_ask(
    tmp_path: Path, missing: str, words: str
) -> None:
    root = write_affwild2(tmp_path / "root", size=8)
    (root / missing).rename(tmp_path / "away")
    with pytest.raises(UserError, match=f"{words}.*ask for Aff-Wild2 at https://ibug"):
        find_videos(root, "va")


def test_two_sets_of_annotations_are_one_too_many(tmp_path: Path) -> None:
    root = write_affwild2(tmp_path, size=8)
    (root / "annotations" / "VA_Estimation_Challenge" / "Train_Set").mkdir(parents=True)
    with pytest.raises(UserError, match="2 sets of va annotations"):
        find_videos(root, "va")
