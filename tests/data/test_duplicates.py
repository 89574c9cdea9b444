"""Equal content under different names: refused in two subsets, listed within one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emorec.data.cache.store import CacheStore
from emorec.data.clip import Clip
from emorec.data.duplicates import check_duplicates, equal_files
from emorec.data.split import RandomSplit, Split
from emorec.errors import UserError

SPLIT = Split("mine", None, train=("ann",), val=("bo",), test=("cy",))

Pairs = list[tuple[str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files `a`, its copies `b`, `c` (a link) and `d`, the file `other` of equal size, and two empty ones."""
    for name, content in {"a": "1", "b": "1", "d": "1", "other": "2", "empty": "", "e": ""}.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "c").hardlink_to(tmp_path / "a")
    return tmp_path


@pytest.fixture
def check(folder: Path) -> Callable[..., Pairs]:
    """Return a function that checks clips, given as file, person and further fields."""

    def check(*clips: tuple[Any, ...], split: Split = SPLIT, sound: bool = False) -> Pairs:
        def source(clip: Clip) -> set[Path]:
            return {clip.sound_path if sound and clip.sound_path else clip.path}

        built = []
        for name, actor, *more in clips:
            fields = {"take": name, **(more[0] if more else {})}
            if "sound_path" in fields:
                fields["sound_path"] = folder / fields["sound_path"]
            built.append(Clip(path=folder / name, label=0, actor=actor, **fields))
        pairs = check_duplicates(split.clips(built), source, folder / "cache")
        return [(one.path.name, other.path.name) for one, other in pairs]

    return check


def span(start: float, end: float, **more: Any) -> dict[str, Any]:
    return {"span_seconds": (start, end), **more}


@pytest.mark.parametrize(
    "clips",
    [
        (("a", "ann"), ("b", "bo")),
        (("a", "ann"), ("c", "cy")),
        (("a", "ann", span(0, 2)), ("b", "bo", span(1.5, 3))),
        (("a", "ann"), ("b", "bo", span(1, 2))),
        (("a", "ann", {"half": "left"}), ("b", "bo")),
        (("a", "ann"), ("b", "ann"), ("d", "cy")),
        (("a", "ann", span(4, 5)), ("a", "ann", span(0, 1)), ("b", "bo", span(0, 1))),
    ],
)
def test_equal_content_in_two_subsets_is_refused(
    clips: tuple[Any, ...], check: Callable[..., Pairs]
) -> None:
    with pytest.raises(
        UserError,
        match=r"^1 clip of equal content in two subsets: .*/a.* in train "
        r"and .*/[bcd].* in (val|test); remove one of each",
    ):
        check(*clips)


@pytest.mark.parametrize(
    "clips",
    [
        (("a", "ann"), ("other", "bo"), ("nowhere", "cy"), ("empty", "ann"), ("e", "bo")),
        (("a", "ann"), ("b", "nobody")),
        (("a", "ann", span(0, 2)), ("b", "bo", span(2, 3))),
        (("a", "ann", span(0, 2)), ("a", "bo", span(1, 3))),
        (("a", "ann", span(0, 2, half="left")), ("b", "bo", span(0, 2, half="right"))),
    ],
)
def test_other_content_is_allowed(clips: tuple[Any, ...], check: Callable[..., Pairs]) -> None:
    assert check(*clips) == []


def test_equal_content_in_one_subset_is_listed(check: Callable[..., Pairs]) -> None:
    assert check(("a", "ann"), ("b", "ann"), ("d", "ann"), ("other", "bo")) == [
        ("a", "b"),
        ("a", "d"),
    ]


def test_a_separate_sound_file_is_compared_in_full(check: Callable[..., Pairs]) -> None:
    clips = [
        ("a", "ann", span(0, 1, half="left", sound_path="b")),
        ("other", "bo", span(5, 6, half="left", sound_path="d")),
    ]
    assert check(*clips) == []
    with pytest.raises(UserError, match="equal content"):
        check(*clips, sound=True)


def test_clips_that_a_split_validates_and_tests_are_no_duplicates_of_themselves(
    check: Callable[..., Pairs],
) -> None:
    split = RandomSplit("random", None, train=("ann",), val=("ann",), test=("ann",))
    held_out, also_held_out, training = "take4", "take6", "take0"
    clips = [("a", "ann", {"take": held_out}), ("b", "ann", {"take": also_held_out})]
    assert check(*clips, split=split) == [("a", "b")]
    with pytest.raises(UserError, match=r"in val and test and .* in train"):
        check(*clips, ("d", "ann", {"take": training}), split=split)


def test_only_files_that_share_their_size_are_read_and_once(folder: Path) -> None:
    (folder / "long").write_text("of its own size")
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    assert equal_files(paths, folder / "cache") == [[folder / name for name in "abcd"]]
    with CacheStore(folder / "cache", "") as store:
        known = store.known_digests(paths)
    assert {path.name for path in known} == {"a", "b", "c", "d", "other"}
