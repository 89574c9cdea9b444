"""Runs that belong together become one model, those that don't keep names of their own."""

from pathlib import Path
from typing import Any

import pytest

from emorec.comparison.find import find_runs
from emorec.comparison.model import models_of
from emorec.comparison.run import Run
from tests.comparison.made_runs import write_run


def read(folder: Path) -> tuple[Run, ...]:
    return find_runs([folder]).runs


def test_runs_of_a_study_are_one_model_over_folds_and_seeds(cross_validation: Path) -> None:
    models = models_of(read(cross_validation))
    assert [model.name for model in models] == ["CNNLSTM, 10 frames", "EarlyFusionCNN, 10 frames"]
    for model in models:
        assert model.folds == (1, 2, 3, 4, 5, 6)
        assert [[(run.fold, run.seed) for run in seed] for seed in model.seeds] == [
            [(fold, seed) for fold in range(1, 7)] for seed in (0, 1)
        ]


def test_without_a_study_equal_configurations_but_for_fold_and_seed_are_one_model(
    tmp_path: Path,
) -> None:
    for number, (fold, seed) in enumerate([(1, 0), (2, 0), (1, 5), (2, 5)]):
        write_run(tmp_path / f"version_{number}", split="msaf6", fold=fold, seed=seed)
    [model] = models_of(read(tmp_path))
    assert model.name == "CNNLSTM"
    assert [[run.seed for run in seed] for seed in model.seeds] == [[0, 0], [5, 5]]


def test_folds_that_were_run_with_seeds_of_their_own_still_make_one_cross_validation(
    tmp_path: Path,
) -> None:
    for fold in (1, 2):
        write_run(tmp_path / str(fold), split="msaf6", fold=fold, seed=10 + fold)
    [model] = models_of(read(tmp_path))
    assert [[run.fold for run in seed] for seed in model.seeds] == [[1, 2]]


def test_a_fold_that_one_seed_lacks_is_not_made_up_by_another_seed(tmp_path: Path) -> None:
    for fold, seed in ((1, 0), (2, 0), (2, 1)):
        write_run(tmp_path / f"{fold}_{seed}", split="msaf6", fold=fold, seed=seed)
    [model] = models_of(read(tmp_path))
    assert [[(run.fold, run.seed) for run in seed] for seed in model.seeds] == [
        [(1, 0), (2, 0)],
        [(2, 1)],
    ]


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"num_frames": 16}, ["CNNLSTM, num_frames 10", "CNNLSTM, num_frames 16"]),
        (
            {"num_frames": 16, "augment": True},
            ["CNNLSTM, num_frames 10, augment unset", "CNNLSTM, num_frames 16, augment true"],
        ),
        (dict.fromkeys("abcde", 1), ["CNNLSTM (version_0)", "CNNLSTM (version_1)"]),
    ],
)
def test_models_of_one_network_are_told_by_what_differs(
    tmp_path: Path, settings: dict[str, Any], names: list[str]
) -> None:
    write_run(tmp_path / "version_0")
    write_run(tmp_path / "version_1", settings=settings)
    assert [model.name for model in models_of(read(tmp_path))] == names


def test_models_of_two_studies_that_are_called_alike_are_told_by_the_study(tmp_path: Path) -> None:
    for study in ("first", "second"):
        trial = {"study": study, "model": "CNNLSTM", "fold": None, "seed": 0}
        write_run(tmp_path / study, trial=trial)
    names = [model.name for model in models_of(read(tmp_path))]
    assert names == ["first: CNNLSTM", "second: CNNLSTM"]


def test_runs_from_python_are_models_by_themselves(tmp_path: Path) -> None:
    for place in ("a/version_0", "b/version_0"):
        write_run(tmp_path / place, config=False)
    names = [model.name for model in models_of(read(tmp_path))]
    assert names == [f"CNNLSTM ({tmp_path / place / 'version_0'})" for place in ("a", "b")]


def test_a_run_on_other_people_is_another_model_though_its_configuration_is_the_same(
    tmp_path: Path,
) -> None:
    write_run(tmp_path / "version_0")
    write_run(tmp_path / "version_1", sides={"train": [1, 2, 23]})
    clean, leaking = models_of(read(tmp_path))
    assert not clean.leaks
    assert leaking.leaks == ("actor 23 trained and was tested",)


@pytest.mark.parametrize(
    ("sides", "leaks"),
    [
        ({}, ()),
        ({"val": [23, 24]}, ("each of 23-24 validated and was tested",)),
        ({"train": [1, 2], "val": [2, 3]}, ("actor 2 trained and validated",)),
        # who was predicted counts, whatever the list of test actors says
        ({"train": [24], "test": [5]}, ("actor 24 trained and was tested",)),
    ],
)
def test_people_on_two_sides_are_a_leak(
    tmp_path: Path, sides: dict[str, list[int]], leaks: tuple[str, ...]
) -> None:
    [run] = read(write_run(tmp_path / "run", sides=sides))
    assert run.leaks == leaks
