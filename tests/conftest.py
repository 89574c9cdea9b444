"""What tests everywhere may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

HACER_CODES = {"angry": 5, "disgust": 7, "happy": 3, "neutral": 1, "sad": 4}
"""HACER's emotions in their order, and the numbers of the same in RAVDESS's names."""

CONTRACT = (
    *("test_configs.py", "test_readme.py", "test_resume.py", "test_signals.py"),
    *("cli/test_*.py", "bad_input/test_*.py"),
    *("decoding/test_*.py", "data/video/test_*.py"),
    *("test_same_as_test.py", "study/test_worker.py", "study/test_queue.py"),
)
"""Files whose tests see the program as a user does: they hold whatever the code inside looks like."""

# Workers and processes that tests start share few cores: each takes one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of what users rely on, which `make contract` runs alone."""
    for item in items:
        if any(item.path.match(pattern) for pattern in CONTRACT):
            item.add_marker(pytest.mark.contract)


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
    from emorec.data.synthetic.clips import write_dataset
    from emorec.data.synthetic.settings import ClipSettings

    root = tmp_path_factory.mktemp("voiced_clips")
    tiny = ClipSettings(width=32, height=32, num_frames=6)
    write_dataset(root, actors=range(1, 25), takes=1, settings=tiny, num_workers=0)
    return root


@pytest.fixture(scope="session")
def drawn_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder shaped like RAVDESS: a tiny clip of each emotion by each of the 24 actors.

    Of the split `seed` 160 train and 15 each validate and test: an odd number, which two processes can't share evenly.
    """
    from emorec.data.synthetic.clips import write_dataset
    from emorec.data.synthetic.settings import ClipSettings

    root = tmp_path_factory.mktemp("drawn_clips")
    tiny = ClipSettings(width=32, height=32, num_frames=6, sound=False)
    write_dataset(root, actors=range(1, 25), takes=1, settings=tiny, num_workers=0)
    for actor in (22, 24):
        (root / f"Actor_{actor}" / f"01-01-08-01-01-01-{actor}.mp4").unlink()
    return root


@pytest.fixture(scope="session")
def hacer_clips(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder shaped like HACER: ten people, a to j, in five emotions, and the CSV file with its own columns."""
    root = tmp_path_factory.mktemp("hacer_clips")
    (root / "HACER").mkdir()
    lines = ["file_name,activity,emotion,video_index,person,type"]
    for actor, person in enumerate("abcdefghij", start=1):
        for number, (emotion, code) in enumerate(HACER_CODES.items()):
            name = f"drink_{emotion}_1_{person}"
            drawn = f"Actor_{actor:02d}/01-01-{code:02d}-01-01-01-{actor:02d}.mp4"
            os.link(drawn_clips / drawn, root / "HACER" / f"{name}.mp4")
            side = "test" if number == actor % 5 else "train"
            lines.append(f"{name},0,{number},1,{person},{side}")
    (root / "HACER_dataset.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="session")
def drawn_affwild2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out like Aff-Wild2: eight films."""
    from tests.affwild2 import write_affwild2

    return write_affwild2(tmp_path_factory.mktemp("affwild2"))


@pytest.fixture(scope="session")
def drawn_iemocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out like IEMOCAP: 8 utterances of 4 classes a session, 2 more that are excited."""
    from tests.iemocap_set import write_iemocap

    return write_iemocap(tmp_path_factory.mktemp("iemocap"))
