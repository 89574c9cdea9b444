"""HACER is read by its own columns and split by person."""

from pathlib import Path
from typing import Any

import pytest

from emorec.checkpoint import class_path
from emorec.data import HACERDataModule
from emorec.errors import UserError

SMALL: dict[str, Any] = {"num_frames": 2, "image_size": 16, "num_workers": 0}


def test_labels_and_people_match_the_file_names(hacer_clips: Path) -> None:
    data = HACERDataModule(str(hacer_clips), **SMALL)
    data.setup("fit")
    assert data.class_names == ("angry", "disgust", "happy", "neutral", "sad")
    for clip in data.all_clips:
        _, emotion, _, person = clip.path.stem.split("_")
        assert (data.class_names[int(clip.label)], clip.actor) == (emotion, person)  # type: ignore[arg-type]
    assert sorted(data.split.train + data.split.val + data.split.test) == list("abcdefghij")
    assert class_path(type(data)) == "emorec.data.HACERDataModule"
    assert data.hparams["labels"] == list(data.class_names)


def test_the_subsets_of_hacer_share_people_and_need_a_split_by_clip(hacer_clips: Path) -> None:
    with pytest.raises(UserError, match="people in two subsets: a in train and in test"):
        HACERDataModule(str(hacer_clips), split_column="type", **SMALL).find()
    by_clip = HACERDataModule(str(hacer_clips), split_column="type", group_column="none", **SMALL)
    by_clip.setup("fit")
    assert len(by_clip.subsets["test"]) == 10
    assert "training AND in test" in by_clip.warnings()[0]


def test_a_missing_file_says_how_to_get_hacer(tmp_path: Path) -> None:
    for root in (None, tmp_path, tmp_path / "no.csv"):
        with pytest.raises(UserError, match=r"HACER is on Kaggle: .*HACER_dataset.csv"):
            HACERDataModule(root and str(root)).find()
