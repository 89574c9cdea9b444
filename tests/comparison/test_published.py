"""Figures from elsewhere come with their source, and a file of the user's is checked."""

from pathlib import Path

import pytest

from emorec.comparison.published import beside, read_published, shipped
from emorec.errors import UserError
from emorec.evaluation.predictions_file import PredictedClips
from emorec.evaluation.predictions import read_predictions
from tests.comparison.made_runs import write_run


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> PredictedClips:
    run = write_run(tmp_path_factory.mktemp("runs") / "run")
    return read_predictions(run / "test" / "predictions.csv")


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_the_shipped_figures_all_have_a_source_and_a_note() -> None:
    assert [each.kind for each in shipped()] == ["people"] * 2 + ["published"] * 5
    assert all(each.source and each.note for each in shipped())


def test_a_users_file_replaces_the_first_study_and_keeps_people(
    tmp_path: Path, clips: PredictedClips
) -> None:
    path = write(tmp_path, "published: [{name: SVFAP-B, uar: 75.15, source: Table 12}]")
    found = beside(str(path), clips)
    assert [(each.name, each.figures) for each in found if each.kind == "published"] == [
        ("SVFAP-B", {"uar": 0.7515})
    ]
    assert [each.name for each in found if each.kind == "people"] == [
        "people, video without sound",
        "people, video with sound",
    ]


def test_people_of_a_users_file_replace_the_shipped_ones(
    tmp_path: Path, clips: PredictedClips
) -> None:
    path = write(tmp_path, "people: [{name: three raters, accuracy: 71, source: ours}]")
    assert [each.name for each in beside(str(path), clips)] == ["three raters"]


def test_none_leaves_people_only(clips: PredictedClips) -> None:
    assert {each.kind for each in beside("none", clips)} == {"people"}


def test_figures_on_ravdess_do_not_stand_beside_other_classes(clips: PredictedClips) -> None:
    other = PredictedClips(clips.paths, clips.actors, tuple("abcdefgh"), clips.predictions)
    assert beside(None, other) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is no YAML"),
        ("- 1", "expected the keys people and published"),
        ("publisht: []", "expected the keys people and published"),
        ("published: 7", "published is no list"),
        ("published: [7]", "has no name: 7"),
        ("published: [{name: A, accuracy: 70}]", "A: a source is missing"),
        ("published: [{name: A, source: B}]", "one of accuracy, uar, macro_f1 is missing"),
        ("published: [{name: A, source: B, f1: 3}]", "A: f1 is none of name, source"),
        ("published: [{name: A, source: B, uar: 0.75}]", "uar is 0.75: it takes per cent"),
        ("published: [{name: A, source: B, uar: high}]", "uar is high: it takes per cent"),
        ("published: [{name: A, source: B, uar: .nan}]", "uar is nan: it takes per cent"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=said) as error:
        read_published(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_no_text_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"can't read .*: No such file"):
        read_published(tmp_path / "other.yaml")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is no text file"):
        read_published(tmp_path / "bytes")
