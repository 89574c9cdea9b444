"""Small experiments that several tests look at."""

from pathlib import Path

import pytest

from emorec.comparison.comparison import Comparison
from emorec.comparison.find import find_runs
from emorec.comparison.published import shipped
from tests.comparison.made_runs import write_run

RESAMPLES = 200
"""Enough for an interval, few enough for a test."""

SEEDS = (0, 1)
FOLDS = (1, 2, 3, 4, 5, 6)


@pytest.fixture(scope="session")
def single_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three networks on the two test actors of the split `seed`."""
    root = tmp_path_factory.mktemp("single")
    for network, skill in (("CNNLSTM", 1.8), ("LateFusion", 1.2), ("EarlyFusionCNN", 0.3)):
        write_run(root / network / "version_0", network=network, skill=skill)
    return root


@pytest.fixture(scope="session")
def cross_validation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two networks, six folds and two seeds."""
    root = tmp_path_factory.mktemp("study")
    for network, skill in (("CNNLSTM", 1.8), ("EarlyFusionCNN", 0.3)):
        for fold in FOLDS:
            for seed in SEEDS:
                write_run(
                    root / network / f"fold_{fold}_seed_{seed}",
                    network=network,
                    skill=skill,
                    split="msaf6",
                    fold=fold,
                    seed=seed,
                    trial={
                        "study": "cv",
                        "model": f"{network}, 10 frames",
                        "fold": fold,
                        "seed": seed,
                    },
                )
    return root


@pytest.fixture(scope="session")
def singles(single_runs: Path) -> Comparison:
    found = find_runs([single_runs])
    return Comparison.of(found, published=shipped(), resamples=RESAMPLES)


@pytest.fixture(scope="session")
def crossed(cross_validation: Path) -> Comparison:
    found = find_runs([cross_validation])
    return Comparison.of(found, published=shipped(), resamples=RESAMPLES)


@pytest.fixture(scope="session")
def leaking(tmp_path_factory: pytest.TempPathFactory, single_runs: Path) -> Comparison:
    """One of the runs again, but for a test actor who also trained and two who also validated."""
    root = tmp_path_factory.mktemp("leak")
    sides = {"train": [1, 2, 23], "val": [23, 24], "test": [23, 24]}
    write_run(root / "CNN3D" / "version_0", network="CNN3D", skill=2.7, sides=sides)
    found = find_runs([single_runs, root])
    return Comparison.of(found, published=shipped(), resamples=RESAMPLES)
