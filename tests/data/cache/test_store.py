"""Stored clips, their checksums and the database."""

import os
from pathlib import Path

import numpy as np
import pytest

from emorec.data.cache.store import (
    DATABASE,
    CacheEntry,
    CacheStore,
    checksum_of,
    clear_cache,
    file_digest,
    file_digests,
    list_cache,
    verify_cache,
    write_clip,
)
from emorec.io import cache_folder

NAME = "2x8x8-shorter_side-decord-00000000"


def fill_cache(folder: Path, *keys: str) -> None:
    with CacheStore(folder, NAME) as store:
        for value, key in enumerate(keys):
            content = np.full((2, 8, 8, 3), value, np.uint8)
            entry = write_clip(store.path(key), content, CacheEntry(video_frames=9))
            store.add({key: entry}, {key: f"{key}.mp4"})


def intact_entries(folder: Path) -> dict[str, CacheEntry]:
    with CacheStore(folder, NAME) as store:
        return store.intact_entries()


def test_the_cache_folder_is_that_of_the_environment_or_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMOREC_CACHE", "/fast")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/fast")
    monkeypatch.delenv("EMOREC_CACHE")
    assert cache_folder() == Path("/elsewhere/emorec")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/home/someone/.cache/emorec")


def test_a_clip_is_stored_with_the_checksum_of_its_file(tmp_path: Path) -> None:
    content = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    path = tmp_path / "new" / "key.npy"
    entry = write_clip(path, content, CacheEntry(face_frames=2))
    assert np.array_equal(np.load(path), content)
    assert [entry_path.name for entry_path in path.parent.iterdir()] == ["key.npy"]
    assert entry == CacheEntry(
        checksum=checksum_of(path),
        size=path.stat().st_size,
        mtime_ns=path.stat().st_mtime_ns,
        face_frames=2,
    )


def test_entries_are_read_back_unchanged(tmp_path: Path) -> None:
    broken = {"b": CacheEntry(error="damaged", video_frames=3)}
    fill_cache(tmp_path, "a")
    with CacheStore(tmp_path, NAME) as store:
        store.add(broken, {"b": "b.mp4"})
    with CacheStore(tmp_path, "other") as store:
        assert store.entries() == {}
    entries = intact_entries(tmp_path)
    assert entries.keys() == {"a", "b"}
    assert entries["b"] == broken["b"]
    assert entries["a"].video_frames == 9


@pytest.mark.parametrize("damage", ["altered", "cut off", "gone"])
def test_a_damaged_file_is_detected_and_dropped(tmp_path: Path, damage: str) -> None:
    fill_cache(tmp_path, "a", "b")
    file = tmp_path / NAME / "b.npy"
    if damage == "altered":
        content = file.read_bytes()
        file.write_bytes(content[:-4] + b"\1\2\3\4")
        os.utime(file, ns=(1, 1))
    elif damage == "cut off":
        file.write_bytes(file.read_bytes()[:200])
    else:
        file.unlink()
    assert intact_entries(tmp_path).keys() == {"a"}
    with CacheStore(tmp_path, NAME) as store:
        assert store.drop_damaged() == 1
        assert store.entries().keys() == {"a"}


def test_a_touched_but_unchanged_file_is_kept(tmp_path: Path) -> None:
    fill_cache(tmp_path, "a")
    os.utime(tmp_path / NAME / "a.npy", ns=(1, 1))
    assert intact_entries(tmp_path) == {}
    with CacheStore(tmp_path, NAME) as store:
        assert store.drop_damaged() == 0
    assert intact_entries(tmp_path).keys() == {"a"}


def test_verifying_reads_untouched_files_too(tmp_path: Path) -> None:
    fill_cache(tmp_path, "a", "b")
    assert verify_cache(tmp_path) == {NAME: 0}
    file = tmp_path / NAME / "a.npy"
    mtime_ns = file.stat().st_mtime_ns
    file.write_bytes(bytes(file.stat().st_size))
    os.utime(file, ns=(mtime_ns, mtime_ns))
    assert verify_cache(tmp_path) == {NAME: 1}
    assert intact_entries(tmp_path).keys() == {"b"}


@pytest.mark.parametrize(
    "content", ["", "{", "SQLite format 3\0 and then nothing of the kind" * 100]
)
def test_a_corrupted_database_is_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / DATABASE).write_text(content)
    assert intact_entries(tmp_path) == {}
    fill_cache(tmp_path, "a")
    assert intact_entries(tmp_path).keys() == {"a"}


def test_a_transaction_is_atomic(tmp_path: Path) -> None:
    def add_digest_and_raise(store: CacheStore) -> None:
        with store.transaction():
            store.add_digest(tmp_path, (1, 2), "digest")
            raise ZeroDivisionError

    with CacheStore(tmp_path, NAME) as store:
        with pytest.raises(ZeroDivisionError):
            add_digest_and_raise(store)
        assert store.known_digests([tmp_path]) == {}


def test_digests_of_unchanged_files_are_read_from_the_database(tmp_path: Path) -> None:
    old, new = tmp_path / "old.mp4", tmp_path / "new.mp4"
    for path in (old, new):
        path.write_text(path.name)
    with CacheStore(tmp_path / "cache", NAME) as store, store.transaction():
        status = old.stat()
        store.add_digest(old, (status.st_size, status.st_mtime_ns), "known")
    digests = file_digests(tmp_path / "cache", [old, new])
    assert digests == {old: "known", new: file_digest(new)}
    old.write_text("changed")
    assert file_digests(tmp_path / "cache", [old]) == {old: file_digest(old)}
    assert file_digests(tmp_path / "none", [old]) == {old: file_digest(old)}


def test_a_cache_is_listed_and_cleared_without_other_files(tmp_path: Path) -> None:
    fill_cache(tmp_path, "a", "b")
    (tmp_path / "thesis.lock").touch()
    size = sum(path.stat().st_size for path in (tmp_path / NAME).iterdir())
    (listing,) = list_cache(tmp_path)
    assert (listing.name, listing.ready, listing.broken, listing.num_bytes) == (NAME, 2, 0, size)
    assert clear_cache(tmp_path, NAME) == size
    assert list_cache(tmp_path) == []
    fill_cache(tmp_path, "a")
    assert clear_cache(tmp_path) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.lock"]
