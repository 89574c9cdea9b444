"""What tests everywhere may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Workers and processes that tests start share few cores: each takes one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def ravdess_root() -> Path:
    """The folder of the real clips; tests that ask for it are marked `real`."""
    root = os.environ.get("EMOREC_RAVDESS_ROOT")
    if not root:
        pytest.skip("EMOREC_RAVDESS_ROOT does not name a folder of RAVDESS clips")
    return Path(root)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's own cache is left alone, by processes that tests start too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def voiced_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder shaped like RAVDESS: a tiny clip with sound of each emotion by each of the 24 actors."""
    from emorec.data.synthetic.clips import ClipSettings, write_dataset

    root = tmp_path_factory.mktemp("voiced_clips")
    tiny = ClipSettings(width=32, height=32, num_frames=6)
    write_dataset(root, actors=range(1, 25), takes=1, settings=tiny, num_workers=0)
    return root


@pytest.fixture(scope="session")
def drawn_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder shaped like RAVDESS: a tiny clip of each emotion by each of the 24 actors.

    Of the split `seed` 160 train and 15 each validate and test: an odd number, which two processes can't share evenly.
    """
    from emorec.data.synthetic.clips import ClipSettings, write_dataset

    root = tmp_path_factory.mktemp("drawn_clips")
    tiny = ClipSettings(width=32, height=32, num_frames=6, sound=False)
    write_dataset(root, actors=range(1, 25), takes=1, settings=tiny, num_workers=0)
    for actor in (22, 24):
        (root / f"Actor_{actor}" / f"01-01-08-01-01-01-{actor}.mp4").unlink()
    return root
