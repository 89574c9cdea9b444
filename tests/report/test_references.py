"""References from the literature and from a user's file."""

from dataclasses import replace
from pathlib import Path

import pytest

from emorec.data.clip import EMOTIONS
from emorec.errors import UserError
from emorec.evaluation.task import Classification, Regression
from emorec.report.references import builtin_references, read_references, references_for
from emorec.report.runs import read_run
from tests.report.made_runs import write_run

TASK = Classification(EMOTIONS)


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_the_built_in_references_have_a_source_and_a_note() -> None:
    assert [each.kind for each in builtin_references()] == ["people"] * 2 + ["published"] * 5
    assert all(each.source and each.note for each in builtin_references())


def test_a_users_file_replaces_published_references_and_keeps_people(tmp_path: Path) -> None:
    path = write(tmp_path, "published: [{name: SVFAP-B, uar: 75.15, source: Table 12}]")
    references = references_for(str(path), TASK)
    assert [(each.name, each.scores) for each in references if each.kind == "published"] == [
        ("SVFAP-B", {"uar": 0.7515})
    ]
    assert [each.name for each in references if each.kind == "people"] == [
        "people, video without sound",
        "people, video with sound",
    ]


def test_people_of_a_users_file_replace_the_built_in_ones(tmp_path: Path) -> None:
    path = write(tmp_path, "people: [{name: three raters, accuracy: 71, source: ours}]")
    assert [each.name for each in references_for(str(path), TASK)] == ["three raters"]


def test_references_none_keeps_people_only() -> None:
    assert {each.kind for each in references_for("none", TASK)} == {"people"}


def test_references_on_ravdess_are_omitted_for_other_classes() -> None:
    assert references_for(None, Classification(tuple("abcdefgh"))) == ()


def test_references_are_for_clips_of_ravdess_and_not_for_others_of_the_same_classes(
    tmp_path: Path,
) -> None:
    run = read_run(write_run(tmp_path))
    others = replace(run, predictions=run.predictions.assign(path="films/0001.mp4"))
    drawn = replace(run, metrics={**run.metrics, "split": {**run.split, "drawn": True}})
    assert [each.is_on_ravdess for each in (run, others, drawn)] == [True, False, False]
    assert references_for(None, TASK, on_ravdess=False) == ()


def test_references_of_classes_are_refused_for_numbers() -> None:
    task = Regression(("valence", "arousal"))
    assert references_for(None, task) == references_for("none", task) == ()
    with pytest.raises(UserError, match=r"^--published mine\.yaml: published scores of classes"):
        references_for("mine.yaml", task)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not valid YAML"),
        ("- 1", "expected the keys people and published"),
        ("publisht: []", "expected the keys people and published"),
        ("published: 7", "published is not a list"),
        ("published: [7]", "has no name: 7"),
        ("published: [{name: A, accuracy: 70}]", "A: the source is missing"),
        ("published: [{name: A, source: B}]", "add one of accuracy, uar, macro_f1"),
        (
            "published: [{name: A, source: B, f1: 3}]",
            "A: f1 is not one of name, source",
        ),
        ("published: [{name: A, source: B, uar: 0.75}]", "uar is 0.75: give per cent"),
        ("published: [{name: A, source: B, uar: high}]", "uar is high: give per cent"),
        ("published: [{name: A, source: B, uar: .nan}]", "uar is nan: give per cent"),
    ],
)
def test_an_invalid_file_is_a_one_line_error(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=message) as error:
        read_references(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_missing_and_binary_files_are_one_line_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"can't read .*: No such file"):
        read_references(tmp_path / "other.yaml")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is not a text file"):
        read_references(tmp_path / "bytes")
