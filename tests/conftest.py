"""Fixtures of all tests."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock

HACER_CODES = {"angry": 5, "disgust": 7, "happy": 3, "neutral": 1, "sad": 4}
"""Map from the emotions of HACER, in their order, to the emotion codes of RAVDESS."""

CONTRACT = (
    *("test_configs.py", "test_readme.py", "test_resume.py", "test_signals.py"),
    *("cli/test_*.py", "bad_input/test_*.py"),
    *("decoding/test_*.py", "data/video/test_*.py"),
    *("test_same_as_test.py", "study/test_worker.py", "study/test_queue.py"),
)
"""Files of end-to-end tests, which do not depend on the internal structure of the package."""

QUICK = (
    *("cli/test_errors.py", "cli/test_functions.py", "cli/test_mistakes.py", "test_built_in.py"),
    *("data/test_audio.py", "data/test_augment.py", "data/test_faces.py", "data/test_landmarks.py"),
    *("data/test_preprocessing.py", "data/test_split.py", "data/video/test_*.py"),
    *("data/sets/test_csv.py", "data/sets/test_csv_datamodule.py", "data/sets/test_ravdess.py"),
    *("evaluation/test_intervals.py", "evaluation/test_scores.py", "evaluation/test_task.py"),
    *(
        "models/test_networks.py",
        "layers/test_*.py",
        "report/test_page.py",
        "report/test_tables.py",
    ),
    *("inference/test_annotate.py", "inference/test_export.py", "inference/test_windows.py"),
    *("explain/test_clips.py", "study/test_progress.py", "study/test_queue.py"),
)
"""Files whose tests that are not slow use most of what emorec needs of other packages."""

# Workers and subprocesses of tests share few cores: one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the end-to-end tests, which `make contract` selects; put the files with slow tests first.

    Started last, they would run while the other cores have nothing left to do.
    """
    slow_files = set()
    for item in items:
        if any(item.path.match(pattern) for pattern in CONTRACT):
            item.add_marker(pytest.mark.contract)
        if any(item.path.match(pattern) for pattern in QUICK) and not (
            item.get_closest_marker("slow") or item.get_closest_marker("nightly")
        ):
            item.add_marker(pytest.mark.quick)
        if item.get_closest_marker("slow"):
            slow_files.add(item.path)
    items.sort(key=lambda item: item.path not in slow_files)


@pytest.fixture(scope="session")
def ravdess_root() -> Path:
    """Folder of the real clips; tests that use it are marked `real`."""
    root = os.environ.get("EMOREC_RAVDESS_ROOT")
    if not root:
        pytest.skip("EMOREC_RAVDESS_ROOT does not name a folder of RAVDESS clips")
    return Path(root)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Protect the cache of the user, also from subprocesses of tests; all processes of a test run share another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(shared_base(tmp_path_factory) / "user_cache"))
        yield


def shared_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the temporary folder of all processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


def write_once(
    name: str, write: Callable[[Path], object], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a folder that the first process to need it writes for all processes of a test run."""
    base = shared_base(tmp_path_factory)
    folder = base / name
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            unfinished = base / f"{name}.unfinished"
            unfinished.mkdir()
            write(unfinished)
            unfinished.rename(folder)
    return folder


def write_tiny_clips(root: Path, *, sound: bool) -> None:
    """Write a tiny clip of each emotion and actor in the layout of RAVDESS."""
    from emorec.data.synthetic.clips import write_dataset
    from emorec.data.synthetic.settings import ClipSettings

    tiny = ClipSettings(width=32, height=32, num_frames=6, sound=sound)
    write_dataset(root, actors=range(1, 25), takes=1, settings=tiny, num_workers=0)


@pytest.fixture(scope="session")
def voiced_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in the layout of RAVDESS: a tiny clip with sound of each emotion and actor."""
    return write_once("voiced_clips", partial(write_tiny_clips, sound=True), tmp_path_factory)


@pytest.fixture(scope="session")
def drawn_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in the layout of RAVDESS: a tiny clip without sound of each emotion and actor.

    The split `seed` has 160 training clips and 15 each for validation and test: not divisible by two processes.
    """

    def write(root: Path) -> None:
        write_tiny_clips(root, sound=False)
        for actor in (22, 24):
            (root / f"Actor_{actor}" / f"01-01-08-01-01-01-{actor}.mp4").unlink()

    return write_once("drawn_clips", write, tmp_path_factory)


@pytest.fixture(scope="session")
def hacer_clips(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in the layout of HACER: ten people, a to j, in five emotions, and its CSV file."""

    def write(root: Path) -> None:
        (root / "HACER").mkdir()
        lines = ["file_name,activity,emotion,video_index,person,type"]
        for actor, person in enumerate("abcdefghij", start=1):
            for number, (emotion, code) in enumerate(HACER_CODES.items()):
                name = f"drink_{emotion}_1_{person}"
                clip_name = f"Actor_{actor:02d}/01-01-{code:02d}-01-01-01-{actor:02d}.mp4"
                os.link(drawn_clips / clip_name, root / "HACER" / f"{name}.mp4")
                subset = "test" if number == actor % 5 else "train"
                lines.append(f"{name},0,{number},1,{person},{subset}")
        (root / "HACER_dataset.csv").write_text("\n".join(lines) + "\n")

    return write_once("hacer_clips", write, tmp_path_factory)


@pytest.fixture(scope="session")
def drawn_affwild2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in the layout of Aff-Wild2 with eight videos."""
    from tests.affwild2 import write_affwild2

    return write_once("affwild2", write_affwild2, tmp_path_factory)


@pytest.fixture(scope="session")
def drawn_iemocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in the layout of IEMOCAP: per session 8 utterances of 4 classes and 2 that are excited."""
    from tests.iemocap_set import write_iemocap

    return write_once("iemocap", write_iemocap, tmp_path_factory) / "IEMOCAP_full_release"
