"""Grouping of runs into uniquely named models, and alignment of their test clips."""

from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest

from emorec.data.clip import EMOTIONS
from emorec.errors import UserError
from emorec.report.models import Model, align_models, group_runs, split_by_test_clips
from emorec.report.runs import Run, find_runs
from tests.report.made_runs import outputs_for, silent, takes_of, write_run

TAKES = [take for actor in (23, 24) for take in takes_of(actor)]


def read_runs(folder: Path) -> list[Run]:
    return find_runs([folder])[0]


def test_runs_of_a_study_are_grouped_over_folds_and_seeds(cross_validation: Path) -> None:
    models = group_runs(read_runs(cross_validation))
    assert [model.name for model in models] == ["CNNLSTM, 10 frames", "EarlyFusionCNN, 10 frames"]
    for model in models:
        assert model.folds == (1, 2, 3, 4, 5, 6)
        assert [[(run.fold, run.seed) for run in seed] for seed in model.seeds] == [
            [(fold, seed) for fold in range(1, 7)] for seed in (0, 1)
        ]


def test_runs_that_differ_only_in_fold_and_seed_are_one_model(
    tmp_path: Path,
) -> None:
    for number, (fold, seed) in enumerate([(1, 0), (2, 0), (1, 5), (2, 5)]):
        write_run(tmp_path / f"version_{number}", split="msaf6", fold=fold, seed=seed)
    [model] = group_runs(read_runs(tmp_path))
    assert model.name == "CNNLSTM"
    assert [[run.seed for run in seed] for seed in model.seeds] == [[0, 0], [5, 5]]


def test_folds_with_different_seeds_are_one_cross_validation(
    tmp_path: Path,
) -> None:
    for fold in (1, 2):
        write_run(tmp_path / str(fold), split="msaf6", fold=fold, seed=10 + fold)
    [model] = group_runs(read_runs(tmp_path))
    assert [[run.fold for run in seed] for seed in model.seeds] == [[1, 2]]


def test_a_missing_fold_of_a_seed_is_not_replaced_by_another_seed(tmp_path: Path) -> None:
    for fold, seed in ((1, 0), (2, 0), (2, 1)):
        write_run(tmp_path / f"{fold}_{seed}", split="msaf6", fold=fold, seed=seed)
    [model] = group_runs(read_runs(tmp_path))
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
def test_models_of_one_network_are_named_by_their_differences(
    tmp_path: Path, settings: dict[str, Any], names: list[str]
) -> None:
    write_run(tmp_path / "version_0")
    write_run(tmp_path / "version_1", settings=settings)
    assert [model.name for model in group_runs(read_runs(tmp_path))] == names


def test_models_of_the_same_name_are_named_by_their_study(tmp_path: Path) -> None:
    for study in ("first", "second"):
        trial = {"study": study, "model": "CNNLSTM", "fold": None, "seed": 0}
        write_run(tmp_path / study, trial=trial)
    names = [model.name for model in group_runs(read_runs(tmp_path))]
    assert names == ["first: CNNLSTM", "second: CNNLSTM"]


def test_runs_from_python_are_separate_models(tmp_path: Path) -> None:
    for name in ("a/version_0", "b/version_0"):
        write_run(tmp_path / name, config=False)
    names = [model.name for model in group_runs(read_runs(tmp_path))]
    assert names == [f"CNNLSTM ({tmp_path / name / 'version_0'})" for name in ("a", "b")]


def test_runs_on_different_actors_are_different_models(
    tmp_path: Path,
) -> None:
    write_run(tmp_path / "version_0")
    write_run(tmp_path / "version_1", sides={"train": [1, 2, 23]})
    clean, leaking = group_runs(read_runs(tmp_path))
    assert not clean.leaks
    assert leaking.leaks == ("actor 23 is in the training and the test set",)


def models(folder: Path) -> list[Model]:
    return group_runs(read_runs(folder))


def test_clips_are_matched_in_any_folder_and_order(tmp_path: Path) -> None:
    backwards = TAKES[::-1]
    write_run(tmp_path / "one", network="CNNLSTM", takes=TAKES)
    write_run(tmp_path / "two", network="CNN3D", takes=backwards)
    path = tmp_path / "two" / "test" / "predictions.csv"
    path.write_text(path.read_text().replace("/data/", "D:\\clips\\"))
    aligned, left_out = align_models(models(tmp_path))
    assert left_out == 0
    first, second = (each.pooled[0] for each in aligned)
    stems = [PureWindowsPath(path).stem for path in second["path"]]
    assert [PureWindowsPath(path).stem for path in first["path"]] == stems
    assert list(first["emotion"]) == list(second["emotion"])
    # predictions stay with their clips
    _, logits = outputs_for(backwards, 1.5, sum(map(ord, "CNN3D")))
    predicted_by_stem = dict(zip(map(str, backwards), logits.argmax(axis=1), strict=True))
    assert [EMOTIONS[predicted_by_stem[stem]] for stem in stems] == list(second["predicted"])


def test_different_clips_are_refused_with_their_counts(tmp_path: Path) -> None:
    write_run(tmp_path / "a", network="CNNLSTM", takes=TAKES)
    write_run(tmp_path / "b", network="CNN3D", takes=TAKES[10:] + takes_of(1)[:3])
    with pytest.raises(UserError) as error:
        align_models(models(tmp_path))
    message = str(error.value)
    assert "CNNLSTM: 120 clips of actors 23-24" in message
    assert "CNN3D: 113 clips of actors 1, 23-24" in message
    assert "110 are common to all and 13 are not" in message
    assert f"such as {takes_of(1)[0]}.mp4 of actor 1" in message
    assert "--intersect" in message


def test_intersect_compares_the_common_clips(tmp_path: Path) -> None:
    write_run(tmp_path / "a", network="CNNLSTM", takes=TAKES)
    write_run(tmp_path / "b", network="CNN3D", takes=TAKES[10:] + takes_of(1)[:3])
    aligned, left_out = align_models(models(tmp_path), intersect=True)
    assert left_out == 13
    for each in aligned:
        names = {PureWindowsPath(path).stem for path in each.pooled[0]["path"]}
        assert names == set(map(str, TAKES[10:]))


def test_disjoint_clips_are_refused_even_with_intersect(tmp_path: Path) -> None:
    write_run(tmp_path / "a", network="CNNLSTM", takes=TAKES)
    write_run(tmp_path / "b", network="CNN3D", takes=[silent(take) for take in TAKES])
    with pytest.raises(UserError, match="have no clip in common"):
        align_models(models(tmp_path), intersect=True)


def test_clips_with_different_labels_are_different_clips(tmp_path: Path) -> None:
    target, logits = outputs_for(TAKES, 1.5, 0)
    target[0] = 5
    write_run(tmp_path / "a", network="CNNLSTM", takes=TAKES)
    write_run(tmp_path / "b", network="CNN3D", takes=TAKES, outputs=(target, logits))
    with pytest.raises(UserError, match="119 are common to all and 2 are not"):
        align_models(models(tmp_path))


def test_different_classes_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "a", network="CNNLSTM")
    names = [*EMOTIONS[:-1], "surprise"]
    write_run(tmp_path / "b", network="CNN3D", class_names=names)
    with pytest.raises(UserError, match=r"surprise and .* surprised: runs of different classes"):
        align_models(models(tmp_path))


def test_a_clip_in_two_folds_is_refused(tmp_path: Path) -> None:
    for fold in (1, 2):
        write_run(tmp_path / str(fold), split="msaf6", fold=fold, takes=takes_of(1))
    with pytest.raises(UserError, match=r"actor 1 is tested in .*: a clip may be in one fold only"):
        align_models(models(tmp_path))


def test_a_seed_without_a_fold_is_named_in_the_error(tmp_path: Path) -> None:
    for fold, seed in ((1, 0), (2, 0), (2, 7)):
        write_run(tmp_path / f"{fold}_{seed}", split="msaf6", fold=fold, seed=seed)
    with pytest.raises(UserError) as error:
        align_models(models(tmp_path))
    assert "CNNLSTM, seed 0: 480 clips of actors 1-8" in str(error.value)
    assert "CNNLSTM, seed 7: 240 clips of actors 5-8" in str(error.value)


def test_runs_are_split_by_task_and_test_clips_with_all_folds_of_a_seed_together(
    tmp_path: Path,
) -> None:
    for fold, seed in ((1, 0), (2, 0), (1, 1), (2, 1), (2, 7)):
        write_run(tmp_path / "study" / f"{fold}_{seed}", split="msaf6", fold=fold, seed=seed)
    write_run(tmp_path / "study" / "other", network="CNN3D", split="msaf6", fold=2)
    write_run(tmp_path / "other_classes", class_names=[*EMOTIONS[:-1], "surprise"])
    write_run(tmp_path / "split")
    sets = split_by_test_clips(read_runs(tmp_path))
    assert [{run.folder.name for run in runs} for runs in sets] == [
        {"other_classes"},
        {"split"},
        {"1_0", "2_0", "1_1", "2_1"},
        {"2_7", "other"},
    ]
    for runs in sets:
        assert align_models(group_runs(runs))[1] == 0


def test_files_of_the_same_name_by_two_actors_are_two_clips(tmp_path: Path) -> None:
    for name, network in (("a", "CNNLSTM"), ("b", "CNN3D")):
        takes = [replace(TAKES[0], actor=actor) for actor in (23, 24)]
        folder = write_run(tmp_path / name, network=network, takes=takes)
        path = folder / "test" / "predictions.csv"
        path.write_text(path.read_text().replace(f"{takes[1]}", f"{takes[0]}"))
    aligned, left_out = align_models(models(tmp_path))
    assert left_out == 0
    for each in aligned:
        assert list(each.pooled[0]["actor"]) == ["23", "24"]
