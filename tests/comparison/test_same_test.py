"""Only what was tested on the same clips is compared."""

from dataclasses import replace
from pathlib import Path

import pytest

from emorec.comparison.find import find_runs
from emorec.comparison.model import Model, models_of
from emorec.comparison.same_test import on_the_same_clips
from emorec.data.clip import EMOTIONS
from emorec.errors import UserError
from emorec.evaluation.predictions import Predictions
from tests.comparison.made_runs import predictions_for, silent, takes_of, write_run

TAKES = [take for actor in (23, 24) for take in takes_of(actor)]


def models(folder: Path) -> list[Model]:
    return models_of(find_runs([folder]).runs)


def test_clips_are_the_same_in_any_folder_and_order(tmp_path: Path) -> None:
    backwards = TAKES[::-1]
    write_run(tmp_path / "one", network="CNNLSTM", takes=TAKES)
    write_run(tmp_path / "two", network="CNN3D", takes=backwards)
    path = tmp_path / "two" / "test" / "predictions.csv"
    path.write_text(path.read_text().replace("/data/", "D:\\clips\\"))
    tested, left_out = on_the_same_clips(models(tmp_path))
    assert left_out == 0
    one, two = (each.pooled[0] for each in tested)
    assert [name.rpartition("/")[2] for name in one.paths] == [
        name.rpartition("/")[2] for name in two.paths
    ]
    assert one.predictions.target.tolist() == two.predictions.target.tolist()
    # the predictions went with their clips
    written = dict(
        zip(
            map(str, backwards),
            predictions_for(backwards, 1.5, sum(map(ord, "CNN3D"))).predicted,
            strict=True,
        )
    )
    for path_, said in zip(two.paths, two.predictions.predicted, strict=True):
        assert written[path_.rpartition("/")[2].removesuffix(".mp4")] == said


def test_other_clips_are_refused_and_both_sides_counted(tmp_path: Path) -> None:
    write_run(tmp_path / "a", network="CNNLSTM", takes=TAKES)
    write_run(tmp_path / "b", network="CNN3D", takes=TAKES[10:] + takes_of(1)[:3])
    with pytest.raises(UserError) as error:
        on_the_same_clips(models(tmp_path))
    said = str(error.value)
    assert "CNNLSTM: 120 clips of actors 23-24" in said
    assert "CNN3D: 113 clips of actors 1, 23-24" in said
    assert "110 are shared and 13 are not" in said
    assert f"{takes_of(1)[0]}.mp4 of actor 1 the first" in said
    assert "--intersect" in said


def test_intersect_compares_what_all_share(tmp_path: Path) -> None:
    write_run(tmp_path / "a", network="CNNLSTM", takes=TAKES)
    write_run(tmp_path / "b", network="CNN3D", takes=TAKES[10:] + takes_of(1)[:3])
    tested, left_out = on_the_same_clips(models(tmp_path), intersect=True)
    assert left_out == 13
    for each in tested:
        names = {path.rpartition("/")[2] for path in each.pooled[0].paths}
        assert names == {f"{take}.mp4" for take in TAKES[10:]}


def test_nothing_in_common_is_refused_even_with_intersect(tmp_path: Path) -> None:
    write_run(tmp_path / "a", network="CNNLSTM", takes=TAKES)
    write_run(tmp_path / "b", network="CNN3D", takes=[silent(take) for take in TAKES])
    with pytest.raises(UserError, match="share no clip"):
        on_the_same_clips(models(tmp_path), intersect=True)


def test_a_clip_of_another_truth_is_another_clip(tmp_path: Path) -> None:
    said = predictions_for(TAKES, 1.5, 0)
    other = said.target.clone()
    other[0] = 5
    write_run(tmp_path / "a", network="CNNLSTM", takes=TAKES)
    write_run(
        tmp_path / "b",
        network="CNN3D",
        takes=TAKES,
        predictions=Predictions(said.index, other, said.logits),
    )
    with pytest.raises(UserError, match="119 are shared and 2 are not"):
        on_the_same_clips(models(tmp_path))


def test_other_classes_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "a", network="CNNLSTM")
    names = [*EMOTIONS[:-1], "surprise"]
    write_run(tmp_path / "b", network="CNN3D", class_names=names)
    with pytest.raises(
        UserError, match=r"surprise apart and .* surprised apart: runs of other classes"
    ):
        on_the_same_clips(models(tmp_path))


def test_a_clip_in_two_folds_is_refused(tmp_path: Path) -> None:
    for fold in (1, 2):
        write_run(tmp_path / str(fold), split="msaf6", fold=fold, takes=takes_of(1))
    with pytest.raises(UserError, match=r"actor 1 is tested in .*: a clip may be in one fold only"):
        on_the_same_clips(models(tmp_path))


def test_a_seed_that_lacks_a_fold_is_named(tmp_path: Path) -> None:
    for fold, seed in ((1, 0), (2, 0), (2, 7)):
        write_run(tmp_path / f"{fold}_{seed}", split="msaf6", fold=fold, seed=seed)
    with pytest.raises(UserError) as error:
        on_the_same_clips(models(tmp_path))
    assert "CNNLSTM, seed 0: 480 clips of actors 1-8" in str(error.value)
    assert "CNNLSTM, seed 7: 240 clips of actors 5-8" in str(error.value)


def test_files_that_are_called_alike_by_two_actors_are_two_clips(tmp_path: Path) -> None:
    for name, network in (("a", "CNNLSTM"), ("b", "CNN3D")):
        takes = [replace(TAKES[0], actor=actor) for actor in (23, 24)]
        folder = write_run(tmp_path / name, network=network, takes=takes)
        path = folder / "test" / "predictions.csv"
        path.write_text(path.read_text().replace(f"{takes[1]}", f"{takes[0]}"))
    tested, left_out = on_the_same_clips(models(tmp_path))
    assert left_out == 0
    assert [len(each.pooled[0].paths) for each in tested] == [2, 2]
    assert tested[0].pooled[0].actors == tested[1].pooled[0].actors == ("23", "24")
