"""Comparisons of simulated runs, shared by several test files."""

from pathlib import Path

import pytest

from emorec.report.comparison import Comparison, compare_runs
from emorec.report.references import builtin_references
from emorec.report.runs import find_runs
from tests.report.made_runs import write_run

RESAMPLES = 200
"""Bootstrap resamples: few, to keep the tests fast."""

SEEDS = (0, 1)
FOLDS = (1, 2, 3, 4, 5, 6)


def compare(*folders: Path) -> Comparison:
    """Compare the tested runs in folders with the built-in references."""
    runs, untested = find_runs(folders)
    return compare_runs(
        runs, untested=untested, references=builtin_references(), resamples=RESAMPLES
    )


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
    return compare(single_runs)


@pytest.fixture(scope="session")
def crossed(cross_validation: Path) -> Comparison:
    return compare(cross_validation)


@pytest.fixture(scope="session")
def leaking(tmp_path_factory: pytest.TempPathFactory, single_runs: Path) -> Comparison:
    """The three networks and a fourth, with a test actor in its training set and two in its validation set."""
    root = tmp_path_factory.mktemp("leak")
    sides = {"train": [1, 2, 23], "val": [23, 24], "test": [23, 24]}
    write_run(root / "CNN3D" / "version_0", network="CNN3D", skill=2.7, sides=sides)
    return compare(single_runs, root)
